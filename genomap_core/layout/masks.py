"""Shapes of a map other than the full rectangle."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from genomap_core.errors import LayoutError

MAX_PIXELS = 20_000_000


def disc(shape: tuple[int, int]) -> np.ndarray:
    """The largest ellipse in a grid: ``(height, width)`` bool."""
    rows, columns = (np.abs((np.arange(side) + 0.5) / side * 2 - 1) for side in shape)
    return rows[:, None] ** 2 + columns[None, :] ** 2 <= 1


def mask_from_image(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """A picture's outline (PNG or another format Pillow reads) on a grid: ``(height, width)`` bool.

    Opaque pixels count where the picture has an alpha channel, else dark ones on light ground; a cell is open where
    half of its area counts.
    """
    from PIL import Image, UnidentifiedImageError  # late: only outlines need it

    try:
        picture = Image.open(io.BytesIO(data))
        if picture.width * picture.height > MAX_PIXELS:
            raise LayoutError(f"The outline has {picture.width} x {picture.height} pixels: give at most 20 million.")
        alpha = "A" in picture.getbands() or "transparency" in picture.info
        inside = picture.convert("RGBA").getchannel("A") if alpha else picture.convert("L").point(lambda v: 255 - v)
        small = inside.resize((shape[1], shape[0]), Image.Resampling.BOX)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise LayoutError(f"The outline can't be read as a picture: {error}. Give a PNG file.") from error
    mask = np.asarray(small) >= 128
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


def picture_aspect(data: bytes) -> float:
    """Width / height of a picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(data))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise LayoutError(f"The outline can't be read as a picture: {error}. Give a PNG file.") from error
    return float(picture.width / picture.height)
