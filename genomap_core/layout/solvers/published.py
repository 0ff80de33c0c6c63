"""`published`: what the papers' programs minimise, kept to show what it does (Islam & Xing, Nat Commun 14:679, 2023).

KL loss between correlation distances and a *radial* grid distance, the difference of the cells' distances from the
centre. Opposite corners are then at distance 0, so the map is arranged in rings and neighbours in a ring are arbitrary.
A few projected-gradient steps with an entropic term (Peyre et al., ICML 2016), then the nearest permutation.
"""

from __future__ import annotations

import numpy as np

from genomap_core.layout.assignment import assign
from genomap_core.layout.geometry import radial_distance
from genomap_core.layout.problem import Problem, one_channel_at_a_time
from genomap_core.layout.solvers._pot import import_pot
from genomap_core.layout.solvers.gromov import check_size
from genomap_core.progress import Progress

STEPS = 10


@one_channel_at_a_time
def published(problem: Problem) -> np.ndarray:
    """Cell index of each feature: ``(p,)`` int."""
    p, m = problem.table.n_features, problem.grid.n_cells
    check_size(m)
    if p == 1:
        return np.zeros(1, np.int64)
    ot = import_pot()
    C1 = problem.table.matrix().astype(np.float64)
    C2 = np.maximum(radial_distance(problem.grid.positions, problem.grid.shape), 1e-6)
    C1, C2 = C1 / max(C1.mean(), 1e-12), C2 / C2.mean()
    a, b = np.full(p, 1 / p), np.full(m, 1 / m)
    plan = np.outer(a, b)
    # A uniform start is a saddle point: every row of the gradient is alike there.
    plan *= 1 + 1e-3 * np.random.default_rng(problem.seed).random((p, m))
    for step in range(STEPS):
        gradient = -C1 @ plan @ np.log(C2).T  # the terms of the KL loss that depend on the coupling
        scale = max(float(np.abs(gradient).max()), 1e-12)
        plan = ot.bregman.sinkhorn_log(
            a, b, gradient / scale - 0.02 * np.log(plan + 1e-300), 0.02, numItermax=50, warn=False
        )
        problem.on_progress(Progress("layout", step + 1, STEPS))
    return assign(-plan)
