"""Which slices of a volume are looked at, and how a slice becomes a square of the network's size. Plain arrays.

Volumes are seen as slices: one, or several side by side, as channels or as the depth of a network in 3-D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image

from genomap_core.data.images.intensity import Modality, foreground

SliceChoice = Literal["largest foreground", "middle", "evenly spaced"]
SLICE_CHOICES: tuple[SliceChoice, ...] = get_args(SliceChoice)
_SHOWS = 0.1
"""A slice counts as showing something from this share of the fullest slice's foreground on."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How an image came into its square: enough to say where a pixel of the square lies in the image."""

    spacing: float | None
    """Height and width of a pixel of the square in mm; None where the image's is unknown"""
    inner: tuple[int, int]
    """Height and width of the image inside the square, in its pixels"""


def choose_slices(voxels: np.ndarray, choice: SliceChoice, count: int, modality: Modality) -> list[int]:
    """Numbers of slices of ``(z, y, x)`` or ``(z, y, x, c)``: one, or ``count`` that show something, evenly spaced."""
    n = len(voxels)
    if n == 1 or (choice == "middle"):
        return [n // 2] * (count if choice == "evenly spaced" else 1)
    filled = _filled(voxels, modality)
    if choice == "largest foreground":
        return [int(np.argmax(filled))]
    shows = np.flatnonzero(filled >= _SHOWS * filled.max())
    first, last = int(shows[0]), int(shows[-1])
    middles = first + (np.arange(count) + 0.5) * (last + 1 - first) / count
    return [min(int(m), n - 1) for m in middles]


def _filled(voxels: np.ndarray, modality: Modality) -> np.ndarray:
    """``(z,)`` foreground pixels of each slice, counted on every fourth row and column of large slices."""
    step = max(1, min(voxels.shape[1:3]) // 128)
    thin = voxels[:, ::step, ::step]
    inside = foreground(thin.mean(axis=-1) if thin.ndim == 4 else thin, modality)
    return inside.reshape(len(voxels), -1).sum(axis=1)


def fit_square(
    image: np.ndarray, side: int, fill: float, spacing: tuple[float, float] | None = None
) -> tuple[np.ndarray, Frame]:
    """``(c, h, w)`` float32 -> ``(c, side, side)`` float32: the aspect is kept, the rest filled with ``fill``.

    ``spacing``: height and width of a pixel in mm; pixels that are not square are made so. Shrinking averages.
    """
    _, h, w = image.shape
    tall, wide = (1.0, 1.0) if spacing is None else spacing
    height, width = h * tall, w * wide
    unit = max(height, width) / side
    inner = (max(1, round(height / unit)), max(1, round(width / unit)))
    out = np.full((len(image), side, side), fill, np.float32)
    top, left = (side - inner[0]) // 2, (side - inner[1]) // 2
    for k, channel in enumerate(image):
        fitted = Image.fromarray(np.ascontiguousarray(channel, np.float32))
        if inner != (h, w):
            fitted = fitted.resize(inner[::-1], Image.Resampling.BILINEAR)
        out[k, top : top + inner[0], left : left + inner[1]] = np.asarray(fitted)
    return out, Frame(None if spacing is None else unit, inner)
