"""An image with signed values over its pixels or over numbered regions, as pixels."""

from __future__ import annotations

import numpy as np

from genomap_core.plotting.colour import normalise, vik

_GREY = np.array([0.299, 0.587, 0.114])
_SCALE = 9
"""Screen pixels of one pixel of an image of 64: borders and numbers stay readable."""


def to_rgb(image: np.ndarray) -> np.ndarray:
    """``(c, H, W)`` -> ``(H, W, 3)`` uint8: three channels as red, green and blue, else the first as grey.

    The central 99 % of the values cover the scale.
    """
    shown = image if len(image) == 3 else np.repeat(image[:1], 3, axis=0)
    low, high = np.percentile(shown, [0.5, 99.5])
    share = np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1)
    return np.moveaxis((255 * share).round().astype(np.uint8), 0, -1)


def overlaid(rgb: np.ndarray, values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """Signed values ``(H, W)`` in the colours of vik over a picture ``(H, W, 3)``, stronger where they are larger.

    ``limit``: absolute value in full colour; None: the 99.5 % quantile.
    """
    limit = limit or float(np.quantile(np.abs(values), 0.995)) or 1.0
    colours = vik()[normalise(values, -limit, limit)].astype(np.float64)
    weight = 0.75 * np.clip(np.abs(values) / limit, 0, 1)[..., None]
    grey = rgb @ _GREY
    return ((1 - weight) * grey[..., None] + weight * colours).round().astype(np.uint8)


def with_regions(rgb: np.ndarray, labels: np.ndarray, numbered: bool = True) -> np.ndarray:
    """Borders of the regions ``(H, W)`` int, and their numbers from 1, on the enlarged picture."""
    from PIL import Image, ImageDraw, ImageFont

    k = max(1, round(_SCALE * 64 / max(labels.shape)))
    large, big = np.kron(rgb, np.ones((k, k, 1), np.uint8)), np.kron(labels, np.ones((k, k), labels.dtype))
    border = np.zeros(big.shape, bool)
    border[1:] |= big[1:] != big[:-1]
    border[:, 1:] |= big[:, 1:] != big[:, :-1]
    large[border] = 0 if border.any() and (large[border] @ _GREY).mean() > 140 else 255  # seen on tissue as on a scan
    picture = Image.fromarray(large)
    if numbered:
        draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=max(18, round(2.5 * k)))
        for label in np.unique(labels[labels >= 0]):
            rows, columns = np.nonzero(labels == label)
            nearest = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()  # inside, whatever its shape
            at = (k * (columns[nearest] + 0.5), k * (rows[nearest] + 0.5))
            draw.text(at, str(label + 1), "white", font, anchor="mm", stroke_width=2, stroke_fill="black")
    return np.asarray(picture)
