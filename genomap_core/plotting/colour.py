"""Colours as plain arrays: cividis for values, vik for signed values, grey hatching for what is missing or dropped.

The browser's canvas and the static pictures follow these formulas, so that one value has one colour everywhere.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from genomap_core.errors import InputError
from genomap_core.plotting.colour_tables import CIVIDIS, VIK

CATEGORICAL = ("#0072b2", "#e69f00", "#56b4e9", "#d55e00", "#cc79a7", "#009e73", "#b3a400", "#6f6f6f")
"""Okabe and Ito (2008), darker yellow, grey for black; in an order that keeps the first six furthest apart under
every common colour vision. Marker and line style always differ too."""
MISSING_RGB = (226, 227, 230)
HATCH_RGB = (150, 153, 160)


def _table(text: str) -> np.ndarray:
    table = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(256, 3)
    table.flags.writeable = False
    return table


@cache
def cividis() -> np.ndarray:
    """For values from low to high: ``(256, 3)`` uint8, lightness rising throughout."""
    return _table(CIVIDIS)


@cache
def vik() -> np.ndarray:
    """For signed values around zero: ``(256, 3)`` uint8, dark blue - white - dark red."""
    return _table(VIK)


def normalise(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Index into a colour table: any shape -> uint8; values outside [low, high] take the ends, NaN takes 0."""
    if not low < high:
        raise InputError(f"A colour scale needs low < high, got {low} and {high}.")
    share = (np.asarray(values, np.float64) - low) / (high - low)
    return np.clip(np.floor(np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0) * 256), 0, 255).astype(np.uint8)


def robust_range(values: np.ndarray, *, symmetric: bool = False, share: float = 0.99) -> tuple[float, float]:
    """One scale for a cohort: the central `share` of the finite values, symmetric about 0 if asked.

    Never empty: equal ends are moved half a unit apart to each side.
    """
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return (-1.0, 1.0) if symmetric else (0.0, 1.0)
    if symmetric:
        limit = float(np.quantile(np.abs(finite), share)) or float(np.abs(finite).max()) or 1.0
        return -limit, limit
    low, high = (float(q) for q in np.quantile(finite, [(1 - share) / 2, (1 + share) / 2]))
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def blend_overlay(base: np.ndarray, attribution: np.ndarray, limit: float, opacity: float) -> np.ndarray:
    """A picture faded to light grey with a signed attribution in vik on top.

    Parameters
    ----------
    base
        ``(..., 3)`` uint8 colours of the values.
    attribution
        ``(...)`` signed; NaN is drawn as none.
    limit
        Absolute attribution drawn in full colour, > 0.
    opacity
        0 shows the values alone, 1 the attribution on a grey ground.

    Returns
    -------
    ``(..., 3)`` uint8.
    """
    a = np.nan_to_num(np.asarray(attribution, np.float64), nan=0.0)
    grey = 150 + 0.38 * (np.asarray(base, np.float64) @ np.array([0.299, 0.587, 0.114]))
    ground = base + opacity * (grey[..., None] - base)
    strength = opacity * np.sqrt(np.minimum(1.0, np.abs(a) / limit))
    colour = vik()[normalise(a, -limit, limit)]
    return (ground + strength[..., None] * (colour - ground) + 0.5).astype(np.uint8)


def ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """Round numbers within [low, high], steps of 1, 2 or 5 times a power of ten, about `count` of them."""
    if not low < high:
        raise InputError(f"A scale needs low < high, got {low} and {high}.")
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * 0.7)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def label_ticks(values: tuple[float, ...]) -> tuple[str, ...]:
    """Short labels with a true minus sign and one number of decimals; powers of ten below 0.001 and from a million."""
    top = max((abs(v) for v in values), default=0.0)
    if top and not 1e-3 <= top < 1e6:
        return tuple(
            "0" if v == 0 else f"{v:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−") for v in values
        )
    texts = [f"{v:.6f}".rstrip("0") for v in values]
    decimals = max((len(t.split(".")[1]) for t in texts), default=0)
    return tuple(f"{v:.{decimals}f}".replace("-", "−") for v in values)
