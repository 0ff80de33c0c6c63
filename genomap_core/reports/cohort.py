"""A cohort and every model compared on it, as a report: classes, map, scores with controls, sets, origin."""

from __future__ import annotations

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.plotting import roc
from genomap_core.plotting.static_map import StaticMap
from genomap_core.reports.document import Block, Document, Heading, Picture, Table, Text, warnings
from genomap_core.reports.parts import facts_table, layout_rows, origin, share_words, size_words
from genomap_core.workflows.comparison.conformal import CONFIDENCES, coverage, held_out_sets
from genomap_core.workflows.comparison.scores import METRICS
from genomap_core.workflows.tabular.compare import REFERENCES, CompareResult, in_short, verdict
from genomap_core.workflows.tabular.genomap import GenomapResult, solver_words
from genomap_core.workflows.tabular.models import MODELS
from genomap_core.workflows.tabular.outliers import FALSE_ALARM_RATE, unlike_rows

FEW = 20
"""Patients of a class below which its figures are marked as unsure."""
N_MAPS = 6


def cohort_document(name: str, dataset: Dataset, found: CompareResult, genomap: GenomapResult) -> Document:
    """The report.

    Parameters
    ----------
    name
        How the reader shall know the cohort; nothing else in the report names it, and no patient is named.
    dataset, found, genomap
        The cohort with its labels, a comparison on it, and its map.
    """
    placed = f"{solver_words(genomap.layout.solver)}, {plural(len(genomap.kept), 'feature')}"
    return Document(
        f"{name}: cohort report",
        (
            Text(size_words(dataset)),
            *warnings(_cautions(dataset, found)),
            Heading("In words"),
            Text(
                " ".join((in_short(found), verdict(found))).strip()
                or "The comparison holds neither control nor baseline: no verdict can be given."
            ),
            *_classes(dataset, genomap),
            *_scores(found),
            *_sets(found),
            *_unlike(found, genomap),
            Heading("How good the map is"),
            Table(("measure", "this layout", "random layout"), layout_rows(genomap)),
            Text("Fitted on all patients, labels unseen; the models use layouts of their own folds.", kind="about"),
            Heading("Where this comes from"),
            facts_table(origin(found, **{"Layout": placed})),
        ),
    )


def _cautions(dataset: Dataset, found: CompareResult) -> tuple[str, ...]:
    counts = np.bincount(found.y, minlength=len(found.classes))
    small = [f"{c} ({n})" for c, n in zip(found.classes, counts, strict=True) if n < FEW]
    words = [f"Few samples: {', '.join(small)}. Figures of these classes are unsure."] if small else []
    words += [f"{r.label} gave no result: {r.message}" for r in found.runs if r.status != "ok"]
    missing = float(np.isnan(dataset.X).mean()) if isinstance(dataset.X, np.ndarray) else 0.0
    return (*words, f"{missing:.1%} of the values are missing.") if missing else tuple(words)


def _classes(dataset: Dataset, genomap: GenomapResult) -> tuple[Block, ...]:
    assert dataset.y is not None
    counts = np.bincount(dataset.y, minlength=len(dataset.classes))
    rows = tuple(
        (name, f"{n:,}", f"{n / dataset.n_samples:.0%}") for name, n in zip(dataset.classes, counts, strict=True)
    )
    shown = np.argsort(-counts, kind="stable")[:N_MAPS]
    means = np.stack([genomap.z[dataset.y == c].mean(axis=0) for c in shown])
    span = float(np.quantile(np.abs(means), 0.99)) or 1.0
    types = tuple(f"type {k + 1}" for k in range(genomap.layout.n_channels))
    picture = StaticMap(
        genomap.layout.to_maps(means, fill=np.nan), tuple(dataset.classes[c] for c in shown), (-span, span),
        unit="mean z-score", channel_names=types if len(types) > 1 else ("",),
    )  # fmt: skip
    return (
        Heading("The classes"),
        Table(("class", "samples", "share"), rows),
        Picture(picture, "Mean map of each class" + (f", the {N_MAPS} largest." if len(counts) > N_MAPS else ".")),
    )


def _scores(found: CompareResult) -> tuple[Block, ...]:
    models = [r for r in found.runs if r.status == "ok"]
    metrics = list(next(iter(found.scores.values()), {}))
    rows = tuple((r.label, *(str(found.scores[r.name][m]) for m in metrics)) for r in models)
    references = [o for o in REFERENCES if o in found.scores]
    compared = tuple((r.label, *(_difference(found, r.name, o) for o in references)) for r in models)
    cost = tuple(
        (r.label, f"{r.fit_seconds:.1f}", f"{r.predict_seconds:.2f}", f"{r.peak_mb:.0f}", r.note) for r in models
    )
    probas = {r.label: r.proba for r in models if r.proba is not None}
    return (
        Heading("How good the models are"),
        Table(("model", *(METRICS[m] for m in metrics)), rows),
        Text(
            f"Out-of-fold on {found.config.n_folds} folds, with 95 % intervals from resampling patients. "
            "Brier score: lower is better.",
            kind="about",
        ),
        Picture(roc(found.y, probas, found.classes), "ROC curves of the out-of-fold probabilities."),
        Heading("Against control and baseline", 3),
        Table(("model", *(f"minus {MODELS[o]}" for o in references)), compared),
        Text(
            "Difference of balanced accuracy on the same patients; an interval off zero is a difference.", kind="about"
        ),
        Heading("What they cost", 3),
        Table(("model", "fit, s", "predict, s", "memory, MB", "features"), cost),
    )  # fmt: skip


def _difference(found: CompareResult, model: str, other: str) -> str:
    s = found.differences.get((model, other))
    return "-" if s is None else f"{s:+}"


def _sets(found: CompareResult) -> tuple[Block, ...]:
    rows = []
    for run in found.runs:
        if run.proba is None:
            continue
        for confidence in CONFIDENCES:
            did = coverage(found.y, held_out_sets(found, run.name, confidence))
            cells = (
                share_words(did.overall),
                share_words(did.by_class[did.worst]),
                f"{did.mean_size:.2f}",
                share_words(did.single_right),
            )
            rows.append((run.label, f"{confidence:.0%}", *cells))
    header = (
        "model",
        "asked",
        "sets that held the truth",
        "in the worst class",
        "classes in a set",
        "single ones right",
    )
    return (
        Heading("Prediction sets"),
        Table(header, tuple(rows)),
        Text(
            "A set holds the classes that can't be ruled out at the confidence asked for, calibrated on each class of "
            "the other folds (label-conditional conformal prediction). Measured on held-out patients, 95 % Wilson "
            "intervals.",
            kind="about",
        ),
    )


def _unlike(found: CompareResult, genomap: GenomapResult) -> tuple[Block, ...]:
    flagged = unlike_rows(genomap.z, found.fold_of_row)
    return (
        Heading("Patients unlike the rest"),
        Text(
            f"{int(flagged.sum())} of {len(flagged)} patients ({flagged.mean():.1%}) lie further from the patients of "
            f"the other folds than {1 - FALSE_ALARM_RATE:.0%} of those lie from each other. Among like patients "
            f"{FALSE_ALARM_RATE:.0%} are expected."
        ),
    )
