"""A figure, or a sheet of small ones, as an SVG file of its own: a white ground, and the notice below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.reports.svg import escape, to_svg

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

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
