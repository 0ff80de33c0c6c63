"""Figures of the robustness study set by set: scores, one pair of models, and small panels over conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.plotting.template import GREY, colour_of, dash_of, figure, plain, symbol_of

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

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
            hovertemplate="%{customdata[0]}: %{x:+.4f}, p %{customdata[1]:.2g}<extra></extra>",
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
