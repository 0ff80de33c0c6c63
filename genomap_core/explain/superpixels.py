"""Regions of an image that look alike, to be switched on and off together."""

from __future__ import annotations

import numpy as np

from genomap_core.errors import InputError


def superpixels(image: np.ndarray, n_regions: int = 25, compactness: float = 0.1) -> np.ndarray:
    """Cut an image into about ``n_regions`` connected regions: ``(c, H, W)`` -> ``(H, W)`` int, numbered from 0.

    SLIC (Achanta et al., IEEE TPAMI 34:2274, 2012) on the channels, each scaled to [0, 1]; a larger ``compactness``
    follows the picture less and squares more.

    Raises
    ------
    InputError
        The image has no channel, or there are more regions asked for than pixels.
    """
    from skimage.segmentation import slic

    c, height, width = image.shape
    if c == 0 or not 1 <= n_regions <= height * width:
        raise InputError(
            f"{n_regions} regions can't be cut from an image of {c} channels and {height} x {width} pixels."
        )
    low, high = image.min(axis=(1, 2), keepdims=True), image.max(axis=(1, 2), keepdims=True)
    scaled = (image - low) / np.maximum(high - low, 1e-9)
    labels = slic(np.moveaxis(scaled, 0, -1), n_segments=n_regions, compactness=compactness, start_label=0)
    return np.asarray(np.unique(labels, return_inverse=True)[1].reshape(height, width), np.int64)
