"""The grid: which cells there are, and how far apart they lie. Knows no feature."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genomap_core.errors import LayoutError


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells of a picture of ``height x width``; a mask may leave some of them out.

    Parameters
    ----------
    shape
        ``(height, width)``.
    mask
        ``(height, width)`` bool, True where a feature may lie; None: everywhere.
    """

    shape: tuple[int, int]
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        height, width = self.shape
        if height < 1 or width < 1:
            raise LayoutError(f"A grid needs at least 1 x 1 cells, got {height} x {width}.")
        if self.mask is not None and self.mask.shape != self.shape:
            raise LayoutError(f"The mask is {self.mask.shape}, the grid {self.shape}: give them the same shape.")
        if self.mask is not None and not self.mask.any():
            raise LayoutError("The mask leaves no cell: mark at least one cell as usable.")

    @cached_property
    def open_cells(self) -> np.ndarray:
        """``(m,)`` int: row-major indices of the usable cells."""
        height, width = self.shape
        return np.arange(height * width) if self.mask is None else np.flatnonzero(self.mask.ravel())

    @property
    def n_cells(self) -> int:
        """How many cells a feature may take."""
        return len(self.open_cells)

    @cached_property
    def positions(self) -> np.ndarray:
        """``(m, 2)`` int: row and column of each usable cell."""
        return np.stack(np.divmod(self.open_cells, self.shape[1]), axis=1)


def auto_shape(n_features: int) -> tuple[int, int]:
    """The smallest near-square grid with a cell for each of ``n_features``: rows as many as columns, or one fewer.

    >>> auto_shape(1000), auto_shape(1), auto_shape(5)
    ((32, 32), (1, 1), (2, 3))
    """
    if n_features < 1:
        raise LayoutError(f"A layout needs at least one feature, got {n_features}.")
    width = int(np.ceil(np.sqrt(n_features)))
    return int(np.ceil(n_features / width)), width


def cell_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distances between cells, in cells: ``(m, 2)``, ``(k, 2)`` -> ``(m, k)`` float32."""
    square = squared_distance(a, b)
    return np.sqrt(square, out=square)


def squared_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squares of :func:`cell_distance`, whole numbers: ``(m, 2)``, ``(k, 2)`` -> ``(m, k)`` float32."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    square = (a[:, None, 0] - b[None, :, 0]) ** 2
    square += (a[:, None, 1] - b[None, :, 1]) ** 2
    return square


def radial_distance(positions: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Differences of the cells' distances from the centre, the published choice: ``(m, 2)`` -> ``(m, m)``.

    Not a distance: opposite corners are at 0 (Islam & Xing, Nat Commun 14:679, 2023, as implemented by the authors).
    """
    centre = (np.asarray(shape) - 1) / 2
    radius = np.hypot(*(positions - centre).T)
    return np.abs(radius[:, None] - radius[None, :])


def mean_cell_distance(grid: Grid) -> float:
    """Mean Euclidean distance of two different usable cells, exact, in O(m log m) by autocorrelation of the mask."""
    if grid.n_cells < 2:
        return 1.0
    occupied = np.zeros(grid.shape)
    occupied.ravel()[grid.open_cells] = 1
    return mean_seat_distance(occupied)


def mean_seat_distance(count: np.ndarray) -> float:
    """Mean Euclidean distance of two different features, ``count (height, width)`` of which lie in each cell."""
    n = float(count.sum())
    padded = (2 * count.shape[0], 2 * count.shape[1])
    spectrum = np.fft.rfft2(count, padded)
    pairs = np.rint(np.fft.irfft2(np.abs(spectrum) ** 2, padded))
    return float((pairs * wrapped_distance(padded)).sum() / (n * (n - 1)))


def wrapped_distance(padded: tuple[int, int]) -> np.ndarray:
    """Length of every offset on a torus of ``padded`` cells: the distance kernel of a circular convolution."""
    dy, dx = (np.minimum(np.arange(side), side - np.arange(side)) for side in padded)
    return np.hypot(dy[:, None], dx[None, :])
