"""A document of headings, texts, tables and pictures: as one self-contained HTML file, and as PDF."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import jinja2
from markupsafe import Markup

from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.plotting.static_map import StaticMap, map_png, map_svg
from genomap_core.reports.svg import to_svg

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TEMPLATE = Path(__file__).with_name("document.html")
_DASHES = {"dash": (5, 3), "dot": (1, 2), "dashdot": (5, 2, 1, 2)}
_TALLEST = 0.4
"""Share of a page's height that a picture may take."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of what follows."""

    words: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, perhaps with its first words in bold, perhaps as a quiet remark."""

    words: str
    lead: str = ""
    kind: str = ""
    """``warning``, ``about`` (a quiet remark), or a plain paragraph"""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; the first cell of a row names it."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """Gene maps, or a plotly figure of lines."""

    content: StaticMap | Figure
    title: str

    def svg(self) -> str:
        """As vectors."""
        if isinstance(self.content, StaticMap):
            return map_svg(self.content)
        return to_svg(self.content, title=self.title)


@dataclass(frozen=True, slots=True)
class Columns:
    """Blocks side by side where the page is wide enough, else one below the other."""

    columns: tuple[tuple[Block, ...], ...]


Block = Heading | Text | Table | Picture | Columns


@dataclass(frozen=True, slots=True)
class Document:
    """A title and what stands below it; the research-use line is added to every one."""

    title: str
    blocks: tuple[Block, ...]


def warnings(texts: Sequence[str]) -> tuple[Text, ...]:
    """Paragraphs that catch the eye."""
    return tuple(Text(words, lead="Warning:", kind="warning") for words in texts)


def render_html(document: Document) -> str:
    """One file without script or request; every name is shown as text."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        document=document, kind_of=_kind_of, svg=_svg, research_use=RESEARCH_USE
    )


def _kind_of(block: Block) -> str:
    return type(block).__name__


def _svg(picture: Picture) -> Markup:
    return Markup(picture.svg())


