"""Plain numbers of an image: how bright, how varied, how coarse, which a linear model sees; and where it is empty."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SCALES = (1.0, 2.0, 4.0)
STATISTICS = (
    *("mean", "sd"),
    *(f"quantile {q:g}" for q in _QUANTILES),
    *("gradient mean", "gradient sd"),
    *(f"detail at {s:g} px" for s in _SCALES),
    *("likeness of rows", "likeness of columns"),
)
"""Names of the numbers of one channel."""


def image_statistics(images: np.ndarray) -> np.ndarray:
    """Intensity quantiles and texture of every channel: ``(n, c, H, W)`` -> ``(n, c * len(STATISTICS))`` float64.

    Detail is the standard deviation of a band between two Gaussian blurs; likeness the correlation of neighbouring
    rows or columns.
    """
    n, c = images.shape[:2]
    pixels = images.reshape(n, c, -1)
    gradient = np.hypot(*np.gradient(images, axis=(2, 3))).reshape(n, c, -1)
    blurred = [images, *(ndimage.gaussian_filter(images, (0, 0, s, s)) for s in _SCALES)]
    parts = [
        pixels.mean(2),
        pixels.std(2),
        *np.quantile(pixels, _QUANTILES, axis=2),
        gradient.mean(2),
        gradient.std(2),
        *((a - b).std(axis=(2, 3)) for a, b in pairwise(blurred)),
        _likeness(images[:, :, 1:], images[:, :, :-1]),
        _likeness(images[:, :, :, 1:], images[:, :, :, :-1]),
    ]
    return np.stack(parts, axis=2).reshape(n, -1).astype(np.float64)


def _likeness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation over the last two axes; 0 where one is constant."""
    a, b = (x - x.mean(axis=(2, 3), keepdims=True) for x in (a, b))
    size = np.sqrt((a**2).sum(axis=(2, 3)) * (b**2).sum(axis=(2, 3)))
    return np.where(size > 0, (a * b).sum(axis=(2, 3)) / np.where(size > 0, size, 1), 0.0)


_EVEN = 0.2
"""Spread over three pixels, in the image's own, below which a place shows as good as nothing."""


def empty_background(image: np.ndarray) -> np.ndarray:
    """Where ``(c, H, W)`` shows nothing, whatever its scale: even in every channel, and joined to the border.

    ``(H, W)`` bool.
    """
    sd = np.maximum(image.reshape(len(image), -1).std(axis=1), 1e-9)
    scaled = image / sd[:, None, None]
    variance = ndimage.uniform_filter(scaled**2, (0, 3, 3)) - ndimage.uniform_filter(scaled, (0, 3, 3)) ** 2
    pieces, _ = ndimage.label((variance < _EVEN**2).all(axis=0))
    edge = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    return np.isin(pieces, edge[edge > 0])
