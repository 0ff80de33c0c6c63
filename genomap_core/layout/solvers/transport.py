"""`ot`, the default: Gromov-Wasserstein transport with a permutation coupling, joined with a neighbourhood term.

Minimised over arrangements s of features on cells:

    (1 - balance) GW(s) - balance * 0.1 * (mean correlation of the 8 neighbours, corners at half weight),
    GW(s) = mean over pairs of (C1_ij / mean C1 - C2_s(i)s(j) / mean C2)^2

with C1 the distance of features, C2 the Euclidean distance of cells (Memoli, FoCM 2011; Peyre et al., ICML 2016, square
loss). Method, ours: C1 is of low rank, so the objective's gradient is a convolution on the grid (`field`); against it,
*exact* linear assignments are solved in windows of the grid (`moves`), from wide and sparse to narrow and dense (a blur
that shrinks, as in self-sorting maps: Strong & Gong, IEEE ToM 2014; Barthel et al., CGF 42(1), 2023), with noise on the
costs that fades out (annealing), and last exact swaps (on small grids of any two cells). Work and memory grow as
p log p. Where cells stay empty, the mean of C2 over occupied cells depends on s too: features are annealed within a
compact block of cells, then leave it one by one for any cell that lowers the full objective (`roam`), on small boards
also from several random starts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from genomap_core.layout.assignment import Lattice
from genomap_core.layout.board import Board, close_empty, make_board, open_empty
from genomap_core.layout.carve import carve
from genomap_core.layout.constraints import Constraints, owners
from genomap_core.layout.field import Kernels, available_cores
from genomap_core.layout.geometry import auto_shape, mean_seat_distance
from genomap_core.layout.lowrank import FeatureVectors, feature_vectors
from genomap_core.layout.moves import PARTS, Run, best_swaps, blur_sweep, lattice_sweep, swap_pass
from genomap_core.layout.problem import Arrangement, Problem
from genomap_core.layout.roam import LIMIT, SWAPS, Roaming, likeness, roam
from genomap_core.layout.start import first_cells, middle, nearest_cells, reference_points
from genomap_core.progress import Progress

SET_BOND = 0.7
"""Length of the extra dimension that features of one set share, where a feature's own vector has at most 1."""


SMALL = 100
"""Cells up to which swaps of any two are tried."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How much work is done.

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
        """Reports of progress of one try."""
        return len(self.radii) + self.sweeps + 1


def schedule(shape: tuple[int, int], effort: float = 1.0) -> Schedule:
    """More sweeps and larger windows where they cost little; ``effort`` multiplies the sweeps."""
    m = shape[0] * shape[1]
    small, middle = m <= 2500, m <= 10_000
    radii, radius = [], max(shape) / 6
    while radius >= 2:
        radii.append(radius)
        radius *= 0.6
    return Schedule(
        radii=tuple(radii),
        sweeps=max(1, round(effort * (15 if small else 10 if middle else 6))),
        side=12 if middle else 8,
        noise=0.4 if middle else 0.2,
        swap_passes=12 if small else 6,
        restarts=max(1, round(effort * min(16, 400 / m))),
    )


def dimensions(n_cells: int) -> tuple[int, int]:
    """Most and fewest dimensions of the features' vectors: where neighbours are many, small ones tell them apart."""
    return 64 if n_cells > 15_000 else 128, 96 if 2500 < n_cells <= 15_000 else 24


THREADED_FROM = 30_000
"""Cells; on smaller grids handing windows to threads costs more than it saves."""


TINY = 9
"""Cells up to which a full board too is tried from as many starts as one with room, so that no arrangement is better."""
ROOM = 0.05
"""Share of empty cells from which on a large board counts as one with room; on small boards a single one is enough."""
TRIALS = 50_000
"""Features times cells for which a second start is tried on boards with room; smaller boards have more, up to 48."""


def types_with_room(problem: Problem) -> np.ndarray:
    """Codes of the omics types that leave so many cells empty that it matters which ones."""
    count = np.bincount(problem.channel)
    cells = problem.grid.n_cells
    most = cells - 1 if cells <= SMALL else (1 - ROOM) * cells
    return np.flatnonzero((count > 0) & (count <= most))


def transport(problem: Problem) -> np.ndarray:
    """Index of each feature's cell in the grid's usable cells: ``(p,)`` int."""
    roomy = len(types_with_room(problem)) > 0
    shape = auto_shape(int(np.bincount(problem.channel).max())) if roomy else problem.grid.shape
    plan = schedule(shape, problem.effort)
    if problem.constraints.stability > 0:
        plan = replace(plan, radii=(), noise=0.0, restarts=1)
    workers = min(PARTS, available_cores()) if problem.grid.n_cells > THREADED_FROM else 1
    with (
        threadpool_limits(limits=1, user_api="blas"),  # many small products: its threads would wait for each other
        ThreadPoolExecutor(workers) as threads,
    ):
        vectors = feature_vectors(problem.table, *dimensions(problem.grid.n_cells), seed=problem.seed)
        run: Run = threads.map if workers > 1 else map
        best = None if roomy else _best_of(vectors, plan, problem, run)
        if best is None or problem.grid.n_cells <= TINY:
            best = _best_in_room(vectors, plan, problem, run, best)
    return np.searchsorted(problem.grid.open_cells, best)


