"""Figures about predictions: ROC, calibration, confusion, scores with intervals, learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.message import with_interval
from genomap_core.plotting.colour import CATEGORICAL, cividis
from genomap_core.plotting.template import GREY, colorscale, colour_of, dash_of, figure, plain, symbol_of, translucent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def one_against_rest(y: np.ndarray, proba: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray, float]:
    """False and true positive rates and the area under them.

    Two classes: the second against the first. More: the mean of the curves of each class against the rest, over the
    classes that occur. Rows with NaN are left out; a curve that is not defined is NaN.
    """
    from sklearn.metrics import auc, roc_curve

    known = ~np.isnan(proba).any(axis=1)
    y, proba = y[known], proba[known]
    positives = [c for c in ((1,) if n_classes == 2 else range(n_classes)) if 0 < (y == c).sum() < len(y)]
    if not positives:
        return np.array([0.0, 1.0]), np.array([np.nan, np.nan]), float("nan")
    curves = [roc_curve(y == c, proba[:, c])[:2] for c in positives]
    if len(curves) == 1:
        fpr, tpr = curves[0]
        return fpr, tpr, float(auc(fpr, tpr))
    area = float(np.mean([auc(f, t) for f, t in curves]))
    grid = np.linspace(0, 1, 201)
    mean = np.mean([np.interp(grid, f, t) for f, t in curves], axis=0)
    return np.concatenate([[0.0], grid]), np.concatenate([[0.0], mean]), area


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """Patients grouped by how sure the model was: arrays over the bins that hold anybody."""

    confidence: np.ndarray
    """Mean of the highest probability."""
    right: np.ndarray
    """Share whose predicted class was the true one."""
    low: np.ndarray
    high: np.ndarray
    """Wilson's 95 % interval of `right`."""
    count: np.ndarray


def reliability_bins(y: np.ndarray, proba: np.ndarray, n_bins: int = 10) -> ReliabilityBins:
    """Group ``(n, C)`` probabilities by their highest one in `n_bins` equal steps of [0, 1]."""
    known = ~np.isnan(proba).any(axis=1)
    sure, hit = proba[known].max(axis=1), proba[known].argmax(axis=1) == y[known]
    group = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    used = np.unique(group)
    count = np.array([(group == g).sum() for g in used], int)
    right = np.array([hit[group == g].mean() for g in used])
    confidence = np.array([sure[group == g].mean() for g in used])
    low, high = wilson(right, count)
    return ReliabilityBins(confidence, right, low, high, count)


def wilson(share: np.ndarray, count: np.ndarray, z: float = 1.959964) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's (1927) score interval of a share of `count` trials: within [0, 1], and around the share."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = np.minimum(middle - half, share), np.maximum(middle + half, share)
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


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
    texts = [with_interval(*r) if np.isfinite(r[0]) else "no result" for r in zip(value, low, high, strict=True)]
    order = range(len(rows))
    fig = figure(70 + 44 * max(1, len(rows)), x=plain(metric))
    fig.add_scatter(
        x=value, y=names, mode="markers", showlegend=False,
        marker={"size": 11, "color": [colour_of(i) for i in order], "symbol": [symbol_of(i) for i in order]},
        error_x={**interval, "width": 5, "thickness": 1.6, "color": GREY},
        customdata=texts,
        hovertemplate="%{y}: %{customdata}<extra></extra>",
    )  # fmt: skip
    for name, text in zip(names, texts, strict=True):
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


def robustness_curves(
    curves: Sequence[tuple[str, tuple[tuple[float, ...], np.ndarray, np.ndarray, np.ndarray]]],
    *,
    kept: bool,
    at: float | None = None,
    target: str = "the class",
) -> Figure:
    """A patient's probability of one class under several models, as noise grows or features are lost.

    Parameters
    ----------
    curves
        ``(model, (levels, mean, low, high))``; the band is from low to high.
    kept
        Whether the levels are shares of features kept, (0, 1] on a log axis from all to few; else noise in standard
        deviations.
    at
        Where a slider stands: a line across.
    target
        Name of the class.
    """
    title = "features kept" if kept else "noise (standard deviations)"
    fig = figure(300, x=title, y=f"probability of {plain(target)}")
    for i, (label, (levels, mean, low, high)) in enumerate(curves):
        x = list(levels)
        fig.add_scatter(
            x=[*x, *x[::-1]], y=[*high, *low[::-1]], fill="toself", fillcolor=translucent(colour_of(i), 0.15),
            line={"width": 0}, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        fig.add_scatter(
            x=x, y=mean, name=plain(label), mode="lines+markers", line={"color": colour_of(i)},
            hovertemplate="%{y:.0%} at %{x}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    if kept:
        ticks = [1, 0.5, 0.2, 0.1, 0.05]
        fig.update_xaxes(type="log", range=[0.02, -1.33], tickvals=ticks, ticktext=[f"{t:.0%}" for t in ticks])
    if at is not None:
        fig.add_vline(x=at, line={"dash": "dot", "width": 1.5, "color": GREY})
    fig.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return fig
