"""One patient under one trained or loaded model: the same view as on Compare, with one model in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.perturb import Perturbation
from genomap_core.plotting import probability_bars
from genomap_core.workflows.cohorts.cohort import recoded
from genomap_core.workflows.tabular.agreement import noise_range
from genomap_core.workflows.tabular.genomap import GenomapResult
from genomap_core.workflows.tabular.patient import DRAWS, GRADIENT_METHODS
from pages._ui.gene_map import gene_map
from pages._ui.genomap_views import disturbed_line
from pages._ui.links import keep_link
from pages._ui.patient_bar import Subject, patient_bar, reference_picker
from pages._ui.patient_panel import explanation, follow, map_regions_of, maps_with, rows_for_models
from pages._ui.session import Session, warm
from pages._ui.shell import errors_shown, plain
from pages._ui.standing import clinical_line, sentences, standing, standing_report
from pages._ui.widgets import caption

_WORKER = "genomap_core.workflows.tabular.patient"
MOST_BACKGROUND = 200
"""Rows of the cohort that stand for the usual patient in an attribution; of more, evenly chosen ones."""


@st.fragment
def model_panel(session: Session, path: Path, classes: Sequence[str], provenance: dict[str, Any]) -> None:
    """Who, the map with what the model looked at, what it says, what stands out."""
    with errors_shown():  # a fragment that runs again is no longer in the page's own
        _panel(session, path, tuple(classes), provenance)


def _panel(session: Session, path: Path, classes: tuple[str, ...], provenance: dict[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="patient-bar"):
        row = patient_bar(session)
        reference_picker(session)
    clinical_line(session.dataset, row)
    shown, genomap = session.perturbation, session.genomap()
    disturbed_line(shown, "Disturbed: these are not the patient's own values, and the model answers for them")
    about = _answer(session, path, row, shown, provenance)
    left, right = st.container(key="wide-models").columns([13, 7], gap="medium")
    with right:
        with st.container(key="said"):
            _said(session, row, classes, about)
        subject = Subject.in_use(session, genomap)
        found = standing(subject, row)
        if found is not None:
            sentences(subject, found, features=3, regions=1)
    with left:
        target = int(np.argmax(about["undisturbed"][0]))
        why = _why(session, path, row, target, shown, genomap, provenance)
        data = maps_with(session, genomap, row, [{"label": "This model", **why}] if why else [{"label": "This model"}])
        event = gene_map(data, key="model_map", height=340, initial=shown)
        caption(f"Colour over grey: how much a feature speaks for {classes[target]}, in shares of the largest.")
        if found is not None:
            with st.popover("Report", icon=":material/download:"):
                standing_report(subject, row, found)
    keep_link(session)
    if event.perturbation != shown:
        session.perturbation = event.perturbation
        keep_link(session)
        st.rerun(scope="fragment")
    subject.mark(event.feature)


def _answer(
    session: Session, path: Path, row: int, shown: Perturbation, provenance: dict[str, Any]
) -> dict[str, np.ndarray]:
    """``proba`` and ``undisturbed (1 + draws, C)``, and ``seen (1,)``: whether the row was in the training."""

    def ask(perturbation: Perturbation) -> dict[str, np.ndarray]:
        _, arrays = session.remember(
            ("bundle", str(path), session.dataset.digest, row, perturbation),
            lambda: warm().call(
                f"{_WORKER}:predict_bundle",
                {
                    "path": str(path),
                    "feature_names": list(session.dataset.feature_names),
                    "sample_ids": [f"draw {k}" for k in range(1 + DRAWS)],
                },
                {"X": _rows(session, row, perturbation, provenance)},
                timeout=300,
            ),
        )
        return dict(arrays)

    with st.spinner("Asking the model ...", show_time=True):
        own = ask(Perturbation(seed=shown.seed))
        disturbed = own if shown.is_identity else ask(shown)
    seen = own.get("seen", np.zeros(1, bool))[:1]
    return {"proba": disturbed["proba"], "undisturbed": own["proba"], "seen": seen}


def _rows(session: Session, row: int, perturbation: Perturbation, provenance: dict[str, Any]) -> np.ndarray:
    """What the model is given: words as the numbers that it learned for them, then the disturbance of the map."""
    rows, dataset = rows_for_models(session, row, perturbation), session.dataset
    learned = session.remember(
        ("recoded", dataset.digest, str(provenance.get("dataset"))), lambda: recoded(dataset, provenance)
    )
    if learned is dataset:
        return rows
    return rows + np.nan_to_num(learned.X[row] - dataset.X[row])  # recoded tables are dense


def _said(session: Session, row: int, classes: tuple[str, ...], about: dict[str, np.ndarray]) -> None:
    proba, own = about["proba"], about["undisturbed"]
    st.plotly_chart(
        probability_bars([("this model", proba[0], *noise_range(proba))], classes, compact=True),
        alt="Probabilities of this model", key="model_probabilities",
    )  # fmt: skip
    guess, best = int(np.argmax(proba[0])), int(np.argmax(own[0]))
    said = f"{plain(classes[guess])} {proba[0, guess]:.0%}"
    if not np.array_equal(proba[0], own[0]):
        said += f" disturbed, {plain(classes[best])} {own[0, best]:.0%} undisturbed"
    dataset = session.dataset
    label = "" if dataset.y is None else dataset.classes[dataset.y[row]]
    st.markdown(f"**This model: {said}.**" + (f" Label in the cohort: {plain(label)}." if label else ""))
    if about["seen"].any():
        st.warning("This patient was in the model's training: the answer is no evidence of how good the model is.")
    elif label in classes and label != classes[best]:
        st.warning(f"The model is wrong about this patient (labelled {plain(label)}): attributions explain an error.")


def _why(
    session: Session,
    path: Path,
    row: int,
    target: int,
    shown: Perturbation,
    genomap: GenomapResult,
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """``values (p,)`` once they are there; empty while they are computed, which is shown."""
    X = session.dataset.X
    rows = np.unique(np.linspace(0, len(session.dataset.sample_ids) - 1, MOST_BACKGROUND).astype(int))
    background = X[rows] if isinstance(X, np.ndarray) else X[rows].toarray()
    key = ("bundle-why", str(path), session.dataset.digest, row, target, shown)
    running = explanation(
        session,
        key,
        "this model",
        {
            "path": str(path),
            "feature_names": list(session.dataset.feature_names),
            "target": target,
            "method": next(iter(GRADIENT_METHODS)),
        },
        {
            "x": _rows(session, row, shown, provenance)[0],
            "groups": map_regions_of(session, genomap),
            "background": background.astype(np.float32),
        },
        task=f"{_WORKER}:attribute_bundle",
    )
    follow([running])
    if running.answer is None:
        return {}
    about, arrays = running.answer
    return {**about, **arrays}
