"""Images as a worse scanner would give them, or without what is no tissue: for tests of robustness and of shortcuts."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from genomap_core.errors import InputError

CONDITIONS: dict[str, tuple[float, ...]] = {
    "noise": (0.25, 0.5, 1.0),
    "blur": (1.0, 2.0),
    "contrast": (0.5, 2.0),
    "crop": (0.7,),
    "background": (1.0,),
}
"""Name -> levels: noise in standard deviations of the image, blur in pixels, contrast as exponent of the grey value,
crop as the share of each side that is kept around the middle (without the head's outline, a shortcut to the source),
background as the standard deviation of the noise that is laid around the head (whose margin is another one)."""


def degrade(images: np.ndarray, condition: str, level: float, seed: int = 0) -> np.ndarray:
    """``(n, c, s, s)`` normalised images -> the same, degraded; the head's outside stays 0 but for "background".

    Raises
    ------
    InputError
        For an unknown condition or a level that is not positive.
    """
    if condition not in CONDITIONS or not level > 0:
        raise InputError(f"Choose one of {', '.join(CONDITIONS)} with a level above 0, got {condition!r}, {level}.")
    inside = images != 0
    if condition in ("noise", "background"):
        field = level * np.random.default_rng(seed).normal(size=images.shape).astype(np.float32)
        return images + field * (inside if condition == "noise" else ~inside)
    if condition == "blur":
        return ndimage.gaussian_filter(images, (0, 0, level, level)) * inside
    if condition == "crop":
        height, width = images.shape[2:]
        rows, columns = (np.abs(np.arange(s) - (s - 1) / 2) < level * s / 2 for s in (height, width))
        return np.where(rows[:, None] & columns, images, np.float32(0))
    low = images.min((2, 3), keepdims=True)
    span = np.maximum(images.max((2, 3), keepdims=True) - low, 1e-6)
    bent = low + span * ((images - low) / span) ** level
    count = np.maximum(inside.sum((2, 3), keepdims=True), 1)
    mean = (bent * inside).sum((2, 3), keepdims=True) / count
    sd = np.sqrt((((bent - mean) * inside) ** 2).sum((2, 3), keepdims=True) / count)
    return ((bent - mean) / np.maximum(sd, 1e-6) * inside).astype(np.float32)
