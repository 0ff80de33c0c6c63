"""`ot`, the default: Gromov-Wasserstein transport with a permutation coupling, joined with a neighbourhood term.

Minimised over arrangements s of features on cells:

    (1 - balance) GW(s) - balance * 0.1 * (mean correlation of neighbouring cells),
    GW(s) = mean over pairs of (C1_ij / mean C1 - C2_s(i)s(j) / mean C2)^2

with C1 the distance of features, C2 the Euclidean distance of cells (Memoli, FoCM 2011; Peyre et al., ICML 2016, square
loss). Method, ours: C1 is of low rank, so the objective's gradient is a convolution on the grid (`field`). The
distance kernel is conditionally negative definite, so the GW part is concave over arrangements (Maron & Lipman,
NeurIPS 2018) and a *whole* linear assignment against the gradient never raises it: no step size, any number of
features moved at once. Cells of one sublattice are no neighbours of each other, so there the neighbourhood part is
linear as well and the assignment is exact. The assignments run in windows of a few hundred cells, from wide and sparse
to narrow and dense (a blur that shrinks, as in self-sorting maps: Strong & Gong, IEEE ToM 2014; Barthel et al., CGF 42(1), 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.layout.assignment import assign, sublattices
from genomap_core.layout.field import Kernels, field
from genomap_core.layout.lowrank import FeatureVectors, feature_vectors
from genomap_core.layout.problem import Arrangement, Problem

RANK = 32
SIDE = 16


@dataclass(frozen=True, slots=True)
class Stage:
    """Sweeps at one width of the neighbourhood kernel."""

    radius: float
    stride: int
    sweeps: int


def schedule(shape: tuple[int, int]) -> list[Stage]:
    """From a sixth of the grid down to the 8 neighbours, where most sweeps are."""
    stages = []
    radius = max(shape) / 6
    while radius >= 2:
        stages.append(Stage(radius, max(2, round(radius)), 1))
        radius *= 0.6
    return stages + [Stage(1.0, 2, 5)]


def transport(problem: Problem) -> np.ndarray:
    """Cell index of each feature: ``(p,)`` int."""
    vectors = feature_vectors(problem.table, RANK, problem.seed)
    kernels = Kernels(problem.grid, vectors.mean_distance)
    cells = start(vectors.values, problem)
    stages = schedule(problem.grid.shape)
    sweeps = sum(stage.sweeps for stage in stages)
    rng = np.random.default_rng(problem.seed)
    done = 0
    for stage in stages:
        spectrum = kernels.spectrum(problem.balance, stage.radius)
        for _ in range(stage.sweeps):
            moved = sweep(cells, vectors, problem, kernels, spectrum, stage, rng)
            done += 1
            positions = problem.grid.positions[cells].astype(np.int32)
            problem.on_progress(Arrangement("layout", done, sweeps, {"moved": moved}, positions))
            if moved == 0:
                break
    return cells


def start(values: np.ndarray, problem: Problem) -> np.ndarray:
    """Each omics type sorted into columns by the first principal component, and within columns by the second."""
    centred = values - values.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    plane = centred @ axes[:, ::-1][:, :2]
    first, second = plane[:, 0], plane[:, -1]
    cells = np.empty(len(values), np.int64)
    rows, columns = problem.grid.positions.T
    by_column = np.lexsort((rows, columns))
    for code in range(problem.n_channels):
        own = np.flatnonzero(problem.channel == code)
        if not len(own):
            continue
        seats = by_column[np.linspace(0, problem.grid.n_cells - 1, len(own)).round().astype(int)]
        own = own[np.argsort(first[own], kind="stable")]
        cells[own[np.lexsort((second[own], columns[seats]))]] = seats
    return cells


def sweep(
    cells: np.ndarray,
    vectors: FeatureVectors,
    problem: Problem,
    kernels: Kernels,
    spectrum: np.ndarray,
    stage: Stage,
    rng: np.random.Generator,
) -> int:
    """One assignment in every window of every sublattice and omics type; ``cells`` changes. Returns how many moved."""
    rows, columns = problem.grid.positions.T
    shift = rng.integers(0, stage.stride * SIDE, 2)
    groups = sublattices(rows, columns, stage.stride, SIDE, (int(shift[0]), int(shift[1])))
    before = cells.copy()
    gradient = None
    for group in groups:
        for code in range(problem.n_channels):
            own = np.flatnonzero(problem.channel == code)
            seated = np.full(problem.grid.n_cells, len(cells))
            seated[cells[own]] = own
            if gradient is None or stage.radius < 2:
                gradient = _gradient(cells, vectors, problem, kernels, spectrum)
            for window in group:
                _reseat(cells, seated[window], window, vectors.values, gradient)
    return int((cells != before).sum())


def _gradient(
    cells: np.ndarray, vectors: FeatureVectors, problem: Problem, kernels: Kernels, spectrum: np.ndarray
) -> np.ndarray:
    """Derivative of the objective with respect to what lies in each cell: ``(m, d)`` float32."""
    height, width = problem.grid.shape
    board = np.zeros((height * width, vectors.values.shape[1]), np.float32)
    np.add.at(board, problem.grid.open_cells[cells], vectors.values)
    planes = np.ascontiguousarray(board.T).reshape(-1, height, width)
    out = field(planes, spectrum, kernels.padded).reshape(len(planes), -1)[:, problem.grid.open_cells]
    return np.ascontiguousarray((out * vectors.signs[:, None]).T)


def _reseat(
    cells: np.ndarray, seated: np.ndarray, window: np.ndarray, values: np.ndarray, gradient: np.ndarray
) -> None:
    """The cheapest assignment of a window's features to its cells; empty cells take part for nothing."""
    features = seated[seated < len(cells)]
    if not len(features) or len(window) < 2:
        return
    cells[features] = window[assign(values[features] @ gradient[window].T)]
