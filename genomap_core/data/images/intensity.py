"""Intensities on one scale for each modality: grey, windows of Hounsfield units, z-scores, histology. Plain arrays.

What a network is given has about zero mean and unit variance. Computed tomography and histology have absolute scales
and keep them (the same number means the same tissue in every patient); magnetic resonance and plain pictures have
none, so that each image is measured against its own foreground. Nothing is learned from other images.
"""

from __future__ import annotations

from typing import Literal, get_args

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


Modality = Literal["ct", "mr", "histology", "picture"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)

CT_WINDOWS: dict[str, tuple[float, float]] = {
    "soft tissue": (50.0, 400.0),
    "lung": (-600.0, 1500.0),
    "brain": (40.0, 80.0),
    "bone": (400.0, 1800.0),
}
"""Centre and width in Hounsfield units, as radiology reads them (Murphy et al., Windowing (CT), Radiopaedia)."""

AIR_HU = -500.0
"""Below it is air: what a CT shows of a body lies above."""
_MOST = 5.0
"""Standard deviations at which z-scores are cut: a wire or a burnt-in label must not rule the image."""


def window_hu(hu: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Hounsfield units of any shape -> float32 in [-2, 2]: the window's lower end is -2, its upper end 2.

    A uniform spread over the window has a standard deviation of 1.15.
    """
    return np.clip((hu.astype(np.float32) - np.float32(centre)) * np.float32(4 / width), -2, 2)


def foreground(values: np.ndarray, modality: Modality) -> np.ndarray:
    """Where an image ``(..., H, W)`` shows something: bool of its shape.

    CT: above -500 HU. Else Otsu's threshold parts dark from bright: histology shows what is darker than the middle
    between their means, all others what is brighter than 30 % of the way up. All True where nothing stands out.
    """
    if modality == "ct":
        found = values > AIR_HU
    else:
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        if high <= low:
            return np.ones(values.shape, bool)
        cut = otsu_threshold(finite)
        dark, bright = float(finite[finite <= cut].mean()), float(finite[finite >= cut].mean())
        found = values < (dark + bright) / 2 if modality == "histology" else values > dark + 0.3 * (bright - dark)
    return found if found.any() else np.ones(values.shape, bool)


def zscore_foreground(image: np.ndarray, inside: np.ndarray | None = None) -> np.ndarray:
    """``(H, W)`` -> float32 with mean 0 and standard deviation 1 over its foreground, cut at 5 of them.

    ``inside``: ``(H, W)`` bool, the foreground where it is known. A constant image becomes 0.
    """
    inside = foreground(image, "mr") if inside is None else inside
    values = image[inside].astype(np.float64)
    low, high = np.percentile(values, [0.5, 99.5])
    kept = values[(values >= low) & (values <= high)]
    spread = float(kept.std())
    if spread <= 1e-9 * max(1.0, abs(float(kept.mean()))):
        return np.zeros(image.shape, np.float32)
    return np.clip((image.astype(np.float32) - np.float32(kept.mean())) / np.float32(spread), -_MOST, _MOST)


def zscore(image: np.ndarray) -> np.ndarray:
    """``(H, W)`` -> float32 with mean 0 and standard deviation 1 over all its pixels, cut at 5 of them."""
    return zscore_foreground(image, np.ones(image.shape, bool))


def scale_bytes(image: np.ndarray, top: float = 255.0) -> np.ndarray:
    """Brightness from 0 to ``top`` -> float32 in [-2, 2], the same for every image."""
    return (image.astype(np.float32) * np.float32(4 / top) - 2).astype(np.float32)


def normalised(image: np.ndarray, modality: Modality, window: tuple[float, float]) -> np.ndarray:
    """``(H, W)`` or ``(c, H, W)``, each channel for itself -> float32 of the same shape, as its modality asks.

    ``window``: centre and width in Hounsfield units, for CT.
    """
    if modality == "ct":
        return window_hu(image, *window)
    if modality == "histology":
        return scale_bytes(image, 255.0 if image.dtype.kind == "f" or image.dtype.itemsize == 1 else 65535.0)
    one = zscore_foreground if modality == "mr" else zscore
    return one(image) if image.ndim == 2 else np.stack([one(channel) for channel in image])


def padding(image: np.ndarray, modality: Modality) -> float:
    """What a normalised image ``(..., H, W)`` is framed with: air, glass, or its own background."""
    if modality == "histology":
        return 2.0
    return -2.0 if modality == "ct" else float(image.min()) if modality == "mr" else 0.0
