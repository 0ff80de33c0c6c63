"""Axes of a small SVG: from a plotly figure's settings to pixels, with round ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genomap_core.plotting.colour import label_ticks, ticks


@dataclass(frozen=True, slots=True)
class Axis:
    """One linear or logarithmic axis.

    Parameters
    ----------
    low, high
        Ends, in values (logarithmic: in powers of ten); ``low > high`` turns it round.
    start, end
        Pixels of the ends.
    marks
        Value (or power) and label of each tick.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool
    marks: tuple[tuple[float, str], ...]
    title: str = ""
    visible: bool = True
    grid: bool = True

    def pixel(self, value: Any) -> float:
        """Where a value lies; NaN for what has no place."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            return math.nan
        if self.log:
            number = math.log10(number) if number > 0 else math.nan
        return self.at(number)

    def at(self, position: float) -> float:
        """Where a value, or on a logarithmic axis a power of ten, lies."""
        return self.start + (position - self.low) / (self.high - self.low) * (self.end - self.start)


def make_axis(settings: Any, values: Sequence[float], start: float, end: float) -> Axis:
    """An axis by plotly's ``layout.xaxis`` or ``yaxis``; without a range it holds all ``values`` with a margin."""
    log = settings.type == "log"
    low, high = settings.range or _range([math.log10(v) if log else v for v in values if not log or v > 0])
    return Axis(
        low=float(low),
        high=float(high),
        start=start,
        end=end,
        log=log,
        marks=_marks(settings, float(min(low, high)), float(max(low, high)), log),
        title=str(settings.title.text or ""),
        visible=settings.visible is not False,
        grid=settings.showgrid is not False,
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    finite = [v for v in values if math.isfinite(v)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _marks(settings: Any, low: float, high: float, log: bool) -> tuple[tuple[float, str], ...]:
    if settings.tickvals is not None:
        values = [float(v) for v in settings.tickvals]
        texts = settings.ticktext or label_ticks(tuple(values))
        positions = [math.log10(v) for v in values] if log else values
        found = zip(positions, map(str, texts), strict=True)
    elif log:
        decades = range(math.floor(low), math.ceil(high) + 1)
        wide = high - low > 2
        values = [m * 10.0**d for d in decades for m in ((1,) if wide else (1, 2, 5))]
        found = zip(
            [math.log10(v) for v in values], [f"{v:,.3g}" if v < 1e4 else f"{v:,.0f}" for v in values], strict=True
        )
    else:
        values = _multiples(float(settings.dtick), low, high) if settings.dtick else [*ticks(low, high)]
        found = zip(values, label_ticks(tuple(values)), strict=True)
    return tuple((v, text) for v, text in found if low - 1e-9 <= v <= high + 1e-9)


def _multiples(step: float, low: float, high: float) -> list[float]:
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
