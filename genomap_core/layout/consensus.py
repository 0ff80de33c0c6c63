"""Affinities of features averaged over bootstrap resamples of the samples: for places that another cohort would give.

One correlation of few samples is uncertain, and a layout follows its errors. Which features are among the nearest of
each other in most resamples is steadier (bagging: Breiman, Mach Learn 24, 1996; consensus matrices: Monti et al., Mach
Learn 52, 2003), and features that share their neighbours lie together; the correlations themselves, at equal weight,
keep the map's global order.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import LayoutError
from genomap_core.layout.distances import FeatureTable
from genomap_core.progress import OnProgress, Progress, ignore

NEAREST = 15
"""Features that count as near in one resample."""


def consensus_table(
    table: FeatureTable, n_resamples: int, seed: int = 0, k: int = NEAREST, on_progress: OnProgress = ignore
) -> FeatureTable:
    """A table whose correlations are those of ``table (n, p)`` averaged with shared neighbours: ``(p + n, p)``, sparse.

    Column j: above, how often each feature is near to j (:func:`affinities`); below, its prepared values; both of unit
    length, but without the values for the ``absolute`` and ``euclidean`` distances, which are no inner products.
    """
    near = affinities(table, n_resamples, seed, k, on_progress)
    length = np.sqrt(np.asarray(near.multiply(near).sum(axis=0)).ravel())
    near = near @ sp.diags((1 / length).astype(np.float32))
    if table.distance in ("correlation", "spearman"):
        own = sp.hstack([sp.csc_matrix(block) for _, block in table.blocks()])
        near = sp.vstack([near, own], format="csc", dtype=np.float32)
    return FeatureTable(near, memory_mb=table.memory_mb)


def affinities(
    table: FeatureTable, n_resamples: int, seed: int = 0, k: int = NEAREST, on_progress: OnProgress = ignore
) -> sp.csc_matrix:
    """How often two features are near each other: ``(n, p)`` -> ``(p, p)`` float32, symmetric, 2 on the diagonal.

    The share of bootstrap resamples of the rows in which j is among the ``k`` nearest features of i, plus that in which
    i is among those of j. Features that are not even positively correlated are never near. O(p^2 n) time a resample,
    O(p k) memory for each.
    """
    if n_resamples < 1:
        raise LayoutError(f"`resamples` must be at least 1 to average over, got {n_resamples}.")
    rng = np.random.default_rng(seed)
    p = table.n_features
    total = sp.csc_matrix((p, p), dtype=np.float32)
    rows = table.X.tocsr() if isinstance(table.X, sp.spmatrix | sp.sparray) else table.X
    for done in range(n_resamples):
        drawn = replace(table, X=rows[rng.integers(0, table.n_samples, table.n_samples)])
        total = total + nearest(drawn, min(k, p - 1))
        on_progress(Progress("resamples", done + 1, n_resamples))
    return (total + total.T).tocsc() / np.float32(n_resamples)


def nearest(table: FeatureTable, k: int) -> sp.csc_matrix:
    """``(p, p)`` float32: 1 where the row's feature is the column's own or one of its ``k`` nearest."""
    p, width = table.n_features, table.block_width
    far = np.inf if table.distance == "euclidean" else 1 - 1e-6
    found = [np.stack([np.arange(p), np.arange(p)])]
    for start in range(0, p if k else 0, width):
        own = np.arange(start, min(start + width, p))
        Z = table.take(own)
        apart = np.concatenate([table.between(Z, block) for _, block in table.blocks()], axis=1)
        apart[np.arange(len(own)), own] = np.inf
        near = np.argpartition(apart, k - 1, axis=1)[:, :k]
        each = np.stack([near, np.broadcast_to(own[:, None], near.shape)])
        found.append(each[:, np.take_along_axis(apart, near, axis=1) < far])
    rows, columns = np.concatenate(found, axis=1)
    return sp.csc_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(p, p))
