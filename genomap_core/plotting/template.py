"""How every figure looks: fonts, colours for all kinds of colour vision, no background of its own, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genomap_core.plotting.colour import CATEGORICAL, cividis, vik
from genomap_core.plotting.research_use import RESEARCH_USE

if TYPE_CHECKING:
    import numpy as np
    from plotly.graph_objects import Figure

GREY = "#8a8d94"
"""Readable on white and on near-black: for chance lines, cohorts and anything that is not the point."""
_LINE = "rgba(128, 132, 142, 0.28)"
_FONT = "Source Sans Pro, Source Sans, Helvetica, Arial, sans-serif"
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "cross", "star", "hexagon")


def figure(height: int, *, x: str = "", y: str = "", **layout: Any) -> Figure:
    """An empty figure in the house style with axis titles; plotly is imported here, not with the package."""
    import plotly.graph_objects as go

    axis = {
        "gridcolor": _LINE,
        "zerolinecolor": _LINE,
        "linecolor": _LINE,
        "automargin": True,
        "title_standoff": 8,
        "title_font_size": 13,
    }
    fig = go.Figure()
    fig.update_layout(
        template="none",
        height=height,
        colorway=CATEGORICAL,
        font={"family": _FONT, "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 12, "t": 12, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title_text": ""},
        hoverlabel={"align": "left"},
    )
    fig.update_xaxes(**axis)
    fig.update_yaxes(**axis)
    fig.update_layout(xaxis_title_text=x, yaxis_title_text=y, **layout)
    return fig


def colour_of(i: int) -> str:
    """Colour of the i-th model or class."""
    return CATEGORICAL[i % len(CATEGORICAL)]


def symbol_of(i: int) -> str:
    """Marker of the i-th model or class, so that colour is never the only difference."""
    return SYMBOLS[i % len(SYMBOLS)]


def dash_of(i: int) -> str:
    """Line style of the i-th model or class."""
    return DASHES[i % len(DASHES)]


def translucent(colour: str, alpha: float) -> str:
    """``#rrggbb`` as ``rgba(...)``."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r}, {g}, {b}, {alpha})"


def colorscale(signed: bool = False) -> list[list[float | str]]:
    """cividis, or vik for signed values, as plotly writes a scale."""
    table = vik() if signed else cividis()
    return [[i / 255, _css(table[i])] for i in range(0, 256, 5)]


def plain(text: str) -> str:
    """A name from the data as text: plotly reads some HTML tags and line breaks in its labels."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


def for_export(fig: Figure, *, dark: bool = False) -> Figure:
    """A copy for a file: a ground, readable ink, and the research-use line."""
    import plotly.graph_objects as go

    copy = go.Figure(fig)
    ink, ground = ("#f2f3f5", "#0e1117") if dark else ("#1b1d22", "#ffffff")
    bottom = (copy.layout.margin.b or 0) + 64
    copy.update_layout(font_color=ink, paper_bgcolor=ground, plot_bgcolor=ground, margin_b=bottom)
    copy.update_layout(margin_l=(copy.layout.margin.l or 0) + 16, margin_t=(copy.layout.margin.t or 0) + 16)
    if copy.layout.height:
        copy.update_layout(height=copy.layout.height + 64)
    copy.add_annotation(
        text=RESEARCH_USE, xref="paper", yref="paper", x=0, y=0, yshift=-72, xanchor="left", yanchor="bottom",
        showarrow=False, font={"size": 12, "color": ink},
    )  # fmt: skip
    return copy


def _css(rgb: np.ndarray) -> str:
    return f"rgb({int(rgb[0])}, {int(rgb[1])}, {int(rgb[2])})"
