"""What a fusion network is given: standardised images, omics maps at the image's size, and which types are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.ndimage import gaussian_filter1d

from genomap_core.data.images.patients import PatientImages
from genomap_core.data.standardise import refuse_infinite
from genomap_core.errors import InputError
from genomap_core.layout import Layout
from genomap_core.layout.build import make_layout
from genomap_core.progress import OnProgress, ignore

_BLOCK_VALUES = 4_000_000  # float64 values held at a time: 32 MB
_CANVAS = 64
"""Side of the maps of a cohort without images, in pixels, about."""


@dataclass(frozen=True, eq=False)
class FusionScaling:
    """What was learned of the training rows' values, in their units.

    ``image_mean``, ``image_sd`` ``(c,)``; ``kept`` ``(q,)`` int64, columns of the table, ascending; ``mean``,
    ``scale`` ``(q,)`` over the values that are there; the scale of a constant feature is 1.
    """

    image_mean: np.ndarray
    image_sd: np.ndarray
    kept: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    def images(self, cohort: PatientImages) -> np.ndarray:
        """``(n, c, H, W)`` float32, mean 0 and standard deviation 1 for each channel of the training images."""
        shape = (1, -1, 1, 1)
        return ((cohort.images - self.image_mean.reshape(shape)) / self.image_sd.reshape(shape)).astype(np.float32)

    def table(self, cohort: PatientImages) -> np.ndarray:
        """``(n, q)`` float32 in standard deviations, 0 where a value is missing."""
        X: Any = cohort.table.X
        part = X.tocsc()[:, self.kept].toarray() if sp.issparse(X) else X[:, self.kept]
        return np.nan_to_num((part - self.mean) / self.scale, nan=0.0).astype(np.float32)


def fit_scaling(cohort: PatientImages, max_features: int) -> FusionScaling:
    """Learn from a cohort; at most ``max_features`` of each omics type are kept, those of highest variance.

    Raises
    ------
    InputError
        A value is infinite, or an omics type has no feature.
    """
    refuse_infinite(cohort.table.X, np.asarray(cohort.table.feature_names, dtype=object))
    mean, variance = _moments(cohort.table.X)
    chosen = [_highest(cohort, variance, t, max_features) for t in _types(cohort)]
    kept = np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
    sd = np.sqrt(variance[kept])
    channels = np.moveaxis(cohort.images, 1, 0)
    image_sd = np.array([c.std(dtype=np.float64) for c in channels])
    return FusionScaling(
        image_mean=np.array([c.mean(dtype=np.float64) for c in channels]),
        image_sd=np.where(image_sd > 0, image_sd, 1.0),
        kept=kept,
        mean=mean[kept],
        scale=np.where(sd > 0, sd, 1.0),
    )


def fit_layout(
    cohort: PatientImages, scaling: FusionScaling, solver: str, seed: int, on_progress: OnProgress = ignore
) -> Layout:
    """A cell for every kept feature, one channel a type, on the smallest grid; the others have none."""
    codes = cohort.omics[scaling.kept]
    layout = make_layout(
        scaling.table(cohort), solver=solver, random_state=seed, channels=codes, on_progress=on_progress
    )
    return layout.spread(scaling.kept, cohort.omics)


@dataclass(frozen=True, eq=False)
class Canvas:
    """How a grid of cells covers the pixels of an image: ``maps = rows @ cells @ columns.T``.

    ``rows`` ``(H, gh)`` and ``columns`` ``(W, gw)`` float32.
    """

    rows: np.ndarray
    columns: np.ndarray
    cell_of_row: np.ndarray
    """``(H,)`` int: the cell whose block a pixel's row lies in"""
    cell_of_column: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return len(self.cell_of_row), len(self.cell_of_column)

    def spread(self, cells: np.ndarray) -> np.ndarray:
        """``(n, t, gh, gw)`` -> ``(n, t, H, W)``."""
        return self.rows @ cells @ self.columns.T

    def gather(self, pixels: np.ndarray) -> np.ndarray:
        """Sums over the cells' blocks: ``(..., H, W)`` -> ``(..., gh, gw)``."""
        starts = (np.searchsorted(c, np.arange(c[-1] + 1)) for c in (self.cell_of_row, self.cell_of_column))
        rows, columns = starts
        return np.add.reduceat(np.add.reduceat(pixels, rows, axis=-2), columns, axis=-1)


def make_canvas(size: tuple[int, int], grid: tuple[int, int], spread: str) -> Canvas:
    """``"block"``: each cell a block of pixels; ``"smooth"``: the blocks blurred by half their side (Gaussian)."""
    cells = [np.arange(side) * n // side for side, n in zip(size, grid)]
    rows, columns = (np.eye(n)[c] for c, n in zip(cells, grid))
    if spread == "smooth":
        rows, columns = (
            gaussian_filter1d(a, 0.5 * side / n, axis=0, mode="nearest")
            for a, side, n in zip((rows, columns), size, grid)
        )
    return Canvas(rows.astype(np.float32), columns.astype(np.float32), *cells)


def canvas_size(cohort: PatientImages, grid: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the maps: the images', or without images about 64 pixels for the longer side.

    Raises
    ------
    InputError
        The images have fewer pixels than the grid cells, along a side.
    """
    height, width = cohort.images.shape[2:]
    if not cohort.channels and 0 in (height, width):
        block = max(1, round(_CANVAS / max(grid)))
        return grid[0] * block, grid[1] * block
    if height < grid[0] or width < grid[1]:
        raise InputError(
            f"{cohort.name}: omics maps of {grid[0]} x {grid[1]} cells do not fit on images of {height} x {width} "
            f"pixels: choose `max_features` <= {min(height, width) ** 2:,}, or larger images."
        )
    return height, width


def cell_values(layout: Layout, scaling: FusionScaling, Z: np.ndarray) -> np.ndarray:
    """Standardised kept features ``(n, q)`` in their cells: ``(n, t, gh, gw)``, 0 in cells without a feature."""
    cells = np.zeros((len(Z), layout.n_channels, *layout.shape), np.float32)
    row, column = layout.positions[scaling.kept].T
    cells[:, layout.channel[scaling.kept], row, column] = Z
    return cells


def _types(cohort: PatientImages) -> range:
    names = cohort.table.omics_names
    empty = [name for t, name in enumerate(names) if not (cohort.omics == t).any()]
    if empty:
        raise InputError(f"{cohort.name}: no feature is of the type {empty[0]!r}: leave that type out.")
    return range(len(names))


def _highest(cohort: PatientImages, variance: np.ndarray, code: int, most: int) -> np.ndarray:
    own = np.flatnonzero(cohort.omics == code)
    return own[np.argsort(-variance[own], kind="stable")[:most]]


def _moments(X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of every column over its present values, ``(p,)`` each; 0 without any."""
    n, p = X.shape
    mean, variance = np.zeros(p), np.zeros(p)
    table = X.tocsc() if sp.issparse(X) else X
    width = max(1, _BLOCK_VALUES // max(1, n))
    for start in range(0, p, width):
        part = table[:, start : start + width]
        block = (part.toarray() if sp.issparse(part) else part).astype(np.float64)
        known = ~np.isnan(block)
        count = np.maximum(known.sum(axis=0), 1)
        at = slice(start, start + block.shape[1])
        mean[at] = np.where(known, block, 0).sum(axis=0) / count
        variance[at] = (np.where(known, block - mean[at], 0) ** 2).sum(axis=0) / count
        # Rounding error of a constant column is no variance.
        variance[at][variance[at] <= (1e-12 * np.abs(mean[at])) ** 2] = 0.0
    return mean, variance
