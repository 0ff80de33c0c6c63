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
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from genomap_core.layout.annealing import Schedule, anneal, schedule, seated
from genomap_core.layout.field import Kernels, available_cores
from genomap_core.layout.geometry import auto_shape
from genomap_core.layout.lowrank import FeatureVectors, feature_vectors
from genomap_core.layout.moves import PARTS, Run
from genomap_core.layout.problem import Problem
from genomap_core.layout.solvers.room import best_in_room, types_with_room
from genomap_core.layout.start import canonical_order, first_cells

TINY = 9
"""Cells up to which a full board has as many starts as one with room, so that no arrangement is better."""
THREADED_FROM = 30_000
"""Cells; on smaller grids handing windows to threads costs more than it saves."""


def dimensions(n_cells: int) -> tuple[int, int]:
    """Most and fewest dimensions of the features' vectors: where neighbours are many, small ones tell them apart."""
    return 64 if n_cells > 15_000 else 128, 96 if 2500 < n_cells <= 15_000 else 24


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
            best = best_in_room(vectors, plan, problem, run, best)
    return np.searchsorted(problem.grid.open_cells, best)


def _best_of(vectors: FeatureVectors, plan: Schedule, problem: Problem, run: Run) -> np.ndarray:
    """Row-major cell of each feature in the try of lowest objective: ``(p,)`` int."""
    kernels = Kernels(problem.grid, vectors.mean_distance, len(problem.channel), problem.balance)
    first = first_cells(vectors.values, problem)
    order = canonical_order(vectors.values)
    best, lowest = first, np.inf
    for trial in range(plan.restarts):
        rng = np.random.default_rng([problem.seed, trial])
        begin = first if trial == 0 else _shuffled(first, order, problem, rng)
        board = seated(vectors, kernels, problem, begin)
        anneal(board, vectors, plan, problem, rng, trial, run)
        objective = board.objective() if plan.restarts > 1 else 0.0
        if objective < lowest:
            best, lowest = board.cell_of_feature(), objective
    return best


def _shuffled(cells: np.ndarray, order: np.ndarray, problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """A random start: what is not pinned changes places within its omics type."""
    cells, free = cells.copy(), np.ones(len(cells), bool)
    free[list(problem.constraints.pins)] = False
    for code in range(problem.n_channels):
        own = order[(free & (problem.channel == code))[order]]
        cells[own] = cells[rng.permutation(own)]
    return cells
