"""Figures about layouts: how faithful one is, and how far features move between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from genomap_core.layout.quality import MEASURES
from genomap_core.plotting.colour import CATEGORICAL
from genomap_core.plotting.template import GREY, colorscale, figure, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class Quality(Protocol):
    """The four numbers of a layout's quality."""

    @property
    def gw_distortion(self) -> float: ...
    @property
    def spearman(self) -> float: ...
    @property
    def neighbour_correlation(self) -> float: ...
    @property
    def knn_recall(self) -> float: ...


def layout_quality(quality: Quality, control: Quality | None = None, label: str = "this layout") -> Figure:
    """The four measures of a layout beside those of a random layout of the same features."""
    fig = figure(320, barmode="group", bargap=0.35, bargroupgap=0.08)
    titles = list(MEASURES.values())
    series = [(label, quality, CATEGORICAL[0], ""), ("random layout", control, GREY, "/")]
    for name, values, colour, pattern in reversed(series):
        if values is None:
            continue
        numbers = [getattr(values, key) for key in MEASURES]
        fig.add_bar(
            x=numbers, y=titles, orientation="h", name=plain(name), text=[f"{v:.3f}" for v in numbers],
            textposition="outside", cliponaxis=False, marker={"color": colour, "pattern_shape": pattern},
            hovertemplate="%{y}: %{x:.4f}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_layout(legend_traceorder="reversed", margin_r=52)
    return fig


def displacement_map(
    reference: np.ndarray,
    positions: np.ndarray,
    shape: tuple[int, int],
    names: Sequence[str],
    arrows: int = 0,
) -> Figure:
    """How far each feature lies from its place on a reference layout.

    Parameters
    ----------
    reference, positions
        ``(p, 2)`` row and column on either layout; -1 where a feature has no cell.
    shape
        ``(H, W)`` of the reference grid.
    names
        ``p`` feature names, shown when pointed at.
    arrows
        How many of the longest moves to draw as arrows from the old place to the new.

    Returns
    -------
    A map of the reference layout, each cell coloured by the distance its feature moved, in cells. Of several omics
    types on one cell the mean is shown.
    """
    a, b = np.asarray(reference, float), np.asarray(positions, float)
    both = np.flatnonzero((a[:, 0] >= 0) & (b[:, 0] >= 0))
    moved = np.linalg.norm(a[both] - b[both], axis=1)
    cells = (a[both, 0] * shape[1] + a[both, 1]).astype(int)
    total, count = np.zeros(shape[0] * shape[1]), np.zeros(shape[0] * shape[1])
    np.add.at(total, cells, moved)
    np.add.at(count, cells, 1)
    board = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0).reshape(shape)
    text = np.full(shape[0] * shape[1], "", dtype=object)
    text[cells] = [plain(names[int(j)]) for j in both]
    fig = figure(520)
    fig.add_heatmap(
        z=board, text=text.reshape(shape), colorscale=colorscale(), zmin=0, hoverongaps=False,
        colorbar={"title": {"text": "cells moved", "side": "right"}, "thickness": 12, "outlinewidth": 0},
        hovertemplate="%{text}<br>moved %{z:.1f} cells<extra></extra>",
    )  # fmt: skip
    for i in np.argsort(-moved)[:arrows]:
        (y0, x0), (y1, x1) = a[both[i]], b[both[i]]
        fig.add_annotation(
            x=x1, y=y1, ax=x0, ay=y0, xref="x", yref="y", axref="x", ayref="y", showarrow=True, text="",
            arrowhead=2, arrowwidth=1.4, arrowcolor="#ffffff",
        )  # fmt: skip
    fig.update_xaxes(visible=False, constrain="domain")
    fig.update_yaxes(visible=False, autorange="reversed", scaleanchor="x", constrain="domain")
    return fig


def feature_journey(
    frames: np.ndarray, colours: np.ndarray, names: Sequence[str], shape: tuple[int, int], most: int = 500
) -> Figure:
    """Features travelling over the grid, with a Play button and a slider.

    Parameters
    ----------
    frames
        ``(k, p, 2)`` row and column of each feature in each arrangement.
    colours
        ``(p, 3)`` uint8.
    names, shape
        ``p`` feature names, and the grid.
    most
        Features drawn, evenly chosen; at most 16 arrangements are.
    """
    few = np.unique(np.linspace(0, frames.shape[1] - 1, min(most, frames.shape[1])).astype(int))
    steps = np.unique(np.linspace(0, len(frames) - 1, min(16, len(frames))).astype(int))
    fig = figure(560)
    marker = {
        "size": max(4, min(14, round(420 / max(shape)))),
        "color": [f"rgb({r},{g},{b})" for r, g, b in colours[few].tolist()],
        "line": {"width": 0.5, "color": "rgba(90,93,101,.6)"},
    }
    first = frames[steps[0], few]
    fig.add_scatter(
        x=first[:, 1].tolist(), y=first[:, 0].tolist(), mode="markers", marker=marker,
        text=[plain(names[int(j)]) for j in few], hovertemplate="%{text}<extra></extra>", showlegend=False,
    )  # fmt: skip
    fig.frames = [
        {"name": str(k), "data": [{"x": at[:, 1].tolist(), "y": at[:, 0].tolist()}]}
        for k, at in enumerate(frames[steps][:, few])
    ]
    move = {"frame": {"duration": 500, "redraw": False}, "transition": {"duration": 450}, "fromcurrent": True}
    jump = {"frame": {"duration": 0, "redraw": False}, "transition": {"duration": 200}, "mode": "immediate"}
    fig.update_layout(
        updatemenus=[{
            "type": "buttons", "x": 0, "y": -0.04, "xanchor": "left", "yanchor": "top", "showactive": False,
            "buttons": [{"label": "Play", "method": "animate", "args": [None, move]}],
        }],
        sliders=[{
            "x": 0.14, "len": 0.86, "y": -0.02, "currentvalue": {"prefix": "Step "},
            "steps": [
                {"label": str(k), "method": "animate", "args": [[str(k)], jump]} for k in range(len(steps))
            ],
        }],
    )  # fmt: skip
    fig.update_xaxes(visible=False, range=[-1, shape[1]], constrain="domain")
    fig.update_yaxes(visible=False, range=[shape[0], -1], scaleanchor="x", constrain="domain")
    return fig
