"""Gene maps for files and reports: PNG through Pillow, SVG as text; both with scale, unit and research-use line."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from genomap_core.errors import InputError
from genomap_core.plotting.colour import (
    HATCH_RGB,
    MISSING_RGB,
    blend_overlay,
    cividis,
    label_ticks,
    normalise,
    ticks,
    vik,
)
from genomap_core.plotting.research_use import RESEARCH_USE

_MARGIN, _GAP, _CAPTION, _TITLE, _BAR, _LEGEND, _FOOT = 24, 16, 22, 30, 11, 62, 44
_BLANK_RGB, _INK, _MUTED = (240, 241, 244), "#1b1d22", "#555963"
_CONTROL = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
"""What XML forbids even when escaped."""
_BAR_WIDTH, _FONT = 260, "Source Sans Pro, Helvetica, Arial, sans-serif"


@dataclass(frozen=True, eq=False)
class StaticMap:
    """One to a few dozen maps on one scale.

    Parameters
    ----------
    maps
        ``(k, c, H, W)``; NaN where there is no feature, or where its value is missing.
    occupied
        ``(c, H, W)`` bool: which cells hold a feature; None: those that are finite in any map.
    filled
        ``(k, c, H, W)`` bool: values that were not measured but filled in; hatched over their colour.
    labels, channel_names
        Captions of the ``k`` maps and ``c`` omics types.
    value_range, unit
        Ends of the scale of the values, always cividis: its grey middle is 0 where the ends are alike; and its unit.
    overlay, overlay_label, overlay_limit, overlay_opacity
        ``(k, c, H, W)`` signed attribution drawn on top, and the absolute value of its full colour.
    cell
        Pixels a cell, at least 1.
    columns
        Panels in a row; None: near-square.
    """

    maps: np.ndarray
    labels: tuple[str, ...]
    value_range: tuple[float, float]
    unit: str = "value"
    occupied: np.ndarray | None = None
    channel_names: tuple[str, ...] = ("",)
    title: str = ""
    note: str = ""
    overlay: np.ndarray | None = None
    overlay_label: str = ""
    overlay_limit: float = 1.0
    overlay_opacity: float = 0.8
    cell: int = 0
    columns: int | None = None
    filled: np.ndarray | None = None

    def __post_init__(self) -> None:
        if np.ndim(self.maps) != 4:
            raise InputError(f"`maps` must be (maps, omics types, height, width), got shape {np.shape(self.maps)}.")
        k, c = np.shape(self.maps)[:2]
        if (len(self.labels), len(self.channel_names)) != (k, c):
            raise InputError(f"{k} maps of {c} types need as many captions, got {len(self.labels)} labels.")
        if self.overlay is not None and np.shape(self.overlay) != np.shape(self.maps):
            raise InputError(f"`overlay` has shape {np.shape(self.overlay)}, the maps {np.shape(self.maps)}.")
        if self.filled is not None and np.shape(self.filled) != np.shape(self.maps):
            raise InputError(f"`filled` has shape {np.shape(self.filled)}, the maps {np.shape(self.maps)}.")

    @property
    def cell_size(self) -> int:
        """`cell`, or what makes a panel about 460 pixels (160 for many)."""
        k, c, height, width = np.shape(self.maps)
        return self.cell or max(1, round((460 if k * c <= 2 else 220 if k * c <= 6 else 150) / max(height, width)))

    def has_feature(self, c: int) -> np.ndarray:
        """``(H, W)`` bool: the cells of omics type ``c`` that hold a feature."""
        return np.isfinite(self.maps[:, c]).any(0) if self.occupied is None else np.asarray(self.occupied[c])

    def panel(self, i: int) -> tuple[str, np.ndarray, np.ndarray]:
        """Caption, colours ``(H, W, 3)`` uint8 and hatched cells ``(H, W)`` bool of panel ``i``."""
        k, c = divmod(i, len(self.channel_names))
        values = np.asarray(self.maps[k, c])
        occupied = self.has_feature(c)
        rgb = cividis()[normalise(values, *self.value_range)]
        if self.overlay is not None:
            rgb = blend_overlay(rgb, self.overlay[k, c], self.overlay_limit, self.overlay_opacity)
        missing = np.isnan(values)
        rgb = np.where(
            occupied[..., None],
            np.where(missing[..., None], np.array(MISSING_RGB, np.uint8), rgb),
            np.array(_BLANK_RGB, np.uint8),
        )
        hatched = occupied & (missing if self.filled is None else missing | self.filled[k, c])
        return " · ".join(t for t in (self.labels[k], self.channel_names[c]) if t), rgb, hatched

    def scales(self) -> Iterator[tuple[str, float, float, np.ndarray]]:
        """Title, ends and table of each colour bar."""
        yield self.unit, *self.value_range, cividis()
        if self.overlay is not None:
            yield f"Attribution · {self.overlay_label}", -self.overlay_limit, self.overlay_limit, vik()


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where everything goes, in pixels."""

    width: int
    height: int
    panels: tuple[tuple[int, int], ...]
    legend_top: int


