"""Figures of predicted expression: correlations beside chance, predicted against measured, spots of a tissue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.plotting.template import GREY, colorscale, colour_of, figure, plain, symbol_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BINS = 40


def r_histogram(r: np.ndarray, null: np.ndarray) -> Figure:
    """Pearson's r of every gene ``(g,)`` beside that of permutations ``(b, g)``, as shares of the genes."""
    fig = figure(320, x="Pearson's r, out of fold", y="share of the genes", barmode="overlay")
    low, high = float(min(r.min(), null.min())), float(max(r.max(), null.max()))
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    share = np.histogram(r, edges)[0] / len(r)
    chance = np.histogram(null, edges)[0] / null.size
    fig.add_bar(
        x=middles, y=share, width=np.diff(edges), marker={"color": colour_of(0), "opacity": 0.85}, name="genes",
        hovertemplate="r about %{x:.2f}: %{y:.1%} of the genes<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=middles, y=chance, mode="lines", line={"color": GREY, "width": 2, "shape": "hvh"}, name="permuted patients",
        hovertemplate="r about %{x:.2f}: %{y:.1%} by chance<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(tickformat=".0%")
    return fig


def predicted_measured(
    truth: np.ndarray, predicted: np.ndarray, ids: Sequence[str], cohort: np.ndarray, names: Sequence[str], unit: str
) -> Figure:
    """One gene: predicted against measured ``(n,)``, a point a patient, coloured by cohort."""
    fig = figure(420, x=f"measured, {plain(unit)}", y=f"predicted, {plain(unit)}")
    ends = [float(truth.min()), float(truth.max())]
    fig.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dot", "width": 1}, name="equal", hoverinfo="skip"
    )
    for k, name in enumerate(names):
        own = np.flatnonzero(cohort == k).tolist()
        fig.add_scatter(
            x=truth[own], y=predicted[own], mode="markers", name=plain(name), text=[plain(ids[i]) for i in own],
            marker={"color": colour_of(k), "symbol": symbol_of(k), "size": 7, "opacity": 0.8},
            hovertemplate="%{text}: measured %{x:.2f}, predicted %{y:.2f}<extra></extra>",
        )  # fmt: skip
    fig.update_layout(showlegend=len(names) > 1)
    return fig


def tissue(places: np.ndarray, values: np.ndarray, span: tuple[float, float], unit: str, ids: Sequence[str]) -> Figure:
    """Spots of one section ``(n, 2)`` coloured by a gene's values ``(n,)``."""
    fig = figure(420)
    fig.add_scatter(
        x=places[:, 0], y=places[:, 1], mode="markers", text=[plain(i) for i in ids],
        marker={
            "color": values, "cmin": span[0], "cmax": span[1], "colorscale": colorscale(), "size": 11,
            "colorbar": {"title": {"text": plain(unit), "side": "right"}, "thickness": 12, "outlinewidth": 0},
        },
        hovertemplate="%{text}: %{marker.color:.2f}<extra></extra>",
    )  # fmt: skip
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False, autorange="reversed", scaleanchor="x")
    return fig