def _best_of(vectors: FeatureVectors, plan: Schedule, problem: Problem, run: Run) -> np.ndarray:
    """Row-major cell of each feature in the try of lowest objective: ``(p,)`` int."""
    kernels = Kernels(problem.grid, vectors.mean_distance, len(problem.channel), problem.balance)
    first = first_cells(vectors.values, problem)
    order = canonical_order(vectors)
    best, lowest = first, np.inf
    for trial in range(plan.restarts):
        rng = np.random.default_rng([problem.seed, trial])
        begin = first if trial == 0 else _shuffled(first, order, problem, rng)
        board = make_board(vectors, kernels, problem.channel, begin, fixed=_pinned(problem))
        _anchor(board, problem)
        anneal(board, vectors, plan, problem, rng, trial, run)
        objective = board.objective() if plan.restarts > 1 else 0.0
        if objective < lowest:
            best, lowest = board.cell_of_feature(), objective
    return best


def _best_in_room(
    vectors: FeatureVectors, plan: Schedule, problem: Problem, run: Run, found: np.ndarray | None = None
) -> np.ndarray:
    """The same on a board with room: annealed in a compact block or all over, or scattered, and then let go.

    ``found``: cells of an arrangement to begin with instead.
    """
    p, size = len(problem.channel), problem.grid.shape[0] * problem.grid.shape[1]
    small = p * size <= LIMIT
    block = first_cells(vectors.values, problem, compact=True) if found is None else found
    begins = [block] if found is not None or not small else [block, first_cells(vectors.values, problem)]
    plan = replace(plan, restarts=len(begins))
    apart = mean_seat_distance(np.bincount(block, minlength=size).reshape(problem.grid.shape)) if p > 1 else 1.0
    kernels = Kernels(problem.grid, vectors.mean_distance, p, problem.balance, max(apart, 1e-12))
    movers = _movers(problem) if found is None else np.arange(p)
    order = canonical_order(vectors)
    order = order[np.isin(order, movers)]
    alike = likeness(problem.table, movers, vectors.constant, problem.channel) if small else None
    best, lowest = block, np.inf
    for trial in range(max(len(begins), _trials(problem, len(movers)))):
        rng = np.random.default_rng([problem.seed, trial])
        ordered = trial < len(begins)
        begin = begins[trial] if ordered else _scattered(block, order, (size, 1, 2, 4)[trial % 4], problem, rng)
        board = make_board(vectors, kernels, problem.channel, begin, fixed=_pinned(problem))
        _anchor(board, problem)
        if ordered and found is None:
            if trial == 0:
                close_empty(board)
            anneal(board, vectors, plan, problem, rng, trial, run)
            open_empty(board)
        if alike is None:
            return board.cell_of_feature()
        objective = roam(Roaming(board, alike), rng, order, partial(_tell, board, problem, plan, trial))
        if objective < lowest:
            best, lowest = board.cell_of_feature(), objective
    return best


def _trials(problem: Problem, movers: int) -> int:
    """How many starts are let go: more on small boards, where they cost little, and none but the ordered if held."""
    wishes, p = problem.constraints, len(problem.channel)
    if wishes.sets or wishes.stability > 0 or movers < p:
        return 0
    return round(problem.effort * min(48, 2 + TRIALS / (p * problem.grid.n_cells)))


def _movers(problem: Problem) -> np.ndarray:
    """Features that are let go: of types with room, and on boards of moderate size of all with an empty cell."""
    codes = types_with_room(problem)
    if len(problem.channel) * problem.grid.n_cells <= SWAPS:
        codes = np.flatnonzero(np.bincount(problem.channel) < problem.grid.n_cells)
    return np.flatnonzero(np.isin(problem.channel, codes))


def _scattered(
    first: np.ndarray, order: np.ndarray, spread: int, problem: Problem, rng: np.random.Generator
) -> np.ndarray:
    """A random start on ``spread`` times as many cells as there are features; pins stay: ``(p,)`` int."""
    cells = first.copy()
    loose = order[~np.isin(order, list(problem.constraints.pins))]
    for code in np.unique(problem.channel):
        own = loose[problem.channel[loose] == code]
        pinned = np.setdiff1d(np.flatnonzero(problem.channel == code), own)
        free = np.setdiff1d(problem.grid.open_cells, first[pinned])
        near = nearest_cells(free, spread * len(own), middle(first, problem), problem.grid.shape[1])
        cells[own] = rng.choice(near, len(own), replace=False)
    return cells