def render_pdf(document: Document) -> bytes:
    """The same content on A4."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    margin = 18 * mm
    styles = _styles()
    story = [
        Paragraph(escape(document.title), styles["Title"]),
        Paragraph(escape(RESEARCH_USE), styles["BodyText"]),
        *_flowables(document.blocks, styles, A4[0] - 2 * margin),
    ]
    out = io.BytesIO()
    sides = {"leftMargin": margin, "rightMargin": margin, "topMargin": 16 * mm, "bottomMargin": 16 * mm}
    foot = partial(_page_foot, document.title)
    SimpleDocTemplate(out, pagesize=A4, title=document.title, **sides).build(story, onFirstPage=foot, onLaterPages=foot)
    return out.getvalue()


def _page_foot(title: str, canvas: Any, page: Any) -> None:
    canvas.setFont("Helvetica", 8)
    canvas.drawString(page.leftMargin, 20, f"{title[:60]} - {RESEARCH_USE}")
    canvas.drawRightString(page.pagesize[0] - page.rightMargin, 20, f"{page.page}")


def _styles() -> Any:
    from reportlab.lib import colors
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet

    styles = getSampleStyleSheet()
    styles.add(ParagraphStyle("about", styles["BodyText"], textColor=colors.HexColor("#53565e")))
    styles.add(ParagraphStyle("warning", styles["BodyText"], backColor=colors.HexColor("#fdf1e8"), borderPadding=3))
    styles.add(ParagraphStyle("cell", styles["BodyText"], fontSize=9, leading=11.5))
    return styles


def _flowables(blocks: Sequence[Block], styles: Any, width: float) -> Iterator[Any]:
    from reportlab.platypus import KeepTogether, Paragraph

    waiting: list[Any] = []  # headings, for what they head
    for block in blocks:
        if isinstance(block, Heading):
            waiting.append(Paragraph(escape(block.words), styles[f"Heading{block.level}"]))
            continue
        if isinstance(block, Text):
            lead = f"<b>{escape(block.lead)}</b> " if block.lead else ""
            drawn = [Paragraph(lead + escape(block.words), styles[block.kind or "BodyText"])]
        elif isinstance(block, Table):
            drawn = [_table(block, styles, width)]
        elif isinstance(block, Picture):
            caption = Paragraph(escape(block.title), styles["about"])
            drawn = [KeepTogether([_picture(block, width), caption])]
        else:
            drawn = [_side_by_side(block, styles, width)]
        yield KeepTogether([*waiting, *_parts(drawn[0])])
        yield from drawn[1:]
        waiting = []


def _side_by_side(block: Columns, styles: Any, width: float) -> Any:
    """Short columns, which stay on one page; their blocks are headings, texts and tables."""
    from reportlab.platypus import KeepTogether
    from reportlab.platypus import Table as Grid

    gap, n = 12.0, len(block.columns)
    each = (width - gap * (n - 1)) / n
    cells = [[part for f in _flowables(column, styles, each) for part in _parts(f)] for column in block.columns]
    sides = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
    return KeepTogether([Grid([cells], colWidths=[each + gap] * (n - 1) + [each], style=sides)])


def _parts(flowable: Any) -> list[Any]:
    """What is kept together, one by one: reportlab breaks the page before what is kept together twice."""
    from reportlab.platypus import KeepTogether

    return list(flowable._content) if isinstance(flowable, KeepTogether) else [flowable]


def _table(table: Table, styles: Any, width: float) -> Any:
    from reportlab.lib import colors
    from reportlab.platypus import Paragraph
    from reportlab.platypus import Table as Grid

    cells = [[Paragraph(escape(cell), styles["cell"]) for cell in row] for row in (table.header, *table.rows)]
    look = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.HexColor("#c9cdd4")),
        ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#eff4f6")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    n = len(table.header)
    widths = [0.3 * width, 0.7 * width] if n == 2 else [width / n] * n
    return Grid(cells, colWidths=widths, style=look, repeatRows=1)


def _picture(picture: Picture, width: float) -> Any:
    """Maps as pixels, since a PDF of ten thousand cells as shapes is slow to open; figures as vectors."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image

    tallest = _TALLEST * A4[1]
    if isinstance(picture.content, StaticMap):
        png = map_png(picture.content, scale=2)
        columns, lines = ImageReader(io.BytesIO(png)).getSize()
        factor = min(width / columns, tallest / lines)
        return Image(io.BytesIO(png), width=columns * factor, height=lines * factor)
    return _figure(picture.content, width, min(tallest, 0.6 * width))


def _figure(figure: Figure, width: float, height: float) -> Any:
    """The lines of a plotly figure, drawn by reportlab."""
    from reportlab.graphics.charts.legends import Legend
    from reportlab.graphics.charts.lineplots import LinePlot
    from reportlab.graphics.shapes import Drawing, String
    from reportlab.lib.colors import toColor

    lines = [t for t in figure.data if t.mode == "lines"]
    plot, legend, drawing = LinePlot(), Legend(), Drawing(width, height)
    plot.x, plot.y, plot.width, plot.height = 50, 36, width - 70, height - 60 - 12 * len(lines)
    plot.data = [[(float(x), float(y)) for x, y in zip(t.x, t.y, strict=True)] for t in lines]
    for k, t in enumerate(lines):
        plot.lines[k].strokeColor, plot.lines[k].strokeWidth = toColor(t.line.color), t.line.width
        plot.lines[k].strokeDashArray = None if t.line.dash in (None, "solid") else _DASHES[t.line.dash]
    legend.x, legend.y, legend.fontSize, legend.dxTextSpace = 50, height, 8, 6
    legend.columnMaximum, legend.deltay, legend.dx, legend.dy = len(lines), 12, 14, 3
    legend.alignment, legend.colorNamePairs = "right", [(toColor(t.line.color), t.name) for t in lines]
    drawing.add(plot)
    drawing.add(legend)
    for axis, x, y in ((figure.layout.xaxis, width / 2, 4), (figure.layout.yaxis, 50, plot.y + plot.height + 8)):
        drawing.add(String(x, y, axis.title.text or "", fontSize=8, textAnchor="middle"))
    return drawing
