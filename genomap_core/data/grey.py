"""One scale of grey, and the value that parts dark from bright. Plain arrays; numpy alone."""

from __future__ import annotations

import numpy as np


def to_grey(image: np.ndarray) -> np.ndarray:
    """``(H, W)`` or ``(H, W, c)`` of any number type -> ``(H, W)`` float32; colours by luminance, alpha dropped."""
    if image.ndim == 2:
        return image.astype(np.float32)
    if image.shape[2] < 3:
        return image[..., 0].astype(np.float32)
    return (image[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.float32)


def otsu_threshold(grey: np.ndarray) -> float:
    """The grey value that parts dark from bright with the largest variance between them (Otsu, 1979)."""
    counts, edges = np.histogram(grey, bins=256)
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middle)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nanargmax(between)])