def anneal(
    board: Board,
    vectors: FeatureVectors,
    plan: Schedule,
    problem: Problem,
    rng: np.random.Generator,
    trial: int = 0,
    run: Run = map,
) -> None:
    """Run the schedule on the board; gene sets are drawn together while it is coarse, then given their regions."""
    done, total = trial * plan.steps, plan.restarts * plan.steps
    owner = owners(problem.constraints, len(problem.channel))
    if problem.constraints.sets:
        _bond(board, owner)
    for radius in plan.radii:
        blur_sweep(board, radius, 8, rng, run=run)
        done = _report(board, problem, done, total)
    if problem.constraints.sets:
        board.set_vectors(vectors)
        roomy = board.kernels.mean_apart is not None
        if roomy:
            open_empty(board)
        for layer in range(board.n_layers):
            carve(board, layer, np.where(problem.channel == layer, owner, -1), list(problem.constraints.sets))
        if roomy:
            close_empty(board)
    lattices = list(Lattice)
    for k in range(plan.sweeps):
        noise = plan.noise * max(0.0, 1 - k / (0.75 * plan.sweeps))
        lattice_sweep(board, lattices[k % 3], plan.side, rng, noise, run)
        done = _report(board, problem, done, total)
    for layer in range(board.n_layers):
        far = board.far_field()
        for _ in range(plan.swap_passes):
            if not swap_pass(board, layer, far):
                break
        if board.seat.shape[1] <= SMALL:
            best_swaps(board, layer)
    _report(board, problem, done, total)


def _tell(board: Board, problem: Problem, plan: Schedule, trial: int) -> None:
    """Progress of features let go; what a scattered start looks like is not shown."""
    done, total = min(trial + 1, plan.restarts) * plan.steps, plan.restarts * plan.steps
    if trial < plan.restarts:
        _report(board, problem, done - 1, total)
    else:
        problem.on_progress(Progress("layout", done, total))


def _report(board: Board, problem: Problem, done: int, total: int) -> int:
    positions = np.stack(np.divmod(board.cell_of_feature(), board.shape[1]), axis=1).astype(np.int32)
    problem.on_progress(Arrangement("layout", done + 1, total, positions=positions))
    return done + 1


def canonical_order(vectors: FeatureVectors) -> np.ndarray:
    """The features in an order that does not depend on the table's columns, but for features that are alike."""
    return np.lexsort(np.round(vectors.values[:, :3], 4).T)


def _shuffled(cells: np.ndarray, order: np.ndarray, problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """A random start: what is not pinned changes places within its omics type."""
    cells, free = cells.copy(), np.ones(len(cells), bool)
    free[list(problem.constraints.pins)] = False
    for code in range(problem.n_channels):
        own = order[(free & (problem.channel == code))[order]]
        cells[own] = cells[rng.permutation(own)]
    return cells


def _pinned(problem: Problem) -> np.ndarray | None:
    pins = problem.constraints.pins
    if not pins:
        return None
    fixed = np.zeros(len(problem.channel), bool)
    fixed[list(pins)] = True
    return fixed


def _bond(board: Board, owner: np.ndarray) -> None:
    """One more dimension per set, shared by its features, so that the objective draws them together."""
    extra = np.zeros((board.n_features + 1, int(owner.max(initial=-1)) + 1), np.float32)
    inside = np.flatnonzero(owner >= 0)
    extra[inside, owner[inside]] = SET_BOND
    board.vectors = np.hstack([board.vectors, extra])
    board.signs = np.concatenate([board.signs, np.ones(extra.shape[1], np.float32)])
    board.signed = board.vectors * board.signs


def _anchor(board: Board, problem: Problem) -> None:
    """Linear cost: `stability` times the mean squared move, in units of the mean squared distance of random cells."""
    wishes: Constraints = problem.constraints
    if wishes.reference is None or wishes.stability == 0:
        return
    points = reference_points(wishes.reference, problem)
    known = np.isfinite(points[:, 0])
    height, width = board.shape
    unit = wishes.stability / (max(int(known.sum()), 1) * max((height**2 + width**2 - 2) / 6, 1))
    position = np.stack(np.divmod(np.arange(height * width), width), axis=1).astype(np.float32)
    board.push = np.column_stack([(position**2).sum(axis=1), position]).astype(np.float32)
    board.pull = np.zeros((board.n_features + 1, 3), np.float32)
    board.pull[:-1][known] = unit * np.column_stack([np.ones(int(known.sum())), -2 * points[known]])
