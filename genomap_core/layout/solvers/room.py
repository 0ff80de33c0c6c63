"""`ot` on boards with room: which cells to take is part of the question."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from genomap_core.layout.annealing import SMALL, Schedule, anneal, report, seated
from genomap_core.layout.board import Board, close_empty, open_empty
from genomap_core.layout.field import Kernels
from genomap_core.layout.geometry import mean_seat_distance
from genomap_core.layout.lowrank import FeatureVectors
from genomap_core.layout.moves import Run
from genomap_core.layout.problem import Problem
from genomap_core.layout.roam import LIMIT, SWAPS, Roaming, likeness, roam
from genomap_core.layout.start import canonical_order, first_cells, middle, nearest_cells
from genomap_core.progress import Progress

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


def best_in_room(
    vectors: FeatureVectors, plan: Schedule, problem: Problem, run: Run, found: np.ndarray | None = None
) -> np.ndarray:
    """Row-major cell of each feature in the try of lowest full objective: ``(p,)`` int.

    Features are annealed in a compact block or all over the board, or scattered, and then let go. ``found``: cells of
    an arrangement to begin with instead.
    """
    p, size = len(problem.channel), problem.grid.shape[0] * problem.grid.shape[1]
    small = p * size <= LIMIT
    block = first_cells(vectors.values, problem, compact=True) if found is None else found
    begins = [block] if found is not None or not small else [block, first_cells(vectors.values, problem)]
    plan = replace(plan, restarts=len(begins))
    apart = mean_seat_distance(np.bincount(block, minlength=size).reshape(problem.grid.shape)) if p > 1 else 1.0
    kernels = Kernels(problem.grid, vectors.mean_distance, p, problem.balance, max(apart, 1e-12))
    movers = _movers(problem) if found is None else np.arange(p)
    order = canonical_order(vectors.values)
    order = order[np.isin(order, movers)]
    alike = likeness(problem.table, movers, vectors.constant, problem.channel) if small else None
    best, lowest = block, np.inf
    for trial in range(max(len(begins), _trials(problem, len(movers)))):
        rng = np.random.default_rng([problem.seed, trial])
        ordered = trial < len(begins)
        begin = begins[trial] if ordered else _scattered(block, order, (size, 1, 2, 4)[trial % 4], problem, rng)
        board = seated(vectors, kernels, problem, begin)
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


def _tell(board: Board, problem: Problem, plan: Schedule, trial: int) -> None:
    """Progress of features let go; what a scattered start looks like is not shown."""
    done, total = min(trial + 1, plan.restarts) * plan.steps, plan.restarts * plan.steps
    if trial < plan.restarts:
        report(board, problem, done - 1, total)
    else:
        problem.on_progress(Progress("layout", done, total))
