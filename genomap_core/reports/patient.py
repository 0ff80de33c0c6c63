"""One patient under two models as a report: answers, attributions, scores, map, origin; gathered from a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.perturb import Perturbation
from genomap_core.plotting.colour import robust_range
from genomap_core.plotting.static_map import StaticMap
from genomap_core.reports.document import Block, Columns, Document, Heading, Picture, Table, Text, warnings
from genomap_core.reports.parts import layout_rows, origin
from genomap_core.reports.standing import standing_blocks
from genomap_core.workflows.comparison import conformal as sets
from genomap_core.workflows.comparison.scores import METRICS
from genomap_core.workflows.tabular.agreement import Agreed, agreed, noise_range
from genomap_core.workflows.tabular.compare import CompareResult
from genomap_core.workflows.tabular.genomap import (
    GenomapConfig,
    GenomapResult,
    layout_words,
    map_unit,
    region_groups,
    unit_words,
)
from genomap_core.workflows.tabular.outliers import Likeness, likeness
from genomap_core.workflows.tabular.patient import method_title
from genomap_core.workflows.tabular.stands_out import StandsOut


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
    undisturbed: tuple[float, ...] | None = None
    """Probabilities for the patient's own values, where ``proba`` is for disturbed ones"""


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
    disturbed: str = ""
    """In words how the values differ from the patient's own; empty: they are the patient's own"""
    standing: tuple[Block, ...] = ()
    """What stands out, of :func:`~genomap_core.reports.standing.standing_blocks`"""


