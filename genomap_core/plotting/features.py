"""Figures about one patient: where a feature stands in the cohort, what models say, and what they looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.plotting.colour import vik
from genomap_core.plotting.template import GREY, colour_of, figure, plain, symbol_of, translucent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MANY = 400  # points of one class beyond which only every k-th is drawn


def feature_distribution(
    values: np.ndarray,
    y: np.ndarray | None,
    classes: Sequence[str],
    *,
    highlight: int | None = None,
    feature: str = "",
    unit: str = "value",
) -> Figure:
    """One feature over the cohort: a violin and a strip of points for each class, the patient as a diamond.

    Parameters
    ----------
    values
        ``(n,)``; NaN where missing.
    y, classes
        ``(n,)`` class codes and their names; None: one group.
    highlight
        Row of the patient.
    feature, unit
        Title of the axis.
    """
    values = np.asarray(values, float)
    codes = np.zeros(len(values), int) if y is None else np.asarray(y, int)
    names = ["cohort"] if y is None else [plain(c) for c in classes]
    fig = figure(110 + 58 * len(names), x=" · ".join(plain(t) for t in (feature, unit) if t))
    for c, name in enumerate(names):
        group = values[(codes == c) & np.isfinite(values)]
        colour = GREY if y is None else colour_of(c)
        spread = len(group) > 2 and float(np.ptp(group)) > 0
        if spread:
            fig.add_violin(
                x=group, y0=c, orientation="h", width=0.8, points=False, line={"color": colour, "width": 1},
                showlegend=False, fillcolor=translucent(colour, 0.18), hoverinfo="skip", spanmode="hard",
            )  # fmt: skip
        shown = np.sort(group)[:: max(1, len(group) // _MANY)]
        jitter = ((np.arange(len(shown)) * 0.618034) % 1 - 0.5) * 0.36  # golden-ratio steps: even, and always the same
        fig.add_scatter(
            x=shown, y=c + jitter, mode="markers", showlegend=False, name=name,
            marker={"size": 4, "color": translucent(colour, 0.65)},
            hovertemplate="%{x:.4g}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
        if len(group):
            middle = float(np.median(group))
            fig.add_shape(
                type="line", x0=middle, x1=middle, y0=c - 0.36, y1=c + 0.36, line={"color": colour, "width": 2.5}
            )
    if highlight is not None and np.isfinite(values[highlight]):
        fig.add_vline(x=float(values[highlight]), line={"color": "#c2185b", "width": 1.2, "dash": "dot"})
        fig.add_scatter(
            x=[values[highlight]], y=[codes[highlight]], mode="markers", name="this patient",
            marker={"symbol": "diamond", "size": 14, "color": "#c2185b", "line": {"color": "#ffffff", "width": 1.5}},
            hovertemplate="this patient: %{x:.4g}<extra></extra>",
        )  # fmt: skip
    fig.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6], showgrid=False, zeroline=False
    )
    return fig


_WIDE = 0.15
"""Share that has room for its number inside of the bar; one that has not would be written in tiny letters."""


def probability_bars(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray | None, np.ndarray | None]],
    classes: Sequence[str],
    compact: bool = False,
) -> Figure:
    """Class probabilities of one patient under several models, side by side, with their uncertainty.

    Parameters
    ----------
    rows
        ``(model, probability (C,), low (C,) or None, high (C,) or None)``.
    classes
        ``C`` names.
    compact
        As low as can be read, without the axis' title.
    """
    names = [plain(c) for c in classes]
    height = 62 + (17 * len(rows) + 6) * len(names) if compact else 100 + (26 * len(rows) + 14) * len(names)
    fig = figure(height, x="" if compact else "probability", barmode="group", bargap=0.15 if compact else 0.3)
    for i, (label, proba, low, high) in enumerate(rows):
        proba = np.asarray(proba, float)
        within = [not compact and bool(p >= _WIDE) for p in proba]
        error = None
        if low is not None and high is not None:
            error = {
                "type": "data", "array": np.maximum(np.asarray(high) - proba, 0),
                "arrayminus": np.maximum(proba - np.asarray(low), 0), "thickness": 1.6, "width": 4, "color": GREY,
            }  # fmt: skip
        fig.add_bar(
            x=proba, y=names, orientation="h", name=plain(label), error_x=error,
            marker_color=colour_of(i),
            # Outside its bar the label stands clear of the line of the range; it is never shrunk.
            text=[f"{p:.0%}" if inside or not error else "\u00a0" * 6 + f"{p:.0%}" for p, inside in zip(proba, within)],
            textangle=0, insidetextanchor="start", constraintext="none", cliponaxis=False,
            textposition=["inside" if inside else "outside" for inside in within],
            hovertemplate="%{y}: %{x:.1%}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    fig.update_xaxes(range=[0, 1.3 if compact else 1.02], tickvals=[0, 0.5, 1] if compact else None, tickformat=".0%")
    fig.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return fig


def attribution_bars(names: Sequence[str], values: np.ndarray | Mapping[str, np.ndarray]) -> Figure:
    """The features that mattered most, first on top; of one model, or of several side by side.

    Parameters
    ----------
    names
        ``m`` feature names.
    values
        ``(m,)`` signed attributions of one model (coloured by sign), or model -> ``(m,)`` (coloured by model).
    """
    labels = [plain(n) for n in names]
    several = isinstance(values, Mapping)
    series = (
        {k: np.asarray(v, float) for k, v in values.items()}
        if isinstance(values, Mapping)
        else {"": np.asarray(values, float)}
    )
    fig = figure(90 + (16 + 12 * len(series)) * max(1, len(labels)), x="attribution", barmode="group", bargap=0.25)
    against, favour = (f"rgb{tuple(int(v) for v in vik()[i])}" for i in (64, 192))
    for i, (label, v) in enumerate(series.items()):
        fig.add_bar(
            x=v, y=np.arange(len(labels)), orientation="h", name=plain(label), showlegend=several, customdata=labels,
            marker_color=colour_of(i) if several else [favour if a > 0 else against for a in v],
            hovertemplate="%{customdata}: %{x:+.4g}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    fig.add_vline(x=0, line={"color": GREY, "width": 1})
    fig.update_yaxes(tickvals=np.arange(len(labels)), ticktext=labels, range=[len(labels) - 0.4, -0.6], showgrid=False)
    return fig


def attribution_agreement(
    first: np.ndarray, second: np.ndarray, names: Sequence[str], labels: tuple[str, str], n_named: int = 6
) -> Figure:
    """Do two models look at the same features? One point a feature, ``(p,)`` attribution of each model.

    The ``n_named`` features with the largest attributions are named. Features that neither model used are left out.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    used = np.flatnonzero(np.isfinite(a) & np.isfinite(b) & ((a != 0) | (b != 0)))
    span = max((float(np.abs(v[used]).max(initial=0)) for v in (a, b)), default=0.0)
    fig = figure(420, x=plain(labels[0]), y=plain(labels[1]), showlegend=False)
    fig.add_scatter(
        x=[-span, span],
        y=[-span, span],
        mode="lines",
        line={"color": GREY, "dash": "dot", "width": 1},
        hoverinfo="skip",
    )
    fig.add_scatter(
        x=a[used], y=b[used], mode="markers", text=[plain(names[int(j)]) for j in used],
        marker={"size": 6, "color": translucent(colour_of(0), 0.55), "symbol": symbol_of(0)},
        hovertemplate="%{text}<br>%{x:+.4g}, %{y:+.4g}<extra></extra>",
    )  # fmt: skip
    for j in used[np.argsort(-np.hypot(a[used], b[used]))][:n_named]:
        fig.add_annotation(x=a[j], y=b[j], text=plain(names[int(j)]), showarrow=False, yshift=11, font_size=11)
    fig.update_xaxes(zeroline=True)
    fig.update_yaxes(zeroline=True)
    return fig
