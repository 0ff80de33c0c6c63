"""A plotly figure of lines, marks and text as a small SVG: no script, no request; alone or as a sheet."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.errors import InputError
from genomap_core.plotting.colour import label_ticks, ticks
from genomap_core.plotting.research_use import RESEARCH_USE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


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


_DASHES = {"dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3"}
_CHARACTER = 6.7  # pixels of an average character at 13 px
_INK, _GRID = "#1b1d22", "#d9dbe0"


def to_svg(figure: Figure, *, title: str, width: int = 720) -> str:
    """Draw the figure's scatter traces.

    Parameters
    ----------
    figure
        With one pair of axes; every trace must be a scatter of lines, markers or text.
    title
        What the picture shows, for screen readers.

    Raises
    ------
    InputError
        The figure holds a kind of trace that is not drawn.
    """
    unknown = {t.type for t in figure.data} - {"scatter"}
    if unknown:
        raise InputError(f"Only scatter traces can be drawn as SVG, not {', '.join(sorted(unknown))}.")
    height = int(figure.layout.height or 400)
    legend = list(_legend(figure, width))
    top = 12 + 20 * (max((row for row, *_ in legend), default=-1) + 1)
    y_settings = figure.layout.yaxis
    y_axis = make_axis(y_settings, _extent(figure, "y"), height - (46 if figure.layout.xaxis.title.text else 28), top)
    left = _left_margin(y_axis)
    x_axis = make_axis(figure.layout.xaxis, _extent(figure, "x"), left, width - 16)
    body = [
        *_frame(x_axis, y_axis),
        *(part for t in figure.data for part in _trace(t, x_axis, y_axis)),
        *_draw(legend, left),
    ]
    return (
        f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="{_INK}"><title>{escape(title)}</title>'
        + "".join(body)
        + "</svg>"
    )


def escape(text: str) -> str:
    """Plotly's label as SVG text: its tags go, the rest is shown as it stands."""
    return html.escape(html.unescape(re.sub(r"<br\s*/?>|</?(b|i|sub|sup|span|em)\b[^>]*>", " ", str(text))))


def _extent(figure: Figure, axis: str) -> list[float]:
    found: list[float] = []
    for trace in figure.data:
        values = _numbers(trace[axis])
        error = trace[f"error_{axis}"]
        found += values
        if error.array is not None:
            found += [v + e for v, e in zip(values, _numbers(error.array), strict=True)]
            found += [v - e for v, e in zip(values, _numbers(error.arrayminus), strict=True)]
    return found


def _numbers(values: Any) -> list[float]:
    return [math.nan if v is None else float(v) for v in (() if values is None else values)]


def _left_margin(axis: Axis) -> float:
    if not axis.visible:
        return 16
    return 14 + max((len(text) * _CHARACTER for _, text in axis.marks), default=0) + (20 if axis.title else 0)


def _frame(x: Axis, y: Axis) -> Iterator[str]:
    """Grid lines, tick labels and titles."""
    if x.visible:
        for value, text in x.marks:
            if x.grid:
                yield _line([(x.at(value), y.start), (x.at(value), y.end)], _GRID, 1)
            yield _text(x.at(value), y.start + 16, text, "middle")
        yield _text((x.start + x.end) / 2, y.start + 37, x.title, "middle")
    if y.visible:
        for value, text in y.marks:
            if y.grid:
                yield _line([(x.start, y.at(value)), (x.end, y.at(value))], _GRID, 1)
            yield _text(x.start - 7, y.at(value) + 4, text, "end")
        middle = (y.start + y.end) / 2
        if y.title:
            yield f'<g transform="translate(13 {middle:.1f}) rotate(-90)">{_text(0, 0, y.title, "middle")}</g>'


def _trace(trace: Any, x: Axis, y: Axis) -> Iterator[str]:
    points = [(x.pixel(a), y.pixel(b)) for a, b in zip(trace.x, trace.y, strict=True)]
    mode = trace.mode or "lines+markers"
    colour = str(trace.line.color or trace.marker.color or _INK)
    yield from _errors(trace, points, x, y, colour)
    if "lines" in mode:
        for part in _unbroken(points):
            yield _line(part, colour, trace.line.width or 2, _DASHES.get(trace.line.dash or "", ""))
    if "markers" in mode:
        sizes = np.broadcast_to(np.asarray(trace.marker.size or 7, float), len(points))
        for (a, b), size in zip(points, sizes, strict=True):
            if math.isfinite(a + b):
                yield _mark(
                    a, b, float(size) / 2, str(trace.marker.symbol or "circle"), str(trace.marker.color), trace.name
                )
    if "text" in mode:
        for (a, b), text in zip(points, trace.text, strict=True):
            if text:
                left = trace.textposition == "middle left"
                yield _text(a - 9 if left else a + 9, b + 4, str(text), "end" if left else "start")


