"""Figures of imaging: predicted expression beside chance, values over regions, what each type of data does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.plotting.colour import normalise, vik
from genomap_core.plotting.template import GREY, colorscale, colour_of, figure, plain, symbol_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_GREY = np.array([0.299, 0.587, 0.114])
_SCALE = 9
"""Screen pixels of one pixel of an image of 64: borders and numbers stay readable."""


def to_rgb(image: np.ndarray) -> np.ndarray:
    """``(c, H, W)`` -> ``(H, W, 3)`` uint8: three channels as red, green and blue, else the first as grey.

    The central 99 % of the values cover the scale.
    """
    shown = image if len(image) == 3 else np.repeat(image[:1], 3, axis=0)
    low, high = np.percentile(shown, [0.5, 99.5])
    share = np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1)
    return np.moveaxis((255 * share).round().astype(np.uint8), 0, -1)


def overlaid(rgb: np.ndarray, values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """Signed values ``(H, W)`` in the colours of vik over a picture ``(H, W, 3)``, stronger where they are larger.

    ``limit``: absolute value in full colour; None: the 99.5 % quantile.
    """
    limit = limit or float(np.quantile(np.abs(values), 0.995)) or 1.0
    colours = vik()[normalise(values, -limit, limit)].astype(np.float64)
    weight = 0.75 * np.clip(np.abs(values) / limit, 0, 1)[..., None]
    grey = rgb @ _GREY
    return ((1 - weight) * grey[..., None] + weight * colours).round().astype(np.uint8)


def with_regions(rgb: np.ndarray, labels: np.ndarray, numbered: bool = True) -> np.ndarray:
    """Borders of the regions ``(H, W)`` int, and their numbers from 1, on the enlarged picture."""
    from PIL import Image, ImageDraw, ImageFont

    k = max(1, round(_SCALE * 64 / max(labels.shape)))
    large, big = np.kron(rgb, np.ones((k, k, 1), np.uint8)), np.kron(labels, np.ones((k, k), labels.dtype))
    border = np.zeros(big.shape, bool)
    border[1:] |= big[1:] != big[:-1]
    border[:, 1:] |= big[:, 1:] != big[:, :-1]
    large[border] = 0 if border.any() and (large[border] @ _GREY).mean() > 140 else 255  # seen on tissue as on a scan
    picture = Image.fromarray(large)
    if numbered:
        draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=max(18, round(2.5 * k)))
        for label in np.unique(labels[labels >= 0]):
            rows, columns = np.nonzero(labels == label)
            nearest = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()  # inside, whatever its shape
            at = (k * (columns[nearest] + 0.5), k * (rows[nearest] + 0.5))
            draw.text(at, str(label + 1), "white", font, anchor="mm", stroke_width=2, stroke_fill="black")
    return np.asarray(picture)


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


def over_slide(
    thumbnail: np.ndarray, size: tuple[int, int], places: np.ndarray, span: float, values: np.ndarray, unit: str
) -> Figure:
    """Values ``(p,)`` of patches in their places over a slide's ``thumbnail (h, w, 3)`` uint8; the rest shows it bare.

    ``size``: width and height of the slide, ``places (p, 2)`` x and y of the patches' centres and ``span`` their side,
    all in its pixels.
    """
    from PIL import Image

    width, height = size
    rows, columns = (max(int(length // span), 1) for length in (height, width))
    z = np.full((rows, columns), np.nan)
    column, row = np.minimum((places / span).astype(int), (columns - 1, rows - 1)).T
    z[row, column] = values
    low, high = (float(v) for v in np.percentile(values, [2, 98]))
    fig = figure(460)
    fig.add_layout_image(
        source=Image.fromarray(thumbnail), xref="x", yref="y", x=0, y=0, sizex=width, sizey=height, sizing="stretch",
        layer="below",
    )  # fmt: skip
    fig.add_heatmap(
        z=z, x0=span / 2, dx=span, y0=span / 2, dy=span, zmin=low, zmax=max(high, low + 1e-9),
        opacity=0.65, colorscale=colorscale(), hoverongaps=False, hovertemplate="%{z:.3g}<extra></extra>",
        colorbar={"title": {"text": plain(unit), "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )  # fmt: skip
    fig.update_xaxes(visible=False, range=[0, width], constrain="domain")
    fig.update_yaxes(visible=False, range=[height, 0], scaleanchor="x", constrain="domain")
    return fig


def type_heatmap(values: np.ndarray, types: Sequence[str], classes: Sequence[str]) -> Figure:
    """``(k, C)`` mean change of a class's probability by each type of data, NaN for a class without patients."""
    return _signed(values, types, classes, "change of<br>probability", "%{y}, %{x}: %{z:+.3f}", ".2f", 34)


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
    fig = figure(max(row * len(rows) + 110, 210))
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
