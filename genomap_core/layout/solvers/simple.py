"""Layouts that look at no distance: the controls."""

from __future__ import annotations

import numpy as np

from genomap_core.layout.problem import Problem, one_channel_at_a_time


@one_channel_at_a_time
def random_cells(problem: Problem) -> np.ndarray:
    """Every arrangement equally likely: ``(p,)`` int."""
    return np.random.default_rng(problem.seed).permutation(problem.grid.n_cells)[: problem.table.n_features]


@one_channel_at_a_time
def sorted_by_variance(problem: Problem) -> np.ndarray:
    """Row by row in falling order of variance, ties as in the table: ``(p,)`` int."""
    cells = np.empty(problem.table.n_features, np.int64)
    cells[np.argsort(-problem.table.variances(), kind="stable")] = np.arange(len(cells))
    return cells