def _errors(trace: Any, points: list[tuple[float, float]], x: Axis, y: Axis, colour: str) -> Iterator[str]:
    for name, axis in (("x", x), ("y", y)):
        error = trace[f"error_{name}"]
        if error.array is None:
            continue
        values = _numbers(trace[name])
        for (a, b), v, up, down in zip(points, values, _numbers(error.array), _numbers(error.arrayminus), strict=True):
            ends = [axis.pixel(v - down), axis.pixel(v + up)]
            if all(math.isfinite(e) for e in (a, b, *ends)):
                yield _line([(e, b) if name == "x" else (a, e) for e in ends], colour, 1)


def _unbroken(points: list[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    part: list[tuple[float, float]] = []
    for point in [*points, (math.nan, math.nan)]:
        if math.isfinite(point[0] + point[1]):
            part.append(point)
        else:
            if len(part) > 1:
                yield part
            part = []


def _legend(figure: Figure, width: int) -> Iterator[tuple[int, float, Any]]:
    """Row, place and trace of every entry."""
    row, place = 0, 0.0
    for trace in figure.data:
        if trace.showlegend is False or not trace.name:
            continue
        needed = 34 + len(str(trace.name)) * _CHARACTER
        if place and place + needed > width - 60:
            row, place = row + 1, 0.0
        yield row, place, trace
        place += needed


def _draw(legend: list[tuple[int, float, Any]], left: float) -> Iterator[str]:
    for row, place, trace in legend:
        a, b = left + place, 12 + 20 * row
        colour = str(trace.line.color or trace.marker.color)
        if "lines" in (trace.mode or ""):
            yield _line([(a, b), (a + 20, b)], colour, 2, _DASHES.get(trace.line.dash or "", ""))
        yield _mark(a + 10, b, 4, str(trace.marker.symbol or "circle"), colour, None)
        yield _text(a + 25, b + 4, str(trace.name), "start")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>' if text else ""


def _line(points: list[tuple[float, float]], colour: str, width: float, dash: str = "") -> str:
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{path}" fill="none" stroke="{escape(colour)}" stroke-width="{width:g}"{dashed}/>'


_SHAPES = {
    "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "triangle-up": [(0, -1.2), (1.1, 0.9), (-1.1, 0.9)],
    "x": [(-1, -0.6), (-0.6, -1), (0, -0.4), (0.6, -1), (1, -0.6), (0.4, 0), (1, 0.6), (0.6, 1), (0, 0.4), (-0.6, 1),
          (-1, 0.6), (-0.4, 0)],
    "cross": [(-0.35, -1.1), (0.35, -1.1), (0.35, -0.35), (1.1, -0.35), (1.1, 0.35), (0.35, 0.35), (0.35, 1.1),
              (-0.35, 1.1), (-0.35, 0.35), (-1.1, 0.35), (-1.1, -0.35), (-0.35, -0.35)],
    "star": [(1.3 * r * math.sin(i * math.pi / 5), -1.3 * r * math.cos(i * math.pi / 5))
             for i in range(10) for r in [1.0 if i % 2 == 0 else 0.45]],
    "hexagon": [(1.1 * math.sin(i * math.pi / 3), 1.1 * math.cos(i * math.pi / 3)) for i in range(6)],
}  # fmt: skip


def _mark(x: float, y: float, radius: float, symbol: str, colour: str, name: Any) -> str:
    fill = f'fill="{escape(colour)}" fill-opacity=".88"'
    tip = f"<title>{escape(name)}</title>" if name else ""
    if symbol not in _SHAPES:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {fill}>{tip}</circle>'
    points = " ".join(f"{x + radius * a:.1f},{y + radius * b:.1f}" for a, b in _SHAPES[symbol])
    return f'<polygon points="{points}" {fill}>{tip}</polygon>'


WIDTH, COLUMNS = 900, 3


def svg_file(figure: Figure, title: str) -> bytes:
    """One figure of scatter traces with one pair of axes."""
    return svg_sheet([], title, head=figure)


def svg_sheet(figures: Sequence[tuple[str, Figure]], title: str, head: Figure | None = None) -> bytes:
    """Small figures with their names, three side by side, below a large one that may hold their legend."""
    body, y = [], 34
    if head is not None:
        body.append(_placed(head, title, 0, y, WIDTH))
        y += int(head.layout.height or 400)
    width = WIDTH // COLUMNS
    for start in range(0, len(figures), COLUMNS):
        row = figures[start : start + COLUMNS]
        for j, (name, figure) in enumerate(row):
            body.append(f'<text x="{j * width + 14}" y="{y + 20}" font-weight="bold">{escape(name)}</text>')
            body.append(_placed(figure, name, j * width, y + 24, width))
        y += max(int(figure.layout.height or 400) for _, figure in row) + 32
    frame = f'viewBox="0 0 {WIDTH} {y + 30}" width="{WIDTH}" height="{y + 30}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {frame} font-family="Helvetica, Arial, sans-serif" font-size="13" '
        f'fill="#1b1d22"><rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="14" y="22" font-size="15">{escape(title)}</text>{"".join(body)}'
        f'<text x="14" y="{y + 18}" font-size="12">{escape(RESEARCH_USE)}</text></svg>'
    ).encode()


def _placed(figure: Figure, title: str, x: int, y: int, width: int) -> str:
    return f'<g transform="translate({x} {y})">{to_svg(figure, title=title, width=width)}</g>'
