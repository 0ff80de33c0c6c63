"""Pictures of docs/layout.md: ``python -m tools.layout_figures --before-after FILE.png --front FILE.svg``.

``--before-after``: one table in its own order, as published, and laid out by ours. ``--front``: distortion against
neighbour correlation from rows that ``python -m tools.layout_benchmark --json ROWS.json`` wrote.
"""

from __future__ import annotations

import argparse
import io
import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from genomap_core.layout import make_layout
from genomap_core.workflows.tabular.layout_study import arrangement_picture, feature_colours, table_order
from tools.layout_benchmark import OURS, synthetic

SIDE, GAP, TOP = 288, 16, 26
PANEL_W, PANEL_H, PAD, LABELS = 480, 320, 56, 150
INK, OWN, PEER = "#1b1d22", "#0072b2", "#d55e00"


def before_after(X: np.ndarray, solvers: tuple[str, ...] = ("published", "ot")) -> bytes:
    """PNG of a table ``(n, p)`` in its own order and laid out by each solver; like features have like colours."""
    colours = feature_colours(X)
    layouts = [make_layout(X, solver=name) for name in solvers]
    panels = [("the table's order", table_order(layouts[0]))]
    for layout in layouts:
        q = layout.quality
        panels.append(
            (f"{layout.solver}: neighbours {q.neighbour_correlation:.2f}, GW {q.gw_distortion:.3f}", layout.positions)
        )
    image = Image.new("RGB", (len(panels) * (SIDE + GAP) - GAP, SIDE + TOP), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(14)
    for k, (title, positions) in enumerate(panels):
        pixels = Image.fromarray(arrangement_picture(positions, colours, layouts[0].shape, SIDE))
        image.paste(pixels, (k * (SIDE + GAP), TOP), pixels)
        draw.text((k * (SIDE + GAP), 4), title, fill=INK, font=font)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def front_svg(rows: list[dict[str, Any]], columns: int = 2) -> str:
    """The trade-off of each data set in a panel of its own: ours as a line, peers as named points.

    The random control and the published objective lie far outside and are left out.
    """
    done = [row for row in rows if "failed" not in row and row["solver"] not in ("random", "published objective")]
    sources = list(dict.fromkeys(row["source"] for row in done))
    width, height = min(columns, len(sources)) * PANEL_W, -(-len(sources) // columns) * PANEL_H
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="11" fill="{INK}" role="img">',
        "<title>Distortion against neighbour correlation, ours and peers</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for k, source in enumerate(sources):
        parts.append(f'<g transform="translate({k % columns * PANEL_W} {k // columns * PANEL_H})">')
        parts += _panel(source, [row for row in done if row["source"] == source])
        parts.append("</g>")
    return "\n".join([*parts, "</svg>\n"])


def _panel(source: str, rows: list[dict[str, Any]]) -> list[str]:
    gw = np.array([row["gw_distortion"] for row in rows])
    near = np.array([row["neighbour_correlation"] for row in rows])
    end = PANEL_W - LABELS
    x = PAD + (gw - gw.min()) / max(np.ptp(gw), 1e-9) * (end - PAD)
    floor = min(0.0, float(near.min()))
    y = PANEL_H - PAD - (near - floor) / max(near.max() - floor, 1e-9) * (PANEL_H - 2 * PAD)
    bottom = PANEL_H - PAD + 14
    title = f"{rows[0]['p']:,} simulated features" if source.isdigit() else Path(source).stem
    out = [
        f'<text x="{PAD - 14}" y="18" font-size="14" font-weight="600">{escape(title)}</text>',
        f'<path d="M{PAD - 14} {PAD - 14}V{bottom}H{end + 14}" fill="none" stroke="#8a8f98"/>',
        f'<text x="{end + 14}" y="{bottom + 30}" text-anchor="end">GW distortion (left is better)</text>',
        f'<text x="{PAD - 14}" y="{PAD - 20}">neighbour correlation (up is better)</text>',
    ]
    out += [
        f'<text x="{at}" y="{bottom + 14}" text-anchor="middle">{value:.3f}</text>'
        for value, at in ((gw.min(), PAD), (gw.max(), end))
    ]
    out += [
        f'<text x="{PAD - 18}" y="{at + 4}" text-anchor="end">{value:.2f}</text>'
        for value, at in ((floor, PANEL_H - PAD), (near.max(), PAD))
    ]
    own = sorted((i for i, row in enumerate(rows) if row["solver"] in OURS), key=lambda i: gw[i])
    line = " ".join(f"{x[i]:.1f},{y[i]:.1f}" for i in own)
    out.append(f'<polyline points="{line}" fill="none" stroke="{OWN}" stroke-width="2"/>')
    out += [f'<circle cx="{x[i]:.1f}" cy="{y[i]:.1f}" r="4" fill="{OWN}"/>' for i in own]
    at = 0.0
    for i in np.argsort(y, kind="stable"):  # names in a column, in the order of the points, none upon another
        mine = rows[i]["solver"] in OURS
        at = max(float(y[i]), at + 14)
        colour = OWN if mine else PEER
        if not mine:
            out.append(f'<rect x="{x[i] - 4:.1f}" y="{y[i] - 4:.1f}" width="8" height="8" fill="{colour}"/>')
        name = rows[i]["solver"].replace("ot", "ours", 1) if mine else rows[i]["solver"]
        out.append(f'<path d="M{x[i] + 6:.1f} {y[i]:.1f}L{end + 16} {at:.1f}" stroke="{colour}" stroke-width=".4"/>')
        out.append(f'<text x="{end + 18}" y="{at + 4:.1f}" fill="{colour}">{escape(name)}</text>')
    return out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.layout_figures", description=__doc__)
    parser.add_argument("--before-after", type=Path)
    parser.add_argument("--front", type=Path)
    parser.add_argument("--rows", nargs="*", type=Path, default=[], help="of the benchmark, for --front")
    options = parser.parse_args()
    if options.before_after:
        options.before_after.write_bytes(before_after(synthetic(400, 1024)))
    if options.front:
        rows = [row for file in options.rows for row in json.loads(file.read_text())]
        options.front.write_text(front_svg(rows))


if __name__ == "__main__":
    main()
