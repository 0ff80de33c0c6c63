"""One patient under two models as a report: answers, attributions, scores, map, origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genomap_core.plotting.static_map import StaticMap
from genomap_core.reports.document import Block, Columns, Document, Heading, Picture, Table, Text, warnings


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
    stays_possible: str
    """The prediction set, and how often such sets held the truth"""
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


def patient_document(report: PatientReport) -> Document:
    """The report as headings, tables and pictures: two to four pages."""
    labels = tuple(a.label for a in report.answers)
    return Document(
        f"{report.patient}: genomap report",
        (
            Text(f"Cohort: {report.cohort}. Values: {report.unit}.", kind="about"),
            *warnings(report.warnings),
            Heading("What the models say"),
            Table(("class", *labels), _probability_rows(report)),
            Text("In brackets: the range over fresh draws of measurement noise.", kind="about"),
            *(Text(f"{a.in_words} {a.stays_possible}", lead=f"{a.label}:") for a in report.answers),
            Heading("Where they looked"),
            Picture(report.picture, "The patient's map once for each model, with the attribution on top."),
            Text(f"Attributions explain the probability of {report.explained}. {report.agreement}"),
            Columns(tuple(_top_features(a, report.unit) for a in report.answers)),
            Heading("How good the models are"),
            Table(("score", *labels), _score_rows(report)),
            Text("On patients that the models had not seen, with 95 % intervals.", kind="about"),
            Heading("How good the map is"),
            Table(("measure", "this layout", "random layout"), report.layout),
            Heading("Where this comes from"),
            Table(("what", "value"), tuple(report.provenance.items())),
        ),
    )


def _probability_rows(report: PatientReport) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (name, *(f"{a.proba[k]:.0%} ({a.low[k]:.0%} to {a.high[k]:.0%})" for a in report.answers))
        for k, name in enumerate(report.classes)
    )


def _top_features(answer: ModelAnswer, unit: str) -> tuple[Block, ...]:
    rows = tuple((name, f"{share:+.3g}", f"{value:.4g}") for name, share, value in answer.top)
    return (
        Heading(f"{answer.label}, {answer.method}", level=3),
        Table(("feature", "attribution", f"value ({unit})"), rows),
        Text(f"Attributions and baseline sum to the output up to {abs(answer.completeness_gap):.2g}.", kind="about"),
    )


def _score_rows(report: PatientReport) -> tuple[tuple[str, ...], ...]:
    titles = [title for title, _ in report.answers[0].scores]
    return tuple((title, *(dict(a.scores).get(title, "-") for a in report.answers)) for title in titles)
