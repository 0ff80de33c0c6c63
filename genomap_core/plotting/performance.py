"""Figures about predictions: ROC, calibration, confusion, scores with intervals, learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.plotting.colour import CATEGORICAL, cividis
from genomap_core.plotting.curves import one_against_rest, reliability_bins
from genomap_core.plotting.template import (
    GREY,
    colorscale,
    colour_of,
    dash_of,
    figure,
    plain,
    symbol_of,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def roc(y: np.ndarray, probas: Mapping[str, np.ndarray], classes: Sequence[str]) -> Figure:
    """ROC curves of several models on the same patients.

    Parameters
    ----------
    y
        ``(n,)`` class codes.
    probas
        Model -> ``(n, C)`` probabilities; rows with NaN (a failed fold) are left out.
    classes
        ``C`` names. Two classes: the second one against the first; more: mean of each class against the rest.
    """
    what = plain(classes[1]) if len(classes) == 2 else "mean over classes"
    fig = figure(400, x=f"false positive rate ({what})", y="true positive rate")
    fig.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": GREY, "dash": "dot", "width": 1},
        name="chance",
        hoverinfo="skip",
    )
    for i, (name, proba) in enumerate(probas.items()):
        fpr, tpr, area = one_against_rest(np.asarray(y), np.asarray(proba), len(classes))
        fig.add_scatter(
            x=fpr, y=tpr, mode="lines", line={"color": colour_of(i), "dash": dash_of(i), "width": 2},
            name=f"{plain(name)} · AUC {area:.3f}",
            hovertemplate="%{x:.2f}, %{y:.2f}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    fig.update_xaxes(range=[-0.01, 1.01], constrain="domain", dtick=0.2)
    fig.update_yaxes(range=[-0.01, 1.01], scaleanchor="x", constrain="domain", dtick=0.2)
    return fig


def reliability(y: np.ndarray, probas: Mapping[str, np.ndarray], n_bins: int = 10) -> Figure:
    """Calibration: how often the predicted class was right, against how sure the model was, with counts below.

    Parameters
    ----------
    y
        ``(n,)`` class codes.
    probas
        Model -> ``(n, C)`` probabilities; rows with NaN are left out.
    n_bins
        Equal steps of the highest probability; bars show how many patients fall into each, lines Wilson's 95 %
        interval of the share that was right.
    """
    fig = figure(400, y="share that was right", barmode="group")
    fig.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": GREY, "dash": "dot", "width": 1},
        name="perfect",
        hoverinfo="skip",
    )
    lowest = 1.0
    for i, (name, proba) in enumerate(probas.items()):
        bins = reliability_bins(np.asarray(y), np.asarray(proba), n_bins)
        lowest = min(lowest, float(bins.confidence.min(initial=1.0)))
        style = {"color": colour_of(i), "symbol": symbol_of(i), "size": 8}
        interval = {
            "type": "data",
            "array": bins.high - bins.right,
            "arrayminus": bins.right - bins.low,
            "thickness": 1,
        }
        step = 0.6 / n_bins / max(1, len(probas))
        fig.add_scatter(
            x=bins.confidence, y=bins.right, mode="markers+lines", marker=style, name=plain(name), legendgroup=str(i),
            line={"color": colour_of(i), "width": 1.5, "dash": dash_of(i)}, customdata=bins.count,
            error_y={**interval, "width": 0},
            hovertemplate="sure %{x:.0%}, right %{y:.0%}, %{customdata} patients<extra>%{fullData.name}</extra>",
        )  # fmt: skip
        fig.add_bar(
            x=bins.confidence, y=bins.count, width=step, offset=(i - len(probas) / 2) * step, yaxis="y2",
            marker_color=colour_of(i), name=plain(name), legendgroup=str(i), showlegend=False,
            hovertemplate="%{y} patients<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    start = np.floor(lowest * 10) / 10
    fig.update_layout(
        xaxis={"range": [start - 0.03, 1.03], "title_text": "highest probability", "anchor": "y2", "tickformat": ".0%"},
        yaxis={"domain": [0.3, 1], "range": [-0.03, 1.05], "tickformat": ".0%"},
        yaxis2={
            "domain": [0, 0.2],
            "title_text": "patients",
            "gridcolor": fig.layout.yaxis.gridcolor,
            "automargin": True,
            "nticks": 3,
        },
    )
    return fig


def confusion(y: np.ndarray, proba: np.ndarray, classes: Sequence[str]) -> Figure:
    """How often each class (row) was predicted as each class (column): counts, coloured by the share of the row."""
    y, proba = np.asarray(y), np.asarray(proba)
    known = ~np.isnan(proba).any(axis=1)
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (y[known].astype(int), proba[known].argmax(axis=1)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ink = cividis()[(share * 255).astype(int)] @ np.array([0.299, 0.587, 0.114])
    names = [plain(c) for c in classes]
    fig = figure(max(300, 44 * len(classes) + 140), x="predicted", y="true")
    fig.add_heatmap(
        z=share, x=names, y=names, colorscale=colorscale(), zmin=0, zmax=1, xgap=2, ygap=2, customdata=counts,
        colorbar={
            "title": {"text": "share of the true class", "side": "right"},
            "thickness": 12, "outlinewidth": 0, "tickformat": ".0%",
        },
        hovertemplate="true %{y}, predicted %{x}: %{customdata} (%{z:.0%})<extra></extra>",
    )  # fmt: skip
    for (i, j), n in np.ndenumerate(counts):
        fig.add_annotation(
            x=names[j], y=names[i], text=str(n), showarrow=False,
            font={"color": "#14161a" if ink[i, j] > 140 else "#ffffff", "size": 14},
        )  # fmt: skip
    fig.update_xaxes(showgrid=False, type="category")
    fig.update_yaxes(showgrid=False, type="category", autorange="reversed")
    return fig


def score_intervals(
    rows: Sequence[tuple[str, float, float, float]], metric: str, reference: float | None = None
) -> Figure:
    """One dot with its interval for each model, first row on top.

    Parameters
    ----------
    rows
        ``(model, score, low, high)``; NaN scores (a model that failed) are shown as an empty row.
    metric
        Title of the axis.
    reference
        A score to compare with (chance, the linear baseline), as a dotted line.
    """
    names = [plain(name) for name, *_ in rows]
    value, low, high = (np.array([r[k] for r in rows], float) for k in (1, 2, 3))
    interval = {"type": "data", "array": high - value, "arrayminus": value - low}
    order = range(len(rows))
    fig = figure(70 + 44 * max(1, len(rows)), x=plain(metric))
    fig.add_scatter(
        x=value, y=names, mode="markers", showlegend=False,
        marker={"size": 11, "color": [colour_of(i) for i in order], "symbol": [symbol_of(i) for i in order]},
        error_x={**interval, "width": 5, "thickness": 1.6, "color": GREY},
        customdata=np.stack([low, high], axis=1),
        hovertemplate="%{y}: %{x:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})<extra></extra>",
    )  # fmt: skip
    for name, v, a, b in zip(names, value, low, high, strict=True):
        text = f"{v:.3f}  ({a:.3f} to {b:.3f})" if np.isfinite(v) else "no result"
        fig.add_annotation(x=1.01, xref="paper", y=name, text=text, showarrow=False, xanchor="left")
    if reference is not None:
        fig.add_vline(x=reference, line={"color": GREY, "dash": "dot", "width": 1.5})
    fig.update_yaxes(autorange="reversed", type="category", categoryorder="array", categoryarray=names, range=None)
    fig.update_layout(margin_r=170)
    return fig


def learning_curves(epochs: Sequence[Mapping[str, float]], measure: str) -> Figure:
    """One measure by epoch, training as a line, validation dashed; a colour for each averaged network.

    Parameters
    ----------
    epochs
        One mapping an epoch of a network: ``epoch``, ``member`` (from 0), the measure, and ``val_`` + the measure.
    measure
        ``loss`` or ``accuracy``; what an epoch lacks is left out.
    """
    members = sorted({int(e["member"]) for e in epochs})
    fig = figure(300, x="epoch", y=measure)
    for m in members:
        own = [e for e in epochs if e["member"] == m]
        for key, name, dash in ((measure, "training", "solid"), (f"val_{measure}", "validation", "dash")):
            known = [e for e in own if key in e]
            if known:
                fig.add_scatter(
                    x=[e["epoch"] for e in known], y=[e[key] for e in known], mode="lines",
                    name=name + (f", network {m + 1}" if len(members) > 1 else ""),
                    line={"color": CATEGORICAL[m % len(CATEGORICAL)], "dash": dash, "width": 2},
                )  # fmt: skip
    if measure == "accuracy":
        fig.update_yaxes(range=[0, 1.05])
    return fig
