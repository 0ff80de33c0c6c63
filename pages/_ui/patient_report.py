"""The report of the patient on the screen: gathered from what the Compare page shows, for download."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from genomap_core.reports.parts import layout_rows, origin, score_words
from genomap_core.reports.patient import ModelAnswer, PatientReport, patient_document
from genomap_core.workflows import sets
from genomap_core.workflows.compare import CompareResult
from genomap_core.workflows.genomap import GenomapResult
from genomap_core.workflows.patient import agreement, top_of
from genomap_core.workflows.scores import METRICS
from genomap_core.workflows.unlike import Likeness, likeness
from pages._ui.gene_map import MapData
from pages._ui.session import Session
from pages._ui.shell import plain
from pages._ui.widgets import caption, report_downloads

LITTLE_AGREEMENT = 0.2
N_TOP = 10


def report_card(
    session: Session,
    genomap: GenomapResult,
    found: CompareResult,
    row: int,
    target: int,
    answers: list[dict[str, Any]],
    maps: MapData,
) -> None:
    """Warnings about this patient, and the report as HTML and PDF once both explanations are there."""
    fold = int(found.fold_of_row[row])
    train = genomap.z[found.fold_of_row != fold]
    like = session.remember(
        ("likeness", session.dataset.digest, session.layout, row), lambda: likeness(train, genomap.z[row])
    )
    complete = all("values" in a for a in answers)
    warnings = warnings_of(session, row, like, answers)
    for words in warnings:
        st.warning(plain(words), icon=":material/warning:")
    with st.container(border=True):
        st.markdown("**Report of this patient**")
        name = st.text_input(
            "Name on the report",
            f"Patient {row + 1}",
            max_chars=60,
            help="The report holds no identifier but the one you write here.",
        )
        if not complete:
            caption("The report can be downloaded once both explanations are done.")
            return
        report = PatientReport(
            patient=name.strip() or f"Patient {row + 1}",
            cohort=f"{session.dataset.n_samples:,} samples, {session.dataset.n_features:,} features",
            unit=session.dataset.unit,
            classes=found.classes,
            explained=found.classes[target],
            answers=tuple(_answer(session, found, row, a) for a in answers),
            picture=maps.static(session.perturbation, overlay=0),
            agreement=_agreement(answers),
            layout=layout_rows(genomap),
            warnings=tuple(warnings),
            provenance=_provenance(session, found, fold),
        )
        report_downloads(lambda: patient_document(report), f"genomap-report-{row + 1}")


def warnings_of(session: Session, row: int, like: Likeness, answers: list[dict[str, Any]]) -> list[str]:
    """What a reader must know before believing the models about this patient."""
    words = []
    if like.unlike:
        words.append(
            "Unlike the training patients: this patient lies further from them on the map than 95 % of them lie from "
            "each other (a false alarm for one in twenty)."
        )
    guesses = {int(np.argmax(a["proba"][0])) for a in answers}
    if len(guesses) > 1:
        words.append("The models disagree on the class.")
    if all("values" in a for a in answers) and len(answers) == 2:
        rho = agreement(answers[0]["values"], answers[1]["values"]).spearman
        if not rho >= LITTLE_AGREEMENT:
            words.append(
                f"The attributions hardly agree (rank correlation {rho:+.2f}): neither should be believed alone."
            )
    missing = float(np.isnan(np.asarray(session.dataset.X[row], float)).mean()) if _dense(session) else 0.0
    if missing > 0.1:
        words.append(f"{missing:.0%} of this patient's values are missing.")
    return words


def _dense(session: Session) -> bool:
    return isinstance(session.dataset.X, np.ndarray)


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


def _answer(session: Session, found: CompareResult, row: int, a: dict[str, Any]) -> ModelAnswer:
    guess = int(np.argmax(a["proba"][0]))
    top = np.argsort(-np.abs(a["values"]))[:N_TOP]
    x = session.dataset.X[[row]]
    x = (x if isinstance(x, np.ndarray) else x.toarray())[0]
    return ModelAnswer(
        label=str(a["label"]),
        proba=tuple(float(v) for v in a["proba"][0]),
        low=tuple(float(v) for v in a["proba"][1:].min(axis=0)),
        high=tuple(float(v) for v in a["proba"][1:].max(axis=0)),
        in_words=in_words(found, a["model"], guess, float(a["proba"][0, guess])),
        stays_possible=sets.in_words(found, a["model"], int(found.fold_of_row[row]), a["proba"][0], session.confidence),
        scores=tuple((METRICS[m], score_words(s)) for m, s in found.scores[a["model"]].items()),
        method=str(a["method"]),
        top=tuple((session.dataset.feature_names[j], float(a["values"][j]), float(x[j])) for j in top),
        completeness_gap=float(a["completeness_gap"]),
    )


def _agreement(answers: list[dict[str, Any]]) -> str:
    if len(answers) < 2:
        return ""
    pair, top = agreement(answers[0]["values"], answers[1]["values"]), top_of(len(answers[0]["values"]))
    return (
        f"Rank correlation of both attributions {pair.spearman:+.2f}, {pair.top_k_overlap:.0%} of the top {top} shared."
    )


def _provenance(session: Session, found: CompareResult, fold: int) -> dict[str, str]:
    shown, options = session.perturbation, session.layout
    return origin(
        found,
        **{
            "This patient": f"test fold {fold + 1}: no model that answers here was fitted on it",
            "Layout shown": f"{options.solver}, {options.distance}, seed {options.seed}; all patients, labels unseen",
            "Noise and features": f"{shown.level:.0%} noise, {shown.keep:.0%} of the features kept",
        },
    )
