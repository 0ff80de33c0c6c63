"""`embedding`: features placed in the plane, then seated in the nearest cells (the way of DeepInsight and its kin).

Sharma et al., Sci Rep 9:11399, 2019, with an exact assignment instead of pixels that features share.
"""

from __future__ import annotations

import numpy as np

from genomap_core.layout.assignment import coarse_assign
from genomap_core.layout.lowrank import feature_vectors
from genomap_core.layout.problem import Problem, one_channel_at_a_time
from genomap_core.progress import Progress


def embedding(problem: Problem, method: str = "tsne") -> np.ndarray:
    """Cell index of each feature: ``(p,)`` int. ``method``: "tsne" or "pca" (also for fewer than 5 features)."""
    return one_channel_at_a_time(lambda part: _seat(part, method))(problem)


def _seat(problem: Problem, method: str) -> np.ndarray:
    vectors = feature_vectors(problem.table, most=32, seed=problem.seed).values
    problem.on_progress(Progress("layout", 0, 2))
    plane = _plane(vectors, method, problem.seed)
    problem.on_progress(Progress("layout", 1, 2))
    cells = problem.grid.positions.astype(np.float64)
    low, high = plane.min(axis=0), plane.max(axis=0)
    spread = np.where(high > low, high - low, 1)
    points = cells.min(axis=0) + (plane - low) / spread * np.ptp(cells, axis=0)
    chosen = coarse_assign(points, cells)
    problem.on_progress(Progress("layout", 2, 2))
    return chosen


def _plane(vectors: np.ndarray, method: str, seed: int) -> np.ndarray:
    p = len(vectors)
    if method == "pca" or p < 5:
        centred = vectors - vectors.mean(axis=0)
        _, _, axes = np.linalg.svd(centred, full_matrices=False)
        plane = centred @ axes[:2].T
        return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))).astype(np.float64)
    from sklearn.manifold import TSNE  # late: only this solver needs it

    return (
        TSNE(perplexity=min(30, (p - 1) / 3), init="pca", random_state=seed).fit_transform(vectors).astype(np.float64)
    )
