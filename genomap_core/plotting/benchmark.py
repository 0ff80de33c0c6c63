"""Figures of the robustness study: ranks, differences, curves over conditions, winners, costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.plotting.template import GREY, colour_of, dash_of, figure, plain, symbol_of

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

_INTERVAL = {"type": "data", "thickness": 1, "width": 0}


def mean_rank_diagram(
    ranks: Mapping[str, float], titles: Mapping[str, str], difference: float, bars: Sequence[tuple[int, int]]
) -> Figure:
    """Critical-difference diagram: models at their mean rank, joined where they don't differ (Demsar, 2006).

    Parameters
    ----------
    ranks
        Model -> mean rank, 1 is best.
    titles
        Model -> what is shown; its order decides the colours.
    difference
        Mean ranks further apart than this differ.
    bars
        First and last model of each joined group, counted in the order of the ranks.
    """
    order = sorted(ranks, key=lambda m: ranks[m])
    k, n_bars = len(order), len(bars)
    fig = figure(120 + 26 * k + 12 * n_bars, x="mean rank (1 is best)")
    end = max(k, 1 + (difference if math.isfinite(difference) else 0)) + 1
    depths = [-(n_bars * 0.5 + 1 + place) for place in range(k)]
    for model, y in zip(order, depths, strict=True):
        style = _style(titles, model)
        fig.add_scatter(
            x=[ranks[model], ranks[model]], y=[0, y], mode="lines", line={"color": style["color"], "width": 1},
            showlegend=False, hoverinfo="skip",
        )  # fmt: skip
        fig.add_scatter(
            x=[ranks[model]], y=[y], mode="markers", marker={**style, "size": 9}, showlegend=False, cliponaxis=False,
            hovertemplate=f"{plain(titles[model])}: {ranks[model]:.3f}<extra></extra>",
        )  # fmt: skip
    for i, (first, last) in enumerate(bars):
        ends = [ranks[order[first]] - 0.04, ranks[order[last]] + 0.04]
        fig.add_scatter(
            x=ends, y=[-0.5 * (i + 1)] * 2, mode="lines", line={"color": GREY, "width": 5}, showlegend=False,
            hovertemplate="not told apart<extra></extra>",
        )  # fmt: skip
    if math.isfinite(difference):
        fig.add_scatter(
            x=[1, 1 + difference], y=[1, 1], mode="lines+text", line={"color": GREY, "width": 2}, showlegend=False,
            text=["", f" critical difference {difference:.2f}"], textposition="middle right", hoverinfo="skip",
        )  # fmt: skip
    fig.update_xaxes(range=[0.8, end], dtick=1)
    fig.update_yaxes(
        tickmode="array", tickvals=depths, ticktext=[f"{plain(titles[m])}  {ranks[m]:.2f}" for m in order],
        range=[-(n_bars * 0.5 + k + 0.8), 1.8], zeroline=False,
    )  # fmt: skip
    return fig


def difference_intervals(
    rows: Sequence[tuple[str, float, float, float]], titles: Mapping[str, str], metric: str
) -> Figure:
    """The reference model minus each other: ``(model, mean, low, high)``; right of zero, the reference is better."""
    names = [plain(titles[m]) for m, *_ in rows]
    mean, low, high = (np.array([r[i] for r in rows], float) for i in (1, 2, 3))
    fig = figure(110 + 34 * max(1, len(rows)), x=f"difference in {plain(metric)}")
    fig.add_scatter(
        x=[0, 0], y=[-0.6, len(rows) - 0.4], mode="lines", line={"color": GREY, "dash": "dot", "width": 1.5},
        showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    for i, (model, *_) in enumerate(rows):
        style = _style(titles, model)
        ends = {"array": [high[i] - mean[i]], "arrayminus": [mean[i] - low[i]]}
        fig.add_scatter(
            x=[mean[i]], y=[i], mode="markers", marker={**style, "size": 10}, showlegend=False,
            error_x={**_INTERVAL, **ends, "color": style["color"]},
            hovertemplate=f"{names[i]}: {mean[i]:+.4f} ({low[i]:+.4f} to {high[i]:+.4f})<extra></extra>",
        )  # fmt: skip
    fig.update_yaxes(
        tickmode="array", tickvals=list(range(len(rows))), ticktext=names, range=[len(rows) - 0.4, -0.6],
        showgrid=False, zeroline=False,
    )  # fmt: skip
    return fig


def condition_curve(
    curve: pd.DataFrame, titles: Mapping[str, str], metric: str, x_title: str, *, height: int = 380, legend: bool = True
) -> Figure:
    """Score of each model against the share of rows or the level of noise, for one data set or the mean.

    ``curve``: columns ``model, x, mean, low, high``; ``low`` and ``high`` NaN where there is no interval.
    """
    fig = figure(height, x=x_title, y=plain(metric))
    for i, model in enumerate(titles):
        part = curve[curve["model"] == model].sort_values("x")
        if part.empty:
            continue
        style = _style(titles, model)
        error = {**_INTERVAL, "array": part["high"] - part["mean"], "arrayminus": part["mean"] - part["low"]}
        fig.add_scatter(
            x=part["x"].to_list(), y=part["mean"].to_list(), mode="lines+markers", name=plain(titles[model]),
            line={"color": style["color"], "dash": dash_of(i), "width": 2}, marker={**style, "size": 7},
            error_y=error if part["low"].notna().any() else None, showlegend=legend,
            hovertemplate="%{x:g} %: %{y:.3f}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    fig.update_layout(xaxis={"tickmode": "array", "tickvals": sorted(set(curve["x"]))})
    return fig


def winners_map(winners: pd.DataFrame, titles: Mapping[str, str], metric: str) -> Figure:
    """Who wins where: data sets by samples and features; the larger the mark, the larger the lead over the second.

    ``winners``: columns ``dataset, n, p, models, score, lead``; a set whose best ``models`` are several is a ring.
    """
    fig = figure(420, x="samples", y="features")
    winner = winners["models"].map(lambda models: models[0] if len(models) == 1 else "")
    for model in (*titles, ""):
        part = winners[winner == model]
        if part.empty:
            continue
        lead = part["lead"].to_numpy(float)
        sizes = 9 + 60 * np.clip(np.nan_to_num(lead), 0, 0.25)
        style = _style(titles, model) if model else {"color": GREY, "symbol": "circle-open", "line": {"width": 2}}
        best = part["models"].map(lambda models: "<br>".join(plain(titles[m]) for m in models))
        fig.add_scatter(
            x=part["n"].to_list(), y=part["p"].to_list(), mode="markers",
            name=plain(titles[model]) if model else "several, equal",
            marker={**style, "size": sizes.tolist(), "opacity": 0.85},
            customdata=np.column_stack([part["dataset"].map(plain), part["score"], lead, best]),
            hovertemplate="%{customdata[0]}: %{x:,} x %{y:,}<br>" + plain(metric)
            + " %{customdata[1]:.3f}, lead %{customdata[2]:.3f}<extra>%{customdata[3]}</extra>",
        )  # fmt: skip
    fig.update_xaxes(**_log_axis(winners["n"]))
    fig.update_yaxes(**_log_axis(winners["p"]))
    return fig


def cost_curve(costs: pd.DataFrame, titles: Mapping[str, str], column: str, y_title: str) -> Figure:
    """Seconds or memory of a run against the number of features, both logarithmic; a mark a data set.

    ``costs``: columns ``dataset, model, p`` and `column`.
    """
    fig = figure(420, x="features", y=y_title)
    for model in titles:
        part = costs[(costs["model"] == model) & (costs[column] > 0)].sort_values("p")
        if part.empty:
            continue
        fig.add_scatter(
            x=part["p"].to_list(), y=part[column].to_list(), mode="markers", name=plain(titles[model]),
            marker={**_style(titles, model), "size": 8, "opacity": 0.85}, text=part["dataset"].map(plain).to_list(),
            hovertemplate="%{text}: %{x:,} features, %{y:.3g}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    fig.update_xaxes(**_log_axis(costs["p"]))
    fig.update_yaxes(**_log_axis(costs[column]))
    return fig


def _log_axis(values: pd.Series) -> dict[str, Any]:
    """A logarithmic axis whose ticks are whole numbers: 1, 2, 5, 10, ..., or powers of ten where these are too many."""
    values = values[values > 0]
    if values.empty:
        return {"type": "log"}
    decades = range(math.floor(math.log10(values.min())), math.ceil(math.log10(values.max())) + 1)
    steps = (1, 2, 5) if len(decades) <= 4 else (1,)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {"type": "log", "tickmode": "array", "tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}


def _style(titles: Mapping[str, str], model: str) -> dict[str, Any]:
    place = list(titles).index(model)
    return {"color": colour_of(place), "symbol": symbol_of(place)}
