"""Other people's ways to lay features out, for the benchmark only; each imports its library when it runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from genomap_core.errors import LayoutError
from genomap_core.layout.assignment import assign, coarse_assign
from genomap_core.layout.geometry import cell_distance
from genomap_core.layout.lowrank import feature_vectors
from genomap_core.layout.problem import Problem, Solver
from genomap_core.layout.solvers import get_solver
from genomap_core.layout.solvers._pot import import_pot
from genomap_core.layout.solvers.embedding import embedding


def entropic(problem: Problem) -> np.ndarray:
    """POT's entropic Gromov-Wasserstein by proximal steps (Xu et al., ICML 2019), then the nearest permutation."""
    ot = import_pot()
    C1 = problem.table.matrix().astype(np.float64)
    C2 = cell_distance(problem.grid.positions, problem.grid.positions).astype(np.float64)
    C1, C2 = C1 / C1.mean(), C2 / C2.mean()
    a, b = np.full(len(C1), 1 / len(C1)), np.full(len(C2), 1 / len(C2))
    start = np.outer(a, b) * (1 + 0.1 * np.random.default_rng(problem.seed).random((len(a), len(b))))
    start = ot.bregman.sinkhorn(a, b, -np.log(start), 1.0)
    plan = ot.gromov.entropic_gromov_wasserstein(
        C1, C2, a, b, "square_loss", epsilon=1e-2, G0=start, solver="PPA", max_iter=100, symmetric=True
    )
    return assign(-np.asarray(plan))


def umap(problem: Problem) -> np.ndarray:
    """UMAP of the correlation vectors (McInnes et al., 2018), then linear assignment. Needs ``umap-learn``."""
    from umap import UMAP

    vectors = feature_vectors(problem.table, most=32, seed=problem.seed).values
    plane = UMAP(random_state=problem.seed, metric="cosine").fit_transform(vectors).astype(np.float64)
    cells = problem.grid.positions.astype(np.float64)
    low, high = plane.min(axis=0), plane.max(axis=0)
    return coarse_assign((plane - low) / (high - low) * np.ptp(cells, axis=0) + cells.min(axis=0), cells)


def flas(problem: Problem, decay: float = 0.93) -> np.ndarray:
    """Grid sorting by linear assignment in C++ (Barthel et al., CGF 42(1), 2023). Needs ``vc-flas``."""
    from vc_flas import Grid, flas

    vectors = feature_vectors(problem.table, most=128, seed=problem.seed).values
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    p, shape = len(vectors), problem.grid.shape
    ids = np.full(shape, -1, np.int32)
    ids.ravel()[:p] = np.random.default_rng(problem.seed).permutation(p)
    grid = Grid(vectors, ids, np.zeros(shape, bool), np.arange(p, dtype=np.uint32))
    board = flas(grid, wrap=False, radius_decay=decay, seed=problem.seed).sorting.ravel()
    cells = np.empty(p, np.int64)
    cells[board[board >= 0]] = np.flatnonzero(board >= 0)
    return cells


PEERS: dict[str, tuple[Solver, int]] = {
    "POT conditional gradient": (get_solver("gromov"), 2500),
    "POT entropic proximal": (entropic, 1100),
    "published objective": (get_solver("published"), 2500),
    "t-SNE + assignment": (embedding, 15_000),
    "PCA + assignment": (partial(embedding, method="pca"), 200_000),
    "UMAP + assignment": (umap, 25_000),
    "FLAS": (flas, 200_000),
    "FLAS, slow": (partial(flas, decay=0.99), 25_000),
    "random": (get_solver("random"), 10**9),
}
"""Name -> solver and the most features it is asked for."""


def peer(name: str) -> Callable[[Problem], np.ndarray]:
    """The solver of a peer."""
    if name not in PEERS:
        raise LayoutError(f"Unknown peer {name!r}: one of {', '.join(PEERS)}.")
    return PEERS[name][0]
