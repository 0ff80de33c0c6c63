"""Linear assignment, exactly, in many small groups of cells at once."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import numpy as np
from scipy.optimize import linear_sum_assignment


def assign(cost: np.ndarray) -> np.ndarray:
    """Column of each row in the cheapest one-to-one assignment: ``(k, m)`` with k <= m -> ``(k,)`` int."""
    return linear_sum_assignment(cost)[1]


def coarse_assign(points: np.ndarray, cells: np.ndarray, limit: int = 2500) -> np.ndarray:
    """Cells for points of the plane, each cell once: ``(p, 2)``, ``(m, 2)``, p <= m -> ``(p,)`` int.

    Exact (least sum of squared moves) up to ``limit`` cells; above, both sets are halved along the cells' longer side
    until the halves are small enough.
    """
    out = np.empty(len(points), np.int64)
    for at, to in _halves(np.arange(len(points)), np.arange(len(cells)), points, cells, limit):
        out[at] = to[assign(((points[at, None] - cells[None, to]) ** 2).sum(-1))]
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


class Lattice(Enum):
    """Colourings of the grid under which cells of one colour share neither edge nor corner.

    Three of them, because cells a knight's move apart never meet in the square one, nor cells two apart in the others.
    """

    SQUARE = "every second row and column"
    KNIGHT = "a knight's move apart"
    MIRROR = "the other knight's move apart"

    def colours(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Colour of each cell: ``(m,)``, ``(m,)`` -> ``(m,)`` int."""
        if self is Lattice.SQUARE:
            return 2 * (rows % 2) + columns % 2
        return (columns + (2 if self is Lattice.KNIGHT else 3) * rows) % 5

    @property
    def area(self) -> int:
        """Cells of the grid per cell of one colour."""
        return 4 if self is Lattice.SQUARE else 5


def windows(
    labels: np.ndarray, rows: np.ndarray, columns: np.ndarray, side: int, shift: np.ndarray
) -> list[list[np.ndarray]]:
    """Cells in groups of one label and one tile of ``side x side`` cells moved by ``shift``, listed label by label.

    Parameters
    ----------
    labels
        ``(m,)`` int >= 0.
    """
    across = (int(columns.max(initial=0)) + side) // side + 1
    tile = (rows + int(shift[0]) % side) // side * across + (columns + int(shift[1]) % side) // side
    order = np.lexsort((tile, labels))
    new = np.flatnonzero((np.diff(labels[order]) != 0) | (np.diff(tile[order]) != 0)) + 1
    groups: dict[int, list[np.ndarray]] = {}
    for group in np.split(order, new):
        if len(group) > 1:
            groups.setdefault(int(labels[group[0]]), []).append(group)
    return list(groups.values())
