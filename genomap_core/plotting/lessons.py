"""Figures of the Learn page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.plotting.performance import wilson
from genomap_core.plotting.template import GREY, colorscale, colour_of, dash_of, figure, plain, symbol_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FRAME_MS = 160


def rebuilding(frames: Sequence[np.ndarray], truth: np.ndarray) -> Figure:
    """A shuffled picture, the same on its way back with a play button and a slider, and the truth.

    ``frames``: ``(H, W)`` each, the first one shuffled, the last one the result; ``truth (H, W)``.
    """
    import plotly.graph_objects as go

    low, high = float(truth.min()), float(truth.max())
    titles = ("shuffled", "rebuilt from samples alone", "the truth, never shown to it")
    fig = figure(400, margin_t=34)
    for k, picture in enumerate((frames[0], frames[-1], truth)):
        axis = "" if k == 0 else str(k + 1)
        fig.add_trace(
            go.Heatmap(
                z=picture, zmin=low, zmax=high, colorscale=colorscale(), showscale=False, hoverinfo="skip",
                xaxis=f"x{axis}", yaxis=f"y{axis}",
            )
        )  # fmt: skip
        left = k * 0.345
        square = {"visible": False, "constrain": "domain"}
        fig.update_layout({
            f"xaxis{axis}": {**square, "domain": [left, left + 0.31], "anchor": f"y{axis}"},
            f"yaxis{axis}": {**square, "autorange": "reversed", "scaleanchor": f"x{axis}", "anchor": f"x{axis}"},
        })  # fmt: skip
        fig.add_annotation(
            text=titles[k],
            x=left + 0.155,
            y=1.0,
            xref="paper",
            yref="paper",
            xanchor="center",
            yanchor="bottom",
            showarrow=False,
        )
    fig.frames = [go.Frame(name=str(k), traces=[1], data=[go.Heatmap(z=z)]) for k, z in enumerate(frames)]
    run = {"frame": {"duration": FRAME_MS, "redraw": True}, "transition": {"duration": 0}, "fromcurrent": False}
    jump = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    fig.update_layout(
        updatemenus=[{
            "type": "buttons", "showactive": False, "x": 0, "y": -0.02, "xanchor": "left", "yanchor": "top",
            "buttons": [{"label": "▶ Watch the features travel", "method": "animate", "args": [None, run]}],
        }],
        sliders=[{
            "active": len(frames) - 1, "x": 0.36, "len": 0.64, "y": -0.02, "yanchor": "top",
            "currentvalue": {"prefix": "step "},
            "steps": [{"label": str(k), "method": "animate", "args": [[str(k)], jump]} for k in range(len(frames))],
        }],
    )  # fmt: skip
    return fig


def accuracy_when_disturbed(
    disturbed: Sequence[float],
    accuracy: Mapping[str, Sequence[float]],
    n_test: int,
    titles: Mapping[str, str],
    at: float | None,
    axis: str,
) -> Figure:
    """Accuracy of each model against how far test patients are disturbed, with 95 % Wilson intervals.

    ``disturbed`` and ``at``, which a line marks, are shares; ``axis`` says of what.
    """
    fig = figure(340, x=axis, y="accuracy on test patients")
    for i, (name, shares) in enumerate(accuracy.items()):
        value = np.asarray(shares)
        low, high = wilson(value, np.full(len(value), n_test))
        fig.add_scatter(
            x=100 * np.asarray(disturbed) + 0.6 * (i - 1.5), y=value, name=plain(titles[name]), mode="lines+markers",
            line={"color": colour_of(i), "dash": dash_of(i), "width": 2}, marker={"symbol": symbol_of(i), "size": 9},
            error_y={"type": "data", "array": high - value, "arrayminus": value - low, "thickness": 1, "width": 3},
            hovertemplate="%{y:.3f}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    if at is not None:
        fig.add_vline(100 * at, line={"color": GREY, "dash": "dot"})
    return fig


def found_causes(found: Mapping[str, float], shuffled: Mapping[str, float]) -> Figure:
    """How well each method finds the planted features (ROC-AUC), with the trained network and with shuffled weights."""
    fig = figure(320, x="planted genes found (ROC-AUC; 0.5 is chance)", barmode="group", bargap=0.3)
    for name, values, colour, pattern in (
        ("shuffled weights (control)", shuffled, GREY, "/"),
        ("trained network", found, colour_of(0), ""),
    ):
        fig.add_bar(
            x=list(values.values()), y=[plain(k) for k in values], orientation="h", name=name,
            marker={"color": colour, "pattern_shape": pattern}, text=[f"{v:.2f}" for v in values.values()],
            textposition="outside", cliponaxis=False,
        )  # fmt: skip
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(range=[0, 1.08])
    fig.add_vline(0.5, line={"color": GREY, "dash": "dot"})
    fig.update_layout(legend_traceorder="reversed")
    return fig


def mismatch(
    off: np.ndarray, diffusion: np.ndarray, rate: np.ndarray, truth: tuple[float, float], title: str
) -> Figure:
    """How far the picture of every (D, rho) is from the one seen: ``off (len(diffusion), len(rate))``; the truth is
    marked.
    """
    fig = figure(360, x="growth rate rho (per step)", y="diffusion D (cells² per step)", margin_t=34)
    fig.add_heatmap(
        z=off, x=rate, y=diffusion, zmin=0, zmax=0.15, colorscale=colorscale(), reversescale=True,
        colorbar={"title": {"text": "difference", "side": "right"}, "thickness": 12},
        hovertemplate="D %{y:.3f}, rho %{x:.3f}: %{z:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=[truth[1]], y=[truth[0]], mode="markers", name="truth", showlegend=False,
        marker={"symbol": "x", "size": 13, "color": "#d55e00", "line": {"width": 1.5, "color": "#ffffff"}},
    )  # fmt: skip
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5]
    fig.update_xaxes(type="log", tickvals=ticks)
    fig.update_yaxes(type="log", tickvals=ticks)
    fig.add_annotation(text=title, x=0.5, y=1.0, xref="paper", yref="paper", yanchor="bottom", showarrow=False)
    return fig


def relatives(
    correlation: Mapping[str, np.ndarray], positions: np.ndarray, shape: tuple[int, int], names: Sequence[str]
) -> Figure:
    """Where the features lie that vary with a chosen one: a map for each choice, and a list to choose from.

    ``correlation``: chosen feature -> ``(p,)`` with every feature; ``positions (p, 2)`` row and column.
    """
    import plotly.graph_objects as go

    def board(values: np.ndarray) -> np.ndarray:
        cells = np.full(shape, np.nan)
        cells[tuple(positions.T)] = values
        return cells

    labels = np.full(shape, "", object)
    labels[tuple(positions.T)] = [plain(name) for name in names]
    first, at = next(iter(correlation)), dict(zip(names, positions.tolist(), strict=True))
    fig = figure(520, margin_t=60)
    fig.add_trace(
        go.Heatmap(
            z=board(correlation[first]), text=labels, zmin=-1, zmax=1, colorscale=colorscale(), xgap=1, ygap=1,
            hovertemplate="%{text}: r = %{z:.2f}<extra></extra>", colorbar={"title": {"text": "correlation r"}},
        )
    )  # fmt: skip
    ring = {"symbol": "square-open", "size": 16, "color": "#d7301f", "line": {"width": 3}}
    fig.add_trace(
        go.Scatter(x=[at[first][1]], y=[at[first][0]], mode="markers", marker=ring, hoverinfo="skip", showlegend=False)
    )
    fig.update_layout(
        xaxis={"visible": False, "constrain": "domain"},
        yaxis={"visible": False, "autorange": "reversed", "scaleanchor": "x"},
        updatemenus=[{
            "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom",
            "buttons": [
                {
                    "label": plain(name), "method": "restyle",
                    "args": [{"z": [board(values), None], "x": [None, [at[name][1]]], "y": [None, [at[name][0]]]}],
                }
                for name, values in correlation.items()
            ],
        }],
    )  # fmt: skip
    return fig