def _frame(m: StaticMap) -> _Frame:
    k, c, height, width = np.shape(m.maps)
    count = k * c
    across = m.columns or (c if c > 1 and k > 1 else min(count, int(np.ceil(np.sqrt(count)))))
    down = -(-count // across)
    w, h = width * m.cell_size, height * m.cell_size
    top = _MARGIN + (_TITLE if m.title else 0)
    legend_top = top + down * (h + _CAPTION) + (down - 1) * _GAP + 20
    places = tuple(
        (_MARGIN + (i % across) * (w + _GAP), top + _CAPTION + (i // across) * (h + _CAPTION + _GAP))
        for i in range(count)
    )
    bars = 1 + (m.overlay is not None)
    total = max(across * w + (across - 1) * _GAP, 420) + 2 * _MARGIN
    return _Frame(total, legend_top + bars * _LEGEND + _FOOT, places, legend_top)


def map_png(m: StaticMap, scale: int = 2) -> bytes:
    """The picture as PNG bytes, ``scale`` times the nominal size."""
    frame = _frame(m)
    image = Image.new("RGB", (frame.width * scale, frame.height * scale), "white")
    draw = ImageDraw.Draw(image)

    def write(x: float, y: float, text: str, size: int, colour: str = _INK, anchor: str = "ls") -> None:
        text = text.replace("−", "-")  # the bundled font has no minus sign
        draw.text((x * scale, y * scale), text, fill=colour, font=_font(text, size * scale), anchor=anchor)

    if m.title:
        write(_MARGIN, _MARGIN + 16, m.title, 17)
    for i, (x, y) in enumerate(frame.panels):
        caption, rgb, hatched = m.panel(i)
        write(x, y - 8, caption, 13)
        pixels = _hatched_pixels(rgb, hatched, m.cell_size * scale)
        image.paste(Image.fromarray(pixels), (x * scale, y * scale))
        h, w = pixels.shape[:2]
        draw.rectangle((x * scale - 1, y * scale - 1, x * scale + w, y * scale + h), outline="#b9bcc4", width=1)
    for n, (title, low, high, table) in enumerate(m.scales()):
        y = frame.legend_top + n * _LEGEND
        write(_MARGIN, y + 10, title, 12)
        bar = Image.fromarray(np.repeat(table[None], 2, 0)).resize(
            (_BAR_WIDTH * scale, _BAR * scale), Image.Resampling.NEAREST
        )
        image.paste(bar, (_MARGIN * scale, (y + 18) * scale))
        for at, text in _tick_places(low, high):
            draw.line((at * scale, (y + 29) * scale, at * scale, (y + 33) * scale), fill=_INK, width=scale)
            write(at, y + 45, text, 11, anchor="ms")
    foot = frame.height - _FOOT
    write(_MARGIN, foot + 4, _footnote(m), 11, _MUTED)
    write(_MARGIN, foot + 26, RESEARCH_USE, 12)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=False)
    return out.getvalue()


def map_svg(m: StaticMap) -> str:
    """The picture as a self-contained SVG: cells are vector shapes, all text is escaped, nothing is loaded."""
    frame = _frame(m)
    size = m.cell_size
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{frame.width}" height="{frame.height}" '
        f'viewBox="0 0 {frame.width} {frame.height}" font-family="{_FONT}" fill="{_INK}" role="img">',
        f"<title>{escape(_CONTROL.sub(' ', m.title or 'Gene map'))}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    if m.title:
        parts.append(_text(_MARGIN, _MARGIN + 16, m.title, 17, "font-weight='600'"))
    for i, (x, y) in enumerate(frame.panels):
        caption, rgb, hatched = m.panel(i)
        h, w = hatched.shape
        parts.append(_text(x, y - 8, caption, 13, "font-weight='600'"))
        parts.append(f'<g transform="translate({x} {y}) scale({size})" shape-rendering="crispEdges">')
        parts += _cell_paths(rgb, hatched)
        parts.append(f'<rect width="{w}" height="{h}" fill="none" stroke="#b9bcc4" stroke-width="{1 / size:.4g}"/></g>')
    for n, (title, low, high, table) in enumerate(m.scales()):
        y = frame.legend_top + n * _LEGEND
        parts.append(_text(_MARGIN, y + 10, title, 12, "font-weight='600'"))
        parts.append(_gradient(f"scale{n}", table))
        parts.append(f'<rect x="{_MARGIN}" y="{y + 18}" width="{_BAR_WIDTH}" height="{_BAR}" fill="url(#scale{n})"/>')
        for at, text in _tick_places(low, high):
            parts.append(f'<path d="M{at:.1f} {y + 29}v4" stroke="{_INK}"/>')
            parts.append(_text(at, y + 45, text, 11, "text-anchor='middle'"))
    foot = frame.height - _FOOT
    parts.append(_text(_MARGIN, foot + 4, _footnote(m), 11, f"fill='{_MUTED}'"))
    parts.append(_text(_MARGIN, foot + 26, RESEARCH_USE, 12, "font-weight='600'"))
    return "\n".join([*parts, "</svg>"])


def _font(text: str, size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own font; for letters beyond Latin one of the system's, where there is one."""
    if not text.isascii():
        with suppress(UnicodeEncodeError):
            text.encode("latin-1")
            return ImageFont.load_default(size)
        with suppress(OSError):
            return ImageFont.truetype("DejaVuSans.ttf", size)
    return ImageFont.load_default(size)


def _hatched_pixels(rgb: np.ndarray, hatched: np.ndarray, size: int) -> np.ndarray:
    """Cells blown up to ``size`` pixels, with diagonal lines where hatched."""
    pixels = np.repeat(np.repeat(rgb, size, 0), size, 1)
    mask = np.repeat(np.repeat(hatched, size, 0), size, 1)
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    step = max(3, min(8, size))
    pixels[mask & ((x + y) % step < max(1, step // 4))] = HATCH_RGB
    return pixels


def _cell_paths(rgb: np.ndarray, hatched: np.ndarray) -> Iterator[str]:
    """One path for each colour, runs of equal cells in a row as one rectangle; then the hatching."""
    codes = (rgb.astype(np.int64) << np.array([16, 8, 0])).sum(-1)
    pieces: dict[int, list[str]] = {}
    for y, row in enumerate(codes):
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        for x, end in zip(starts, [*starts[1:], len(row)], strict=True):
            pieces.setdefault(int(row[x]), []).append(f"M{x} {y}h{end - x}v1h-{end - x}z")
    for code, shapes in sorted(pieces.items()):
        yield f'<path fill="#{code:06x}" d="{"".join(shapes)}"/>'
    if hatched.any():
        lines = [
            f"M{x + a:g} {y + 1 - b:g}L{x + 1 - b:g} {y + a:g}"
            for y, x in np.argwhere(hatched)
            for a, b in ((0, 0), (0.5, 0), (0, 0.5))
        ]
        yield f'<path stroke="{_hex(HATCH_RGB)}" stroke-width=".16" d="{"".join(lines)}"/>'


def _tick_places(low: float, high: float) -> list[tuple[float, str]]:
    marks = ticks(low, high)
    return [
        (_MARGIN + (v - low) / (high - low) * _BAR_WIDTH, text)
        for v, text in zip(marks, label_ticks(marks), strict=True)
    ]


def _footnote(m: StaticMap) -> str:
    missing = any((m.has_feature(c) & np.isnan(m.maps[:, c])).any() for c in range(len(m.channel_names)))
    filled = m.filled is not None and m.filled.any()
    hatching = "hatched: not measured or dropped" if missing else ""
    return " · ".join(t for t in (m.note, hatching, "hatched in colour: filled from the others" if filled else "") if t)


def _text(x: float, y: float, text: str, size: int, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" {more}>{escape(_CONTROL.sub(" ", text))}</text>'


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _gradient(name: str, table: np.ndarray) -> str:
    stops = "".join(f'<stop offset="{i / 255:.4f}" stop-color="{_hex(tuple(table[i]))}"/>' for i in range(0, 256, 5))
    return f'<linearGradient id="{name}">{stops}</linearGradient>'
