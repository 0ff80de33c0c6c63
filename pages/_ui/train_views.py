"""What the Train page shows: the split, a finished run, a saved model on this cohort."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import numpy as np
import pandas as pd
import streamlit as st

from genomap_core.errors import InputError
from genomap_core.files import write_atomically
from genomap_core.io.tables.export import csv_name, csv_table
from genomap_core.jobs import Job
from genomap_core.plotting import confusion, reliability, roc
from genomap_core.reports.model_card import model_card
from genomap_core.workflows.cohorts.cohort import recoded, unit_note
from genomap_core.workflows.comparison.folds import hold_out, rare_class_note
from genomap_core.workflows.comparison.scores import METRICS, Score
from genomap_core.workflows.tabular.duration import in_words, network_seconds
from genomap_core.workflows.tabular.saved_model import seen_in_words
from genomap_core.workflows.tabular.train import BUNDLE, TrainConfig, TrainResult, bundle_header
from pages._ui import jobs as job_panel
from pages._ui.genomap_views import cohort_line
from pages._ui.model_panel import model_panel
from pages._ui.session import Session, jobs, storage, warm
from pages._ui.shell import plain
from pages._ui.widgets import NETWORKS, caption, file_stem, report_downloads

__all__ = ["TASK", "cohort_line", "hold_out_line", "load", "result", "submit"]

TASK = "tabular.train:task"


def hold_out_line(session: Session) -> None:
    """How many rows train and how many test."""
    rows, test = hold_out(session.dataset, 0)
    groups = "" if session.dataset.groups is None else ", groups kept whole"
    st.markdown(
        f"{len(rows):,} samples train the network, {len(test):,} are held out for the test (stratified{groups}). "
        "Selection, scaling and layout are learned on the training samples only. Expected on two quiet cores: "
        f"{in_words(network_seconds(len(rows), min(session.dataset.n_features, 4096)))}."
    )
    if note := rare_class_note(session.dataset):
        st.info(plain(note), icon=":material/group_remove:")


def submit(session: Session, config: TrainConfig) -> None:
    """Queue the training."""
    title = f"{NETWORKS[config.network]} on {session.dataset.name}"
    job_panel.submit(session, TASK, {"config": asdict(config), "cohort": session.dataset.digest}, title)
    st.toast("Training is queued. It goes on if this page is closed.")


def score_metrics(scores: dict[str, Score]) -> None:
    """One metric a column, interval beneath."""
    for column, (name, s) in zip(st.columns(len(scores)), scores.items(), strict=True):
        column.metric(METRICS[name], f"{s.value:.{s.decimals}f}", border=True)
        ends = f"95 %: {s.low:.{s.decimals}f} to {s.high:.{s.decimals}f}"
        some = ends if s.low < s.high else "95 %: too few errors to say"
        column.markdown(some)


def result(session: Session, job: Job) -> None:
    """Scores on held-out rows, curves, and the bundle to download."""
    folder = jobs().folder(job.id, session.owner)
    found = TrainResult.load(folder)
    header = bundle_header((folder / BUNDLE).read_bytes())
    classes = tuple(header.classes)
    st.subheader("On patients the network never saw")
    score_metrics(found.scores)
    caption(f"{found.words} Trained in {found.seconds:.1f} s.")
    if tuple(header.feature_names) == session.dataset.feature_names:
        st.subheader("One patient")
        model_panel(session, folder / BUNDLE, classes, dict(header.provenance))
    job_panel.learning_curves(jobs().events(job.id, session.owner), "training", job.id)
    if header.provenance.get("dataset") == session.dataset.digest and session.dataset.y is not None:
        y = session.dataset.y[found.test_rows]
        a, b, c = st.container(key="wide-scores").columns(3)
        a.plotly_chart(confusion(y, found.proba, classes), key=f"confusion-{job.id}", alt="Confusion matrix")
        b.plotly_chart(roc(y, {"model": found.proba}, classes), key=f"roc-{job.id}", alt="ROC curve")
        c.plotly_chart(reliability(y, {"model": found.proba}), key=f"reliability-{job.id}", alt="Calibration")
    st.download_button(
        "Download the model",
        lambda: (folder / BUNDLE).read_bytes(),
        f"{file_stem(session.dataset.name)}.genomap.safetensors",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
        help="One file: network, layout, preprocessing, feature names and these scores. No code inside.",
    )
    with st.container(border=True):
        st.markdown("**Model card**: what it is, what it was trained and tested on, what it is not for.")
        report_downloads(lambda: model_card(header), "model-card")


def load(session: Session) -> None:
    """A saved model, checked and applied to the cohort."""
    upload = st.file_uploader(
        "Saved model (.safetensors)", type=["safetensors"], max_upload_size=200, key=f"model-{session.uploads}"
    )
    if upload is None:
        st.info("A model saved here or by `save_bundle` can be applied to any cohort with the same features.")
        return
    content = upload.getvalue()
    header = bundle_header(content)
    st.markdown(f"**Classes:** {plain(', '.join(header.classes))} · **features:** {len(header.feature_names):,}")
    if header.metrics:
        score_metrics({k: Score(**v) for k, v in header.metrics.items() if k in METRICS})
        caption("Scores on the samples held out when the model was trained.")
    path = session.folder / f"bundle-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    if not path.is_file():
        storage().make_room(session.owner, len(content))
        write_atomically(path, content)
    if st.button("Apply to this cohort", type="primary"):
        st.session_state["applied"] = str(path)
    if st.session_state.get("applied") != str(path):
        return
    dataset = recoded(session.dataset, header.provenance)
    X = dataset.X if isinstance(dataset.X, np.ndarray) else dataset.X.toarray()
    with st.spinner("Loading the model ..."):
        about, arrays = warm().call(
            "genomap_core.workflows.tabular.patient:predict_bundle",
            {
                "path": str(path),
                "feature_names": list(dataset.feature_names),
                "sample_ids": list(dataset.sample_ids),
            },
            {"X": X},
            timeout=300,
        )
    proba, names = arrays["proba"], about["classes"]
    if proba.shape[1] < 2:
        raise InputError("The model knows one class only.")
    for note in filter(None, (*about["notes"], unit_note(header.provenance, dataset.unit))):
        st.warning(plain(note), icon=":material/help:")
    if words := seen_in_words(arrays.get("seen")):
        st.warning(words, icon=":material/warning:")
    model_panel(session, path, names, dict(header.provenance))
    st.subheader("All patients")
    table = pd.DataFrame(proba.round(4), columns=names)
    table.insert(0, "sample", dataset.sample_ids)
    table.insert(1, "most likely", [names[k] for k in proba.argmax(1)])
    if dataset.y is not None:
        table.insert(1, "label", [dataset.classes[k] for k in dataset.y])
    if "seen" in arrays:
        table.insert(2, "in its training", np.where(arrays["seen"], "yes", "no"))
    st.dataframe(table, hide_index=True)
    st.download_button(
        "Download predictions (CSV)",
        csv_table(list(table.columns), table.itertuples(index=False)),
        csv_name(f"predictions-{file_stem(dataset.name)}"),
        on_click="ignore",
    )
