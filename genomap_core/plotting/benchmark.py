"""Figures of the robustness study: ranks, differences, curves over conditions, winners, costs, set by set."""

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
            hovertemplate=f"{names[i]}: {mean[i]:+.3f} ({low[i]:+.3f} to {high[i]:+.3f})<extra></extra>",
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


PANEL, GAP = 190, 58
"""Pixels: height of a panel, and between two rows of them."""


def set_scores_figure(scores: pd.DataFrame, titles: Mapping[str, str], metric: str) -> Figure:
    """Score of every model on every data set with its interval; models of one set lie close below each other.

    ``scores``: columns ``dataset, model, mean, low, high``.
    """
    sets = list(dict.fromkeys(scores["dataset"]))
    models = [m for m in titles if (scores["model"] == m).any()]
    step = 0.8 / max(1, len(models))
    fig = figure(90 + len(sets) * (14 + 10 * len(models)), x=plain(metric))
    for k, model in enumerate(models):
        part = scores[scores["model"] == model].set_index("dataset").reindex(sets)
        place = list(titles).index(model)
        fig.add_scatter(
            x=part["mean"].to_list(), y=[i - 0.4 + step * (k + 0.5) for i in range(len(sets))], mode="markers",
            name=plain(titles[model]),
            marker={"color": colour_of(place), "symbol": symbol_of(place), "size": 8},
            error_x=_interval(part["mean"], part["low"], part["high"], colour_of(place)),
            customdata=[plain(s) for s in sets],
            hovertemplate="%{customdata}: %{x:.3f}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    for i in range(1, len(sets)):
        fig.add_scatter(
            x=[scores["low"].fillna(scores["mean"]).min(), scores["high"].fillna(scores["mean"]).max()],
            y=[i - 0.5] * 2, mode="lines", line={"color": GREY, "width": 0.5}, showlegend=False, hoverinfo="skip",
        )  # fmt: skip
    fig.update_yaxes(
        tickmode="array", tickvals=list(range(len(sets))), ticktext=[plain(s) for s in sets], showgrid=False,
        range=[len(sets) - 0.5, -0.5], zeroline=False,
    )  # fmt: skip
    return fig


def paired_differences(frame: pd.DataFrame, title: str) -> Figure:
    """One model minus another, a row a data set or condition; coloured circles remain after Holm's correction.

    ``frame``: columns ``name, difference, low, high, p_holm``, its index 0, 1, ... from the top.
    """
    fig = figure(110 + 24 * max(1, len(frame)), x=plain(title))
    fig.add_scatter(
        x=[0, 0], y=[-0.6, len(frame) - 0.4], mode="lines", line={"color": GREY, "dash": "dot", "width": 1.5},
        showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    differ = frame["p_holm"] < 0.05
    for name, part, colour, symbol in (
        ("differ", frame[differ], colour_of(0), "circle"), ("not told apart", frame[~differ], GREY, "diamond")
    ):  # fmt: skip
        if part.empty:
            continue
        fig.add_scatter(
            x=part["difference"].to_list(), y=part.index.to_list(), mode="markers", name=name,
            marker={"color": colour, "symbol": symbol, "size": 9},
            error_x=_interval(part["difference"], part["low"], part["high"], colour),
            customdata=np.column_stack([part["name"].map(plain), part["p_holm"]]),
            hovertemplate="%{customdata[0]}: %{x:+.3f}, p %{customdata[1]:.2g}<extra></extra>",
        )  # fmt: skip
    fig.update_yaxes(
        tickmode="array", tickvals=frame.index.to_list(), ticktext=frame["name"].map(plain).to_list(),
        range=[len(frame) - 0.4, -0.6], showgrid=False, zeroline=False,
    )  # fmt: skip
    return fig


def condition_panels(
    curves: pd.DataFrame, titles: Mapping[str, str], metric: str, x_title: str, columns: int = 3
) -> Figure:
    """Score against the condition, a panel a data set, each with its own scale.

    ``curves``: columns ``dataset, model, x, mean``; data sets in the order in which they come.
    """
    from plotly.subplots import make_subplots

    sets = list(dict.fromkeys(curves["dataset"]))
    columns = min(columns, max(1, len(sets)))
    rows = -(-len(sets) // columns) or 1
    height = rows * PANEL + (rows - 1) * GAP
    like = figure(height + 130)
    grid = make_subplots(
        rows, columns, subplot_titles=[plain(s) for s in sets], vertical_spacing=GAP / height if rows > 1 else 0,
        horizontal_spacing=0.07,
    )  # fmt: skip
    grid.update_layout(like.layout.to_plotly_json() | {"xaxis": grid.layout.xaxis, "yaxis": grid.layout.yaxis})
    for name, axis in (("x", grid.update_xaxes), ("y", grid.update_yaxes)):
        look = like.layout[f"{name}axis"].to_plotly_json()
        axis(**{k: look[k] for k in ("gridcolor", "zerolinecolor", "linecolor")}, tickfont={"size": 11})
    traces = []
    for i, dataset in enumerate(sets):
        part, number = curves[curves["dataset"] == dataset], "" if i == 0 else str(i + 1)
        for k, model in enumerate(titles):
            line = part[part["model"] == model].sort_values("x")
            if not line.empty:
                axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
                traces.append(axes | _line(line, model, k, titles, metric, first=i == 0))
    grid.add_traces(traces)
    places = sorted(set(curves["x"]))
    third = (places[-1] - places[0]) / 3
    few = [x for x in places if x == places[0] or x - places[0] >= third]  # the labels of low noise would overlap
    grid.update_xaxes(tickmode="array", tickvals=few if len(places) > 5 else places)
    grid.update_annotations(font={"size": 13})
    grid.update_layout(margin={"l": 44, "r": 12, "t": 70, "b": 56}, legend={"y": 1 + 44 / height})
    grid.add_annotation(
        text=plain(x_title), x=0.5, y=0, yshift=-46, xref="paper", yref="paper", showarrow=False, font={"size": 13}
    )
    return grid


def _line(
    line: pd.DataFrame, model: str, place: int, titles: Mapping[str, str], metric: str, *, first: bool
) -> dict[str, Any]:
    name = plain(titles[model])
    return {
        "type": "scatter",
        "x": line["x"].to_list(),
        "y": line["mean"].to_list(),
        "mode": "lines+markers",
        "name": name,
        "legendgroup": model,
        "showlegend": first,
        "line": {"color": colour_of(place), "dash": dash_of(place), "width": 1.6},
        "marker": {"color": colour_of(place), "symbol": symbol_of(place), "size": 5},
        "hovertemplate": f"%{{x:g}} %: %{{y:.3f}} {plain(metric)}<extra>{name}</extra>",
    }


def _interval(mean: pd.Series, low: pd.Series, high: pd.Series, colour: str) -> dict[str, Any]:
    ends: dict[str, Sequence[float]] = {"array": (high - mean).to_list(), "arrayminus": (mean - low).to_list()}
    return {"type": "data", "thickness": 1, "width": 0, "color": colour, **ends}
