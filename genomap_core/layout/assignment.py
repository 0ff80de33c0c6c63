"""Linear assignment, exactly, in many small groups of cells at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import linear_sum_assignment


def assign(cost: np.ndarray) -> np.ndarray:
    """Column of each row in the cheapest one-to-one assignment: ``(k, m)`` with k <= m -> ``(k,)`` int."""
    rows, columns = linear_sum_assignment(cost)
    chosen = np.empty(len(cost), np.int64)
    chosen[rows] = columns
    return chosen


def coarse_assign(points: np.ndarray, cells: np.ndarray, limit: int = 2500) -> np.ndarray:
    """Cells for points of the plane, each cell once: ``(p, 2)``, ``(m, 2)``, p <= m -> ``(p,)`` int.

    Exact (least sum of squared moves) up to ``limit`` cells; above, both sets are halved along their longer side until
    the halves are small enough.
    """
    out = np.empty(len(points), np.int64)
    for at, to in _halves(np.arange(len(points)), np.arange(len(cells)), points, cells, limit):
        square = ((points[at, None] - cells[None, to]) ** 2).sum(-1)
        out[at] = to[assign(square)]
    return out


def _halves(
    at: np.ndarray, to: np.ndarray, points: np.ndarray, cells: np.ndarray, limit: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if len(to) <= limit or len(at) <= 1:
        yield at, to
        return
    axis = int(np.ptp(cells[to], axis=0).argmax())
    to = to[np.argsort(cells[to, axis], kind="stable")]
    at = at[np.argsort(points[at, axis], kind="stable")]
    cut = len(to) // 2
    part = round(len(at) * cut / len(to))
    yield from _halves(at[:part], to[:cut], points, cells, limit)
    yield from _halves(at[part:], to[cut:], points, cells, limit)


def sublattices(
    rows: np.ndarray, columns: np.ndarray, stride: int, side: int, shift: tuple[int, int]
) -> list[list[np.ndarray]]:
    """Cells in groups whose members lie at least ``stride`` apart.

    The cells fall into ``stride**2`` sublattices; each is cut into windows of at most ``side**2`` cells of its own,
    moved by ``shift`` cells. Returns, per sublattice, the index arrays of its windows.
    """
    window = stride * side
    colour = (rows % stride) * stride + columns % stride
    tile = ((rows + shift[0]) // window) * (int(columns.max(initial=0)) + shift[1] + 1) + (columns + shift[1]) // window
    order = np.lexsort((tile, colour))
    colour, tile = colour[order], tile[order]
    new = np.flatnonzero((np.diff(colour) != 0) | (np.diff(tile) != 0)) + 1
    groups: list[list[np.ndarray]] = [[] for _ in range(stride**2)]
    for start, stop in zip(np.r_[0, new], np.r_[new, len(order)]):
        if stop > start:
            groups[colour[start]].append(order[start:stop])
    return groups
