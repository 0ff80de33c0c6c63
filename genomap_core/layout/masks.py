"""Shapes of a map other than the full rectangle."""

from __future__ import annotations

import io

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


def shape_for(mask_share: float, n_features: int) -> tuple[int, int]:
    """The smallest square whose share of open cells holds all features.

    >>> shape_for(0.785, 785)
    (32, 32)
    """
    side = int(np.ceil(np.sqrt(n_features / max(mask_share, 1e-6))))
    return side, side
