"""How faithful a layout is, measured on the data and not on what the solver minimised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.layout.distances import FeatureTable, unit_columns
from genomap_core.layout.geometry import cell_distance, squared_distance

MEASURES = {
    "gw_distortion": "Distortion (lower is better)",
    "spearman": "Distances agree",
    "neighbour_correlation": "Neighbours agree",
    "knn_recall": "Nearest kept",
}
"""Of :class:`LayoutQuality`: name -> what people read, on pages, in figures and in reports."""


@dataclass(frozen=True, slots=True)
class LayoutQuality:
    """Four figures of one layout; for a single feature all are 0."""

    gw_distortion: float
    """Gromov-Wasserstein distortion of the permutation: mean of (C1/mean(C1) - C2/mean(C2))^2 over pairs of features,
    C1 their distance, C2 the distance of their cells. Lower is better; about .24 for a random layout."""
    spearman: float
    """Rank correlation of C1 and C2 over pairs of features."""
    neighbour_correlation: float
    """Mean Pearson r (its absolute value for the ``absolute`` distance) of features in cells that share an edge."""
    knn_recall: float
    """Share of each feature's k nearest features (by C1) that are among its k nearest on the map."""


@dataclass(frozen=True, slots=True)
class Reproducibility:
    """How much of a map another half of the same cohort would draw again."""

    neighbours_kept: float
    """Share of each feature's k nearest features on the map of one half of the samples that are among its k nearest on
    the map of the other half, in [0, 1]; mean over features and splits."""
    by_chance: float
    """The same of two random layouts: k / (p - 1)."""
    k: int
    n_splits: int


