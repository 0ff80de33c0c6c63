"""`gromov`: POT's Gromov-Wasserstein coupling, then the nearest permutation. Exact in form, O(p^3): the reference."""

from __future__ import annotations

import numpy as np

from genomap_core.errors import LayoutError
from genomap_core.layout.assignment import assign
from genomap_core.layout.geometry import cell_distance
from genomap_core.layout.problem import Problem, one_channel_at_a_time
from genomap_core.layout.solvers._pot import import_pot
from genomap_core.progress import Progress

LIMIT = 2500
"""Features above which dense couplings take hours."""


def check_size(n_cells: int) -> None:
    """Refuse grids on which dense couplings take hours."""
    if n_cells > LIMIT:
        raise LayoutError(
            f"This solver takes at most {LIMIT} cells, got {n_cells}: use solver='ot', or select fewer features."
        )


@one_channel_at_a_time
def gromov(problem: Problem) -> np.ndarray:
    """Conditional gradient on the square loss between mean-normalised distances (Peyre et al., ICML 2016): ``(p,)``."""
    return coupled(problem, cell_distance(problem.grid.positions, problem.grid.positions), "square_loss")


def coupled(problem: Problem, C2: np.ndarray, loss: str) -> np.ndarray:
    """GW coupling with ``C2`` under ``loss`` ("square_loss" or "kl_loss"), made a permutation: ``(p,)``."""
    p, m = problem.table.n_features, len(C2)
    check_size(m)
    if p == 1:
        return np.zeros(1, np.int64)
    ot = import_pot()
    problem.on_progress(Progress("layout", 0, 2))
    C1 = problem.table.matrix().astype(np.float64)
    start = np.full((p, m), 1 / (p * m)) * (1 + 1e-3 * np.random.default_rng(problem.seed).random((p, m)))
    start = ot.bregman.sinkhorn(np.full(p, 1 / p), np.full(m, 1 / m), -np.log(start), 1.0)
    C1, C2 = C1 / max(C1.mean(), 1e-12), C2.astype(np.float64) / max(C2.mean(), 1e-12)
    if loss == "kl_loss":  # log of the second argument: keep it off zero, where the diagonal lies
        C2 = np.maximum(C2, 1e-6)
    plan = ot.gromov.gromov_wasserstein(C1, C2, np.full(p, 1 / p), np.full(m, 1 / m), loss, G0=start, max_iter=200)
    problem.on_progress(Progress("layout", 1, 2))
    cells = assign(-np.asarray(plan))
    problem.on_progress(Progress("layout", 2, 2))
    return cells
