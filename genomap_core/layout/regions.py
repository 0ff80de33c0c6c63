"""Contiguous groups of neighbouring, correlated features: the units that explanations switch on and off."""

from __future__ import annotations

import heapq

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import LayoutError
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.layout import Layout
from genomap_core.layout.lowrank import feature_vectors
from genomap_core.layout.quality import neighbour_pairs


def map_regions(layout: Layout, X: np.ndarray | sp.spmatrix, n_regions: int) -> np.ndarray:
    """Cut the map into regions by Ward's criterion on the grid's graph: ``(p,)`` int, -1 for features without a cell.

    Neighbouring regions merge in the order that adds least to the variance within regions of the features' low-rank
    correlation vectors (Ward, JASA 58, 1963), so a region is one connected patch of one channel wherever the channel's
    occupied cells are. Patches that touch nothing stay apart even beyond ``n_regions``.

    Parameters
    ----------
    layout
        Of the features of ``X (n, p)``.
    X
        The rows the layout was made from.
    n_regions
        How many regions to stop at, at least 1.
    """
    if n_regions < 1:
        raise LayoutError(f"`n_regions` must be at least 1, got {n_regions}.")
    table = FeatureTable(X if sp.issparse(X) else np.asarray(X))
    if table.n_features != layout.n_features:
        raise LayoutError(f"The layout has {layout.n_features} features, the table {table.n_features}.")
    vectors = feature_vectors(table).values.astype(np.float64)
    a, b = neighbour_pairs(layout.positions, layout.channel)
    owner = _merge(vectors, a, b, layout.placed, n_regions)
    labels = np.full(layout.n_features, -1, np.int64)
    _, labels[layout.placed] = np.unique(owner[layout.placed], return_inverse=True)
    return labels


def outline(cells: np.ndarray) -> list[np.ndarray]:
    """Borders of a patch of cells, to draw on a map: ``(height, width)`` bool -> closed rings of corners.

    Each ring is ``(k, 2)`` int, (row, column) of cell corners with the patch on its right, first corner = last; the
    cell (i, j) has the corners (i, j) and (i + 1, j + 1). Holes are rings of their own.
    """
    padded = np.pad(np.asarray(cells, bool), 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, column in np.argwhere(padded) - 1:
        corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)]
        beside = [(row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]
        for k, (r, c) in enumerate(beside):
            if not padded[r + 1, c + 1]:
                start, end = corners[k], corners[(k + 1) % 4]
                following.setdefault((int(start[0]), int(start[1])), []).append((int(end[0]), int(end[1])))
    rings = []
    while following:
        first = here = next(iter(following))
        ring = [first]
        while not (here == first and len(ring) > 1):
            ends = following[here]
            here_next = ends.pop()
            if not ends:
                del following[here]
            here = here_next
            ring.append(here)
        rings.append(np.array(ring))
    return rings


def _merge(vectors: np.ndarray, a: np.ndarray, b: np.ndarray, placed: np.ndarray, n_regions: int) -> np.ndarray:
    """Representative of each feature's region after merging along the edges ``a``-``b``: ``(p,)`` int."""
    owner = np.arange(len(vectors))
    size, mean = np.ones(len(vectors)), vectors.copy()
    beside: list[set[int]] = [set() for _ in owner]
    for i, j in zip(a.tolist(), b.tolist()):
        beside[i].add(j)
        beside[j].add(i)
    alive = np.ones(len(vectors), bool)
    version = np.zeros(len(vectors), np.int64)
    first = 0.5 * ((vectors[a] - vectors[b]) ** 2).sum(axis=1)
    queue = [(cost, i, j, 0, 0) for cost, i, j in zip(first.tolist(), a.tolist(), b.tolist())]
    heapq.heapify(queue)
    left = len(placed)
    while left > n_regions and queue:
        _, i, j, version_i, version_j = heapq.heappop(queue)
        if not (alive[i] and alive[j]) or version[i] != version_i or version[j] != version_j:
            continue
        if len(beside[i]) < len(beside[j]):
            i, j = j, i
        mean[i] = (size[i] * mean[i] + size[j] * mean[j]) / (size[i] + size[j])
        size[i] += size[j]
        alive[j], owner[j], left = False, i, left - 1
        version[i] += 1
        for k in beside[j]:
            beside[k].discard(j)
            if k != i:
                beside[k].add(i)
                beside[i].add(k)
        beside[i].discard(j)
        around = np.fromiter(beside[i], np.int64, len(beside[i]))
        weight = size[i] * size[around] / (size[i] + size[around])
        cost = weight * ((mean[around] - mean[i]) ** 2).sum(axis=1)
        for k, value in zip(around.tolist(), cost.tolist()):
            heapq.heappush(queue, (value, i, k, int(version[i]), int(version[k])))
    while (owner != owner[owner]).any():
        owner = owner[owner]
    return owner
