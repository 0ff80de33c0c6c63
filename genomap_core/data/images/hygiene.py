"""Clean images before a network sees them: one mode, the head alone, one scale of grey. Plain arrays.

The usual collections of brain MRI carry their classes in the file: colour mode, size, brightness and margin differ from
class to class because the classes come from different hospitals. What is left after cleaning is measured by
:mod:`genomap_core.data.images.leakage`, copies are found by :mod:`genomap_core.data.images.leakage`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from genomap_core.data.images.intensity import otsu_threshold, to_grey
from genomap_core.errors import InputError

__all__ = [
    "check_image",
    "head_box",
    "head_region",
    "normalise",
    "normalise_mask",
    "otsu_threshold",
    "prepare",
    "resize_square",
    "to_grey",
]

SMALLEST_SIDE = 32


def check_image(image: np.ndarray, name: str = "image", spacing: Sequence[float] | None = None) -> None:
    """Raise :class:`InputError` for an image that can't be looked at.

    Parameters
    ----------
    image
        ``(H, W)`` grey or ``(H, W, 2 to 4)`` channels, of any number type.
    spacing
        Height and width of a pixel in mm, where known.
    """
    if image.ndim not in (2, 3) or (image.ndim == 3 and not 1 <= image.shape[2] <= 4):
        raise InputError(f"{name}: an image is height x width (x up to 4 channels), this has shape {image.shape}.")
    if image.dtype.kind not in "buif":
        raise InputError(f"{name}: pixels must be numbers, these are {image.dtype}.")
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise InputError(
            f"{name}: {image.shape[0]} x {image.shape[1]} pixels are too few, at least {SMALLEST_SIDE} x "
            f"{SMALLEST_SIDE} are needed: load the image at its original size."
        )
    if not np.isfinite(image).all():
        raise InputError(f"{name}: it holds pixels that are no finite number: export the image again.")
    low, high = float(image.min()), float(image.max())
    if low == high:
        what = "black" if high == 0 else f"of the one value {high:g}"
        raise InputError(f"{name}: all pixels are {what}: choose a slice that shows the brain.")
    if spacing is not None and not all(np.isfinite(s) and s > 0 for s in spacing):
        raise InputError(f"{name}: the pixel spacing {tuple(spacing)} mm is not positive: enter the true one or none.")


def head_region(grey: np.ndarray) -> np.ndarray:
    """The head in ``(H, W)``: the largest bright piece, its holes filled. True everywhere where none stands out."""
    smooth = ndimage.gaussian_filter(grey, 1.0)
    low = float(smooth.min())
    bright = smooth > low + 0.5 * (otsu_threshold(smooth) - low)
    bright = ndimage.binary_closing(np.pad(bright, 4), iterations=2)[4:-4, 4:-4]
    labels, n = ndimage.label(bright)
    if n == 0:
        return np.ones(grey.shape, bool)
    largest = 1 + int(np.argmax(ndimage.sum_labels(bright, labels, np.arange(1, n + 1))))
    region = ndimage.binary_fill_holes(labels == largest)
    return region if region.mean() > 0.02 else np.ones(grey.shape, bool)


def head_box(region: np.ndarray) -> tuple[slice, slice]:
    """The smallest rectangle around the head."""
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def normalise(image: np.ndarray, size: int, *, grey: bool = True, region: np.ndarray | None = None) -> np.ndarray:
    """Head cropped, put in the middle of a square without distortion, one scale of grey: ``(c, size, size)`` float32.

    Inside the head each channel has mean 0 and standard deviation 1 (values beyond its 0.5th and 99.5th percentile
    are cut); outside it is 0. ``grey=False`` keeps the channels apart, for sequences stored as colours.
    """
    region = head_region(to_grey(image)) if region is None else region
    channels = to_grey(image)[None] if grey or image.ndim == 2 else np.moveaxis(image.astype(np.float32), 2, 0)
    box = head_box(region)
    inside = resize_square(region[box].astype(np.float32), size)
    out = np.empty((len(channels), size, size), np.float32)
    for k, channel in enumerate(channels):
        values = channel[region]
        low, high = np.percentile(values, [0.5, 99.5])
        values = np.clip(values, low, high)
        scaled = (np.clip(channel, low, high) - values.mean()) / max(float(values.std()), 1e-6)
        out[k] = resize_square(np.where(region, scaled, 0)[box].astype(np.float32), size)
    return out * (inside > 0.5)


def normalise_mask(mask: np.ndarray, region: np.ndarray, size: int) -> np.ndarray:
    """A mask ``(H, W)`` cropped and resized as :func:`normalise` does: ``(size, size)`` float32 in [0, 1]."""
    return resize_square((mask > 0)[head_box(region)].astype(np.float32), size)


def resize_square(image: np.ndarray, size: int) -> np.ndarray:
    """``(h, w)`` float32 -> ``(size, size)``: padded with 0 to a square, then resampled without aliasing."""
    h, w = image.shape
    side = max(h, w)
    padded = np.zeros((side, side), np.float32)
    top, left = (side - h) // 2, (side - w) // 2
    padded[top : top + h, left : left + w] = image
    return np.asarray(Image.fromarray(padded).resize((size, size), Image.Resampling.BILINEAR))


def prepare(images: Sequence[np.ndarray], size: int, *, grey: bool = True) -> np.ndarray:
    """Check and :func:`normalise` every image: ``(n, c, size, size)`` float32."""
    for i, image in enumerate(images):
        check_image(image, f"image {i + 1}")
    return np.stack([normalise(image, size, grey=grey) for image in images])
