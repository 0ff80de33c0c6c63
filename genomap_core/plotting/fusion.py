"""Figures of fusion: what each type of data does for each class, and how modules act together with regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.plotting.colour import normalise, vik
from genomap_core.plotting.template import colorscale, figure, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def type_heatmap(values: np.ndarray, types: Sequence[str], classes: Sequence[str]) -> Figure:
    """``(k, C)`` mean change of a class's probability by each type of data, NaN for a class without patients."""
    return _signed(values, types, classes, "change of<br>probability", "%{y}, %{x}: %{z:+.3f}", ".2f", 46)


def interaction_heatmap(
    values: np.ndarray, modules: Sequence[str], regions: Sequence[str], least: float = 0.0
) -> Figure:
    """``(M, R)`` change of each region's attribution by each module, in log-odds.

    ``least``: the colour scale reaches at least so far, so that what is next to nothing looks like nothing.
    """
    fig = _signed(values, modules, regions, "log-odds", "%{y} with region %{x}: %{z:+.3f}", None, 26, least)
    return fig.update_xaxes(title_text="region of the image")


def _number(value: float, form: str) -> str:
    """With its sign; zero has none."""
    text = format(value, "+" + form)
    return text if float(text) else text[1:]


def _signed(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    unit: str,
    hover: str,
    text: str | None,
    row: int,
    least: float = 0.0,
) -> Figure:
    values = np.asarray(values, np.float64)
    limit = max(float(np.nanmax(np.abs(values))), least) if np.isfinite(values).any() else 1.0
    limit = limit or 1.0
    names, across = [plain(name) for name in rows], [plain(name) for name in columns]
    fig = figure(max(row * len(rows) + 110, 260))
    fig.add_heatmap(
        z=values, x=across, y=names, zmin=-limit, zmax=limit, colorscale=colorscale(signed=True), xgap=2, ygap=2,
        colorbar={"title": {"text": unit, "side": "top", "font": {"size": 12}}, "thickness": 12, "outlinewidth": 0},
        hovertemplate=hover + "<extra></extra>",
    )  # fmt: skip
    if text is not None:
        ink = vik()[normalise(values, -limit, limit)] @ np.array([0.299, 0.587, 0.114])
        for (i, j), v in np.ndenumerate(values):
            fig.add_annotation(
                x=across[j], y=names[i], text="no patient" if np.isnan(v) else _number(v, text), showarrow=False,
                font={"color": "#14161a" if ink[i, j] > 140 else "#ffffff", "size": 14},
            )  # fmt: skip
    fig.update_xaxes(showgrid=False, type="category", side="bottom")
    fig.update_yaxes(showgrid=False, type="category", autorange="reversed")
    return fig
