"""Training on the Expression page: which cohort, which options, and what was started."""

from __future__ import annotations

from typing import Any

import streamlit as st

from genomap_core.data.expression import TRANSFORMS, ExpressionOptions, expression_cohort
from genomap_core.data.expression_networks import FRONTS, HEADS, LOSSES, ExpressionConfig
from genomap_core.data.imaging import ImagingCohort, slices_of
from genomap_core.data.message import plural
from genomap_core.errors import InputError
from genomap_core.jobs import Job
from genomap_core.workflows.expression_jobs import MODEL
from genomap_core.workflows.expression_samples import SAMPLE
from genomap_core.workflows.fusion_data import without_images
from pages._ui import jobs as job_panel
from pages._ui.data_views import report_messages
from pages._ui.expression_views import COMPARE, TRAIN
from pages._ui.imaging_store import shared_imaging
from pages._ui.session import Session
from pages._ui.shell import page_link, plain
from pages._ui.widgets import caption


def training(session: Session) -> None:
    """Options, start, and what was started."""
    cohort = _cohort(session)
    slices, channels = slices_of(cohort.channels)
    seen = (
        f"images of {plural(slices, 'slice')}, {plural(channels, 'channel')}"
        if cohort.channels
        else "a table's features"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(cohort.name)}**: {cohort.n_samples:,} patients or spots, {seen}.")
        page_link("data", "Choose images and expression", ":material/image:")
    asked = _form(cohort)
    if asked is not None:
        what, options, config = asked
        ready = expression_cohort(cohort, ExpressionOptions(**options))
        report_messages(ready.messages)
        task = TRAIN if what == "train" else COMPARE
        title = f"{'Expression network' if what == 'train' else 'Expression and its controls'} on {cohort.name}"
        job_panel.submit(session, task, {"config": config, "options": options}, title, cohort)
        st.toast(f"{len(ready.genes):,} genes of {ready.n_samples:,} patients: the work is queued.")
    job_panel.history(session, COMPARE, _compared)
    job_panel.history(session, TRAIN, lambda job: job_panel.trained(session, job, MODEL))


def _cohort(session: Session) -> ImagingCohort:
    """The images in use, or the table in use where it holds several types of features."""
    images = session.imaging or shared_imaging(SAMPLE)
    table = session.dataset
    if table.omics is None or len(table.omics_names) < 2:
        return images
    names = {"images": f"Images: {images.name}", "table": f"One type of a table from another: {table.name}"}
    chosen = st.radio("Patients", list(names), format_func=names.__getitem__, key="expression_patients")
    return images if chosen == "images" else without_images(table)


WORK = {
    "compare": (
        "Compare, with controls",
        "Networks, the same with random weights, a control and linear models on the same folds, with the statistics of "
        "every gene: about a quarter of an hour for two hundred patients on two cores.",
    ),
    "train": ("Train one network", "On all patients, to download: nothing is left to say how good it is."),
}


def _form(cohort: ImagingCohort) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    usual = ExpressionConfig()
    what = st.selectbox("Work", list(WORK), format_func=lambda kind: WORK[kind][0], key="expression_work")
    caption(WORK[what][1])
    with st.form(f"expression_{what}"):
        a, b, c = st.columns(3)
        target = a.selectbox("Predicted type", cohort.table.omics_names)
        transform = b.selectbox("Values", list(TRANSFORMS), format_func=TRANSFORMS.get)
        genes = c.number_input("Genes at most", 1, 20_000, 1000, help="Those that vary most; images play no part.")
        fronts = [name for name in FRONTS if name != "patches"] if cohort.channels else ["patches"]
        front = a.selectbox("Network", fronts, format_func=FRONTS.get)
        loss = b.selectbox("Loss", list(LOSSES), format_func=LOSSES.get)
        epochs = c.number_input("Epochs", 1, 500, usual.epochs, help="How often each network sees every patient.")
        options = {"target": target, "transform": transform, "max_genes": int(genes)}
        network: dict[str, Any] = {"front": front, "epochs": int(epochs), "loss": loss}
        config = network | {"head": a.selectbox("Head", list(HEADS), format_func=HEADS.get)} if what == "train" else {}
        if what == "compare":
            config, by_label = _comparison(cohort)
            options |= {"by_label": by_label}
            config |= {"training": network}
        if not st.form_submit_button("Start", type="primary", icon=":material/play_arrow:"):
            return None
    if what == "compare" and not config["heads"]:
        raise InputError("No head was chosen: choose at least one.")
    return what, options, config


def _comparison(cohort: ImagingCohort) -> tuple[dict[str, Any], bool]:
    """What a comparison alone asks for, and whether the label names cohorts."""
    heads = st.multiselect(
        "Heads; the first is looked at gene by gene", list(HEADS), list(HEADS), format_func=HEADS.get
    )
    folds = st.number_input("Folds", 2, 10, 5, help="As many as there are patients or groups, where these are fewer.")
    by_label = alone = False
    if cohort.table.y is not None:
        by_label = st.toggle(
            "The classes of the label are cohorts: statistics for each",
            help="Differences between cohorts then don't count as prediction.",
        )
        alone = st.toggle("A network for each of these cohorts instead of one for all")
    return {"heads": heads, "n_folds": int(folds), "per_cohort": bool(alone and by_label)}, bool(by_label)


def _compared(job: Job) -> None:
    st.success(f"{plain(job.title)}: done. It is shown in the first three tabs.", icon=":material/check:")