def patient_document(report: PatientReport) -> Document:
    """The report as headings, tables and pictures: two to four pages."""
    labels = tuple(a.label for a in report.answers)
    disturbed = Text(
        f"These are not the patient's own values: {report.disturbed}. Beside each answer stands the one undisturbed.",
        lead="Disturbed:",
        kind="warning",
    )
    return Document(
        f"{report.patient}: genomap report",
        (
            Text(f"Cohort: {report.cohort}. Values: {unit_words(report.unit)}.", kind="about"),
            *((disturbed,) if report.disturbed else ()),
            *warnings(report.warnings),
            Heading("What the models say"),
            Table(("class", *labels), _probability_rows(report)),
            Text("In brackets: the range over fresh draws of measurement noise.", kind="about"),
            *(Text(f"{a.in_words} {a.stays_possible}", lead=f"{a.label}:") for a in report.answers),
            *report.standing,
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
    def said(a: ModelAnswer, k: int) -> str:
        own = "" if a.undisturbed is None else f"; undisturbed {a.undisturbed[k]:.0%}"
        return f"{a.proba[k]:.0%} ({a.low[k]:.0%} to {a.high[k]:.0%}){own}"

    return tuple((name, *(said(a, k) for a in report.answers)) for k, name in enumerate(report.classes))


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


N_TOP = 10
MANY = 1000
"""Features on the map from which attributions are first shown as sums over regions: single cells are hard to see."""

Answers = Sequence[Mapping[str, Any]]
"""One model each: ``model``, ``label``, ``proba (1 + draws, C)``; with an explanation also ``values (p,)``, ``method``
and ``completeness_gap``."""


@dataclass(frozen=True, eq=False)
class PatientCase:
    """One patient of a comparison, explained."""

    dataset: Dataset
    genomap: GenomapResult
    options: GenomapConfig
    """Of the layout"""
    found: CompareResult
    row: int
    target: int
    """The class that is explained"""
    answers: Answers
    shown: Perturbation = field(default_factory=Perturbation)
    confidence: float = 0.9
    """Asked of the prediction sets"""
    standing: StandsOut | None = None
    """What is unusual about the patient"""
    regions: np.ndarray | None = None
    """``(p,)`` map region of every feature; None: they are made when they are asked for"""

    @cached_property
    def agreed(self) -> Agreed | None:
        """Whether both models look at the same; None until two of them are explained."""
        answers = [
            a if "used" in a else {**a, "used": np.asarray(a["values"]) != 0} for a in self.answers if "values" in a
        ]
        if len(answers) != 2:
            return None
        regions = region_groups(self.genomap, self.dataset.n_features) if self.regions is None else self.regions
        return agreed(answers[0], answers[1], regions)

    @property
    def fold(self) -> int:
        """The fold whose models never saw the patient."""
        return int(self.found.fold_of_row[self.row])


def patient_report(case: PatientCase, name: str, picture: StaticMap, warnings: Sequence[str]) -> PatientReport:
    """The report, with no name in it but ``name``; every answer must have its explanation."""
    return PatientReport(
        patient=name,
        cohort=f"{case.dataset.n_samples:,} samples, {case.dataset.n_features:,} features",
        unit=case.dataset.unit,
        classes=case.found.classes,
        explained=case.found.classes[case.target],
        answers=tuple(_answer(case, a) for a in case.answers),
        picture=picture,
        agreement="" if case.agreed is None else case.agreed.words,
        layout=layout_rows(case.genomap),
        warnings=tuple(warnings),
        provenance=_provenance(case),
        disturbed=case.shown.in_words,
        standing=() if case.standing is None else standing_blocks(case.dataset, case.row, case.standing),
    )


def patient_likeness(genomap: GenomapResult, found: CompareResult, row: int) -> Likeness:
    """How far a patient lies from those that the models which answer were trained on."""
    return likeness(genomap.z[found.fold_of_row != found.fold_of_row[row]], genomap.z[row])


def warnings_of(case: PatientCase, like: Likeness) -> list[str]:
    """What a reader must know before believing the models about this patient."""
    dataset, row, answers, words = case.dataset, case.row, case.answers, []
    if like.unlike:
        words.append(
            "Unlike the training patients: this patient lies further from them on the map than 95 % of them lie from "
            "each other (a false alarm for one in twenty)."
        )
    guesses = {int(np.argmax(a["proba"][0])) for a in answers}
    if len(guesses) > 1:
        words.append("The models disagree on the class.")
    words += _wrong(dataset, row, answers)
    words += [said for a in answers if "values" in a and (said := _on_nothing(dataset, row, a))]
    pair = case.agreed
    if pair is not None and not np.isnan(pair.value) and not pair.beyond_chance:
        words.append(
            f"Both models look at different things (rank correlation {pair.value:+.2f}; random pairings stay within "
            f"{pair.chance:.2f}): neither should be believed alone."
        )
    missing = float(np.isnan(dataset.X[row]).mean()) if isinstance(dataset.X, np.ndarray) else 0.0
    if missing > 0.1:
        words.append(f"{missing:.0%} of this patient's values are missing.")
    return words


def _wrong(dataset: Dataset, row: int, answers: Answers) -> list[str]:
    """Models whose answer is not the label: what they looked at explains a wrong answer."""
    if dataset.y is None:
        return []
    truth = int(dataset.y[row])
    wrong = [a for a in answers if int(np.argmax(a.get("undisturbed", a["proba"])[0])) != truth]
    if not wrong:
        return []
    who = " and ".join(str(a["label"]) for a in wrong)
    verb = "are" if len(wrong) > 1 else "is"
    return [
        f"{who} {verb} wrong about this patient (labelled {dataset.classes[truth]}): attributions explain an error."
    ]


def _on_nothing(dataset: Dataset, row: int, answer: Mapping[str, Any]) -> str:
    """Said where the feature that counts most was not measured in this patient."""
    strongest = int(np.argmax(np.abs(answer["values"])))
    x = dataset.X[[row]]
    value = (x if isinstance(x, np.ndarray) else x.toarray())[0, strongest]
    if answer["values"][strongest] == 0 or not np.isnan(value):
        return ""
    return (
        f"The strongest attribution of {answer['label']} lies on {dataset.feature_names[strongest]}, which was not "
        "measured in this patient: it explains what was filled in."
    )


def in_words(found: CompareResult, name: str, target: int, p: float) -> str:
    """What such a probability has meant so far, as a count of held-out samples."""
    proba = found.run(name).proba
    assert proba is not None
    near = np.abs(proba[:, target] - p) <= 0.1
    if near.sum() < 5:
        return "too few held-out samples had such a probability to say how often it was right."
    hits = int((found.y[near] == target).sum())
    return (
        f"of {int(near.sum())} held-out samples given {p:.0%} (within 10 points), {hits} were {found.classes[target]}."
    )


def overlays(answers: Answers, kept: np.ndarray, regions: np.ndarray) -> tuple[tuple[str, np.ndarray], ...]:
    """What to draw over the map: ``(label, (k, q) values)`` of features and of regions, what reads best first.

    ``regions (q,)``: map region of each kept feature, -1 for none. Each model's values are shares of its largest, in
    [-1, 1]; a region's value is the sum over its features, painted on all of them.
    """
    values = np.stack([np.asarray(a["values"], np.float64)[kept] for a in answers])
    placed = regions >= 0
    sums = np.stack([np.bincount(regions[placed], v[placed], minlength=1) for v in values])
    painted = np.where(placed, sums[:, np.maximum(regions, 0)], 0.0)
    of_features = ("features, share of the largest", _shares(values))
    of_regions = ("sums over regions, share of the largest", _shares(painted))
    return (of_regions, of_features) if len(kept) > MANY else (of_features, of_regions)


def _shares(values: np.ndarray) -> np.ndarray:
    largest = np.abs(values).max(axis=1, keepdims=True)
    return (values / np.where(largest > 0, largest, 1)).astype(np.float32)


def case_picture(case: PatientCase) -> StaticMap:
    """The patient without noise, once for each model, with that model's attribution on top."""
    layout, genomap, k = case.genomap.layout, case.genomap, len(case.answers)
    values = np.where(genomap.missing[case.row], np.float32(np.nan), genomap.z[case.row])
    regions = region_groups(genomap, case.dataset.n_features)[genomap.kept]
    title, shares = overlays(case.answers, genomap.kept, regions)[0]
    return StaticMap(
        maps=layout.to_maps(np.repeat(values[None], k, axis=0), fill=np.nan),
        occupied=layout.feature_of_cell >= 0,
        labels=tuple(str(a["label"]) for a in case.answers),
        channel_names=case.dataset.omics_names if layout.n_channels > 1 else ("",),
        value_range=robust_range(genomap.z),
        unit=map_unit(case.dataset),
        overlay=layout.to_maps(shares, fill=np.nan),
        overlay_label=title,
    )


def _answer(case: PatientCase, a: Mapping[str, Any]) -> ModelAnswer:
    own = a.get("undisturbed", a["proba"])[0]
    guess = int(np.argmax(own))
    top = np.argsort(-np.abs(a["values"]))[:N_TOP]
    x = case.dataset.X[[case.row]]
    x = (x if isinstance(x, np.ndarray) else x.toarray())[0]
    return ModelAnswer(
        label=str(a["label"]),
        proba=tuple(float(v) for v in a["proba"][0]),
        low=tuple(map(float, noise_range(a["proba"])[0])),
        high=tuple(map(float, noise_range(a["proba"])[1])),
        in_words=in_words(case.found, a["model"], guess, float(own[guess])),
        stays_possible=sets.in_words(case.found, a["model"], case.fold, own, case.confidence),
        scores=tuple((METRICS[m], str(s)) for m, s in case.found.scores[a["model"]].items()),
        method=method_title(a["model"], str(a["method"])),
        top=tuple((case.dataset.feature_names[j], float(a["values"][j]), float(x[j])) for j in top),
        completeness_gap=float(a["completeness_gap"]),
        undisturbed=tuple(float(v) for v in own) if "undisturbed" in a else None,
    )


def _provenance(case: PatientCase) -> dict[str, str]:
    shown, options = case.shown, case.options
    return origin(
        case.found,
        **{
            "This patient": f"test fold {case.fold + 1}: no model that answers here was fitted on it",
            "Layout shown": f"{layout_words(options)}; all patients, labels unseen",
            "Noise and features": f"{shown.level:.0%} noise, {shown.keep:.0%} of the features kept",
        },
    )
