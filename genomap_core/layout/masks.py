"""Shapes of a map other than the full rectangle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from genomap_core.data.images.intensity import to_grey
from genomap_core.errors import LayoutError


def disc(shape: tuple[int, int]) -> np.ndarray:
    """The largest ellipse in a grid: ``(height, width)`` bool."""
    rows, columns = (np.abs((np.arange(side) + 0.5) / side * 2 - 1) for side in shape)
    return rows[:, None] ** 2 + columns[None, :] ** 2 <= 1


def mask_from_image(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A picture's outline on a grid: ``(height, width)`` bool.

    ``pixels``: ``(H, W)``, ``(H, W, 3)``, or ``(H, W, 4)`` with transparency, of any number type. Opaque ones count
    where there is transparency, else dark ones on light ground; a cell is open where half of its area counts.
    """
    from PIL import Image  # late: only outlines need it

    alpha = pixels.ndim == 3 and pixels.shape[2] == 4
    grey = pixels[..., 3] if alpha else to_grey(pixels)
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else max(float(grey.max()), 1e-9)
    light = (grey / white).astype(np.float32)
    inside = Image.fromarray(light if alpha else 1 - light)
    mask = np.asarray(inside.resize((shape[1], shape[0]), Image.Resampling.BOX)) >= 0.5 - 1e-6
    if not mask.any():
        raise LayoutError("The outline leaves no cell open: draw it opaque (or dark on white), and larger.")
    return mask


def fitting_mask(draw: Callable[[tuple[int, int]], np.ndarray], n_features: int, aspect: float = 1.0) -> np.ndarray:
    """The smallest mask ``draw(shape)`` with a cell for each of ``n_features``; ``aspect`` is width / height.

    >>> fitting_mask(disc, 785).shape
    (32, 32)
    """
    share = max(float(draw((64, max(1, round(64 * aspect)))).mean()), 1e-3)
    height = max(1, int((0.9 * n_features / share / aspect) ** 0.5))
    while True:
        mask = draw((height, max(1, round(height * aspect))))
        if mask.sum() >= n_features:
            return mask
        height += 1
