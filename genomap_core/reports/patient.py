"""One patient under two models as a report: self-contained HTML, and the same as PDF."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import jinja2
from markupsafe import Markup

from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.plotting.static_map import StaticMap, map_png, map_svg

_TEMPLATE = Path(__file__).with_name("patient.html")


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What one model says of the patient, and why."""

    label: str
    """Which model and which weights answered"""
    proba: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    """Range over fresh draws of the noise"""
    in_words: str
    """How often such a probability was right on held-out patients"""
    scores: tuple[tuple[str, str], ...]
    """Of the whole comparison: title, figure with interval"""
    method: str
    top: tuple[tuple[str, float, float], ...]
    """Feature, attribution, value; the largest first"""
    completeness_gap: float


@dataclass(frozen=True, eq=False)
class PatientReport:
    """Everything the report shows; names come in as the user chose them."""

    patient: str
    cohort: str
    unit: str
    classes: tuple[str, ...]
    explained: str
    """The class whose probability is explained"""
    answers: tuple[ModelAnswer, ...]
    picture: StaticMap
    """The patient once for each model, with that model's attribution on top"""
    agreement: str
    layout: tuple[tuple[str, str, str], ...]
    """Measure, this layout, random layout"""
    warnings: tuple[str, ...]
    provenance: Mapping[str, str]


def render_html(report: PatientReport) -> str:
    """One file without script or request; every name is shown as text."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        r=report, picture=Markup(map_svg(report.picture)), research_use=RESEARCH_USE
    )


def render_pdf(report: PatientReport) -> bytes:
    """The same content on A4."""
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.lib.units import mm
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

    styles = getSampleStyleSheet()
    width = A4[0] - 36 * mm

    def text(words: str, style: str = "BodyText") -> Paragraph:
        return Paragraph(escape(words), styles[style])

    def table(rows: Sequence[Sequence[str]]) -> Table:
        cells = [[text(str(c)) for c in row] for row in rows]
        look = [
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.HexColor("#c9cdd4")),
            ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#eff4f6")),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ]
        return Table(cells, colWidths=[width / len(rows[0])] * len(rows[0]), style=look, repeatRows=1)

    png = map_png(report.picture, scale=2)
    columns, lines = ImageReader(io.BytesIO(png)).getSize()
    picture = Image(io.BytesIO(png), width=width, height=width * lines / columns)
    story: list[Flowable] = [
        text(f"{report.patient}: genomap report", "Title"),
        text(RESEARCH_USE),
        text(f"Cohort: {report.cohort}. Values: {report.unit}."),
        *(text(f"Warning: {w}") for w in report.warnings),
        text("What the models say", "Heading2"),
        table([("class", *(a.label for a in report.answers)), *_probability_rows(report)]),
        *(text(f"{a.label}: {a.in_words}") for a in report.answers),
        text("Where they looked", "Heading2"),
        picture,
        text(f"Attributions explain the probability of {report.explained}. {report.agreement}"),
    ]
    for a in report.answers:
        rows = [("feature", "attribution", f"value ({report.unit})")]
        rows += [(name, f"{share:+.3g}", f"{value:.4g}") for name, share, value in a.top]
        heading = text(f"{a.label}, {a.method}", "Heading3")
        note = text(f"Attributions and baseline sum to the output up to {abs(a.completeness_gap):.2g}.")
        story.append(KeepTogether([heading, table(rows), note]))
    story += [
        text("How good the models are", "Heading2"),
        table([("score", *(a.label for a in report.answers)), *_score_rows(report)]),
        text("How good the map is", "Heading2"),
        table([("measure", "this layout", "random layout"), *report.layout]),
        text("Where this comes from", "Heading2"),
        table([("what", "value"), *report.provenance.items()]),
        Spacer(1, 4 * mm),
        text(RESEARCH_USE),
    ]
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=16 * mm,
        bottomMargin=16 * mm,
        title=f"{report.patient}: genomap report",
    )
    document.build(story)
    return out.getvalue()


def _probability_rows(report: PatientReport) -> list[tuple[str, ...]]:
    return [
        (name, *(f"{a.proba[k]:.0%} ({a.low[k]:.0%} to {a.high[k]:.0%})" for a in report.answers))
        for k, name in enumerate(report.classes)
    ]


def _score_rows(report: PatientReport) -> list[tuple[str, ...]]:
    titles = [title for title, _ in report.answers[0].scores]
    return [(title, *(dict(a.scores).get(title, "-") for a in report.answers)) for title in titles]
