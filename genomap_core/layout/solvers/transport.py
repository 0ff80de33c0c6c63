"""`ot`, the default: Gromov-Wasserstein transport with a permutation coupling, joined with a neighbourhood term.

Minimised over arrangements s of features on cells:

    (1 - balance) GW(s) - balance * 0.1 * (mean correlation of the 8 neighbours, corners at half weight),
    GW(s) = mean over pairs of (C1_ij / mean C1 - C2_s(i)s(j) / mean C2)^2

with C1 the distance of features, C2 the Euclidean distance of cells (Memoli, FoCM 2011; Peyre et al., ICML 2016, square
loss). Method, ours: C1 is of low rank, so the objective's gradient is a convolution on the grid (`field`); against it,
*exact* linear assignments are solved in windows of the grid (`moves`), from wide and sparse to narrow and dense (a blur
that shrinks, as in self-sorting maps: Strong & Gong, IEEE ToM 2014; Barthel et al., CGF 42(1), 2023), with noise on the
costs that fades out (annealing), and last exact swaps. Work and memory grow as p log p.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.layout.assignment import Lattice
from genomap_core.layout.board import Board, make_board
from genomap_core.layout.field import Kernels
from genomap_core.layout.lowrank import feature_vectors
from genomap_core.layout.moves import blur_sweep, lattice_sweep, swap_pass
from genomap_core.layout.problem import Arrangement, Problem

@dataclass(frozen=True, slots=True)
class Schedule:
    """How much work is done, by the grid's size.

    Parameters
    ----------
    radii
        Widths of the neighbourhood, in cells, of the blurred sweeps.
    sweeps
        Sweeps of the exact objective.
    side
        Root of the number of cells in one assignment.
    noise
        At the first exact sweep, in standard deviations of the costs; falls linearly to 0 at three quarters.
    swap_passes
        Passes of swaps at the end.
    restarts
        Independent tries, of which the best is kept.
    """

    radii: tuple[float, ...]
    sweeps: int
    side: int
    noise: float = 0.4
    swap_passes: int = 12
    restarts: int = 1

    @property
    def steps(self) -> int:
        """Reports of progress to expect."""
        return self.restarts * (len(self.radii) + self.sweeps + 1)


def schedule(shape: tuple[int, int], effort: float = 1.0) -> Schedule:
    """More sweeps and larger windows where they cost little; ``effort`` multiplies the sweeps."""
    m = shape[0] * shape[1]
    small, middle = m <= 2500, m <= 10_000
    radii, radius = [], max(shape) / 6
    while radius >= 2:
        radii.append(radius)
        radius *= 0.6
    sweeps = 18 if small else 10 if middle else 6
    return Schedule(
        radii=tuple(radii),
        sweeps=max(1, round(effort * sweeps)),
        side=16 if small else 12 if middle else 8,
        noise=0.4 if middle else 0.2,
        swap_passes=12 if small else 6,
        restarts=max(1, round(effort * min(8, 400 / m))),
    )


def transport(problem: Problem) -> np.ndarray:
    """Index of each feature's cell in the grid's usable cells: ``(p,)`` int."""
    most = 128 if problem.grid.n_cells <= 2500 else 64
    vectors = feature_vectors(problem.table, most, seed=problem.seed)
    kernels = Kernels(problem.grid, vectors.mean_distance, len(problem.channel), problem.balance)
    plan = schedule(problem.grid.shape, problem.effort)
    first = problem.grid.open_cells[start(vectors.values, problem)]
    best, lowest = first, np.inf
    for trial in range(plan.restarts):
        board = make_board(vectors, kernels, problem.channel, first)
        anneal(board, plan, problem, np.random.default_rng([problem.seed, trial]), trial)
        objective = board.objective() if plan.restarts > 1 else 0.0
        if objective < lowest:
            best, lowest = board.cell_of_feature(), objective
    return np.searchsorted(problem.grid.open_cells, best)


def anneal(board: Board, plan: Schedule, problem: Problem, rng: np.random.Generator, trial: int = 0) -> None:
    """Run the schedule on the board."""
    done = trial * (len(plan.radii) + plan.sweeps + 1)
    for radius in plan.radii:
        blur_sweep(board, radius, 8, rng)
        done = _report(board, problem, done, plan.steps)
    lattices = list(Lattice)
    for k in range(plan.sweeps):
        noise = plan.noise * max(0.0, 1 - k / (0.75 * plan.sweeps)) if plan.sweeps > 1 else 0.0
        lattice_sweep(board, lattices[k % 3], plan.side, rng, noise)
        done = _report(board, problem, done, plan.steps)
    for layer in range(board.n_layers):
        far = board.far_field()
        for _ in range(plan.swap_passes):
            if not swap_pass(board, layer, far):
                break
    _report(board, problem, done, plan.steps)


def _report(board: Board, problem: Problem, done: int, steps: int) -> int:
    positions = np.stack(np.divmod(board.cell_of_feature(), board.shape[1]), axis=1).astype(np.int32)
    problem.on_progress(Arrangement("layout", done + 1, steps, positions=positions))
    return done + 1


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