def measure(
    table: FeatureTable,
    positions: np.ndarray,
    channel: np.ndarray | None = None,
    *,
    k: int = 10,
    sample: int = 1500,
    seed: int = 0,
) -> LayoutQuality:
    """Quality of ``positions (p, 2)``; pairwise figures on at most ``sample`` random features.

    Recall is that of 300 of them (100 above 25,000 features).

    Features without a cell (-1) are left out; neighbours are counted within each channel.
    """
    placed = np.flatnonzero(positions[:, 0] >= 0)
    if len(placed) < 2:
        return LayoutQuality(0.0, 0.0, 0.0, 0.0)
    chosen = np.random.default_rng(seed).choice(placed, min(sample, len(placed), 2 * table.block_width), replace=False)
    Z = table.take(chosen)
    pairs = np.triu_indices(len(chosen), 1)
    c, d = table.between(Z, Z)[pairs], cell_distance(positions[chosen], positions[chosen])[pairs]
    few = slice(None, None, max(1, len(c) // 100_000))
    queries = slice(0, min(300 if len(placed) <= 25_000 else 100, len(chosen)))
    return LayoutQuality(
        gw_distortion=gw_distortion(c, d),
        spearman=rank_correlation(c[few], d[few]),
        neighbour_correlation=neighbour_correlation(table, positions, channel),
        knn_recall=knn_recall(table, positions, placed, chosen[queries], Z[:, queries], k),
    )


def gw_distortion(c: np.ndarray, d: np.ndarray) -> float:
    """Mean squared difference of mean-normalised distances of the same pairs; 0 where all distances are 0."""
    mean_c, mean_d = c.mean(dtype=np.float64), d.mean(dtype=np.float64)
    if mean_c <= 0 or mean_d <= 0:
        return 0.0
    return float(np.mean((c / mean_c - d / mean_d) ** 2, dtype=np.float64))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation, ties averaged; 0 where one of them is constant."""
    ranks = np.stack([_ranks(a), _ranks(b)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    spread = np.sqrt((ranks**2).sum(axis=1).prod())
    return float((ranks[0] @ ranks[1]) / spread) if spread > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    order = np.argsort(values)
    ordered = values[order]
    group = np.cumsum(np.r_[0, ordered[1:] != ordered[:-1]])
    count = np.bincount(group)
    ranks = np.empty(len(values))
    ranks[order] = (np.cumsum(count) - (count - 1) / 2)[group]
    return ranks


def neighbour_correlation(table: FeatureTable, positions: np.ndarray, channel: np.ndarray | None = None) -> float:
    """Mean r of the features of every two cells that share an edge, within each channel; 0 where there are none."""
    a, b = neighbour_pairs(positions, channel)
    total = 0.0
    width = table.block_width
    for start in range(0, len(a), width):
        at = slice(start, start + width)
        if table.distance == "euclidean":
            left, right = (unit_columns(table.raw(i[at])) for i in (a, b))
        else:
            left, right = table.take(a[at]), table.take(b[at])
        r = np.einsum("ij,ij->j", left, right)
        total += float((np.abs(r) if table.distance == "absolute" else r).sum(dtype=np.float64))
    return total / len(a) if len(a) else 0.0


def neighbour_pairs(positions: np.ndarray, channel: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Features in cells that share an edge: two ``(k,)`` index arrays, each pair once."""
    placed = np.flatnonzero(positions[:, 0] >= 0)
    height, width = positions.max(axis=0) + 1
    layers = np.zeros(len(positions), int) if channel is None else channel
    board = np.full((int(layers.max(initial=0)) + 1, height, width), -1)
    board[layers[placed], positions[placed, 0], positions[placed, 1]] = placed
    down, right = (board[:, :-1], board[:, 1:]), (board[:, :, :-1], board[:, :, 1:])
    a, b = (np.concatenate([down[i].ravel(), right[i].ravel()]) for i in (0, 1))
    both = (a >= 0) & (b >= 0)
    return a[both], b[both]


def knn_recall(
    table: FeatureTable, positions: np.ndarray, placed: np.ndarray, queries: np.ndarray, Z: np.ndarray, k: int
) -> float:
    """Share of the ``k`` nearest features among the ``k`` nearest cells, mean over ``queries`` (prepared: ``Z``)."""
    k = min(k, len(placed) - 1)
    place = np.searchsorted(placed, queries)
    near_data = np.empty((len(queries), len(placed)), np.float32)
    for start in range(0, len(placed), table.block_width):
        at = slice(start, start + table.block_width)
        near_data[:, at] = table.between(Z, table.take(placed[at]))
    near_map = squared_distance(positions[queries], positions[placed])
    near_data[np.arange(len(queries)), place] = near_map[np.arange(len(queries)), place] = np.inf
    found = np.zeros(near_data.shape, bool)
    np.put_along_axis(found, np.argpartition(near_data, k - 1, axis=1)[:, :k], True, axis=1)
    hits = np.take_along_axis(found, np.argpartition(near_map, k - 1, axis=1)[:, :k], axis=1)
    return float(hits.mean())


def neighbours_kept(a: np.ndarray, b: np.ndarray, k: int = 8) -> float:
    """Share of each feature's ``k`` nearest features on map ``a`` that are so on map ``b``: two ``(p, 2)`` positions.

    Features without a cell (-1) on one of them are left out; 0 with fewer than two left. A hundred thousand features
    would take minutes: 2,000 random ones are asked.
    """
    placed = np.flatnonzero((a[:, 0] >= 0) & (b[:, 0] >= 0))
    if len(placed) < 2:
        return 0.0
    k = min(k, len(placed) - 1)
    asked = np.random.default_rng(0).permutation(len(placed))[:2000]
    hits = 0
    for part in np.array_split(asked, -(-len(asked) * len(placed) // 2_000_000)):
        near = []
        for positions in (a[placed], b[placed]):
            square = squared_distance(positions[part], positions)
            square[np.arange(len(part)), part] = np.inf
            near.append(np.zeros(square.shape, bool))
            np.put_along_axis(near[-1], np.argpartition(square, k - 1, axis=1)[:, :k], True, axis=1)
        hits += int(np.count_nonzero(near[0] & near[1]))
    return hits / (k * len(asked))
