"""The Fusion page: which comparison is looked at, what it says, and the forms that start new ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from genomap_core.data.fusion_networks import BACKBONES, VARIANTS
from genomap_core.data.imaging import ImagingCohort
from genomap_core.errors import InputError
from genomap_core.jobs import Job
from genomap_core.plotting import score_intervals, type_heatmap
from genomap_core.workflows.fusion import FusionCompareConfig
from genomap_core.workflows.fusion_data import without_images
from genomap_core.workflows.fusion_jobs import COHORT, MODEL
from genomap_core.workflows.fusion_samples import COMPARED, SAMPLE
from genomap_core.workflows.fusion_scores import FusionResult
from genomap_core.workflows.fusion_table import TITLES, gain_rows, name_of, report, score_rows
from genomap_core.workflows.fusion_verdict import verdict
from pages._ui import jobs as job_panel
from pages._ui.imaging_store import shared_imaging
from pages._ui.session import Session, jobs
from pages._ui.shell import page_link, plain
from pages._ui.widgets import caption

TRAIN, COMPARE = "fusion_jobs:train_task", "fusion_jobs:compare_task"
METRIC = "balanced_accuracy"


@dataclass(frozen=True, eq=False)
class Comparison:
    """A finished comparison and where its files lie."""

    folder: Path
    result: FusionResult

    def cohort(self, session: Session) -> ImagingCohort:
        """The patients it was made on."""
        if self.folder == COMPARED:
            return shared_imaging(SAMPLE)
        path = self.folder / COHORT
        found: ImagingCohort = session.remember(("fusion-cohort", str(path)), lambda: ImagingCohort.load(path))
        return found


def chosen_comparison(session: Session) -> Comparison:
    """The newest comparison of this tab, the one that comes with the program, or which of them is chosen."""
    folder = job_panel.chosen_folder(session, COMPARE, COMPARED, "Comparison")
    return Comparison(folder, session.remember(("fusion", str(folder)), lambda: FusionResult.load(folder)))


def result(found: Comparison) -> None:
    """What the comparison says: in words, as dots with intervals, as tables; and what each type of data does."""
    r = found.result
    kinds = [*(["images"] if r.has_images else []), *r.omics_names]
    st.markdown(f"**{plain(r.name)}**: {len(r.y):,} patients, {len(r.classes)} classes, {plain(', '.join(kinds))}.")
    first, *rest = verdict(r)
    st.info(f"**{plain(first)}**\n\n" + "\n\n".join(plain(s) for s in rest), icon=":material/balance:")
    scores = [(name_of(r, run.name), r.scores[run.name][METRIC]) for run in r.runs]
    st.plotly_chart(
        score_intervals([(n, s.value, s.low, s.high) for n, s in scores], TITLES[METRIC], 1 / len(r.classes)),
        key="fusion_scores",
        alt="Balanced accuracy of every network, control and linear model",
    )
    caption(
        "Every patient is answered by networks that never saw him; all runs share the same folds. Lines: 95 % "
        "intervals. Dotted: chance. Controls exchange patients or places: what falls with them was truly used."
    )
    _types(r)
    with st.expander("All scores", icon=":material/table_rows:"):
        st.dataframe(score_rows(r), hide_index=True)
    if r.gain:
        with st.expander("Differences to the first run, paired by patient", icon=":material/difference:"):
            st.dataframe(gain_rows(r), hide_index=True)
    st.download_button(
        "Download the report",
        lambda: report(r).encode(),
        "fusion.md",
        on_click="ignore",
        icon=":material/download:",
        key=f"fusion-report-{found.folder.name}",
    )


def _types(r: FusionResult) -> None:
    values = r.type_values
    if values is None:
        return
    st.subheader("What each type of data does for each class")
    st.plotly_chart(type_heatmap(values, r.types, r.classes), key="fusion_types", alt="Types of data by classes")
    caption(
        "Mean change of a class's probability in its own patients when a type of data is added (exact Shapley values "
        "over the types; the rows of a column sum to the change from a patient who is the mean in everything)."
    )


def training(session: Session) -> None:
    """Options, start, and what was started."""
    cohort = _cohort(session)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(cohort.name)}**: {cohort.n_samples:,} patients, {plain(_kinds(cohort))}.")
        page_link("data", "Choose images and omics", ":material/image:")
    if cohort.table.y is None:
        st.info("This cohort has no labels: choose a class to predict on the Data page.", icon=":material/label:")
        return
    config = _form(cohort)
    if config is not None:
        what, options = config
        _submit(session, cohort, TRAIN if what == "train" else COMPARE, options)
    job_panel.history(session, COMPARE, lambda job: _compared(job))
    job_panel.history(session, TRAIN, lambda job: _trained(session, job))


def _cohort(session: Session) -> ImagingCohort:
    """The images in use, or the table in use where it holds several types of omics."""
    images = session.imaging or shared_imaging(SAMPLE)
    table = session.dataset
    if table.omics is None or len(table.omics_names) < 2:
        return images
    names = {"images": f"Images and omics: {images.name}", "table": f"Omics types alone: {table.name}"}
    chosen = st.radio("Patients", list(names), format_func=names.__getitem__, key="fusion_patients")
    return images if chosen == "images" else without_images(table)


def _kinds(cohort: ImagingCohort) -> str:
    return ", ".join([*(["images"] if cohort.channels else []), *cohort.table.omics_names])


def _form(cohort: ImagingCohort) -> tuple[str, dict[str, Any]] | None:
    usual = FusionCompareConfig()
    with st.form("fusion_training"):
        a, b, c, d = st.columns(4)
        what = a.selectbox(
            "Work",
            ["compare", "train"],
            format_func={"compare": "Compare, with controls", "train": "Train one network"}.__getitem__,
        )
        backbone = b.selectbox("Network", list(BACKBONES), format_func=BACKBONES.get, help="Small cohorts: our own.")
        epochs = c.number_input("Epochs", 1, 300, usual.epochs)
        folds = d.number_input("Folds", 2, 10, usual.n_folds, help="Of a comparison.")
        variants = list(VARIANTS) if cohort.channels else ["omics"]
        chosen = st.multiselect(
            "Networks of a comparison; a training takes the first", variants, variants, format_func=VARIANTS.get
        )
        if not st.form_submit_button("Start", type="primary", icon=":material/play_arrow:"):
            return None
    if not chosen:
        raise InputError("No network was chosen: choose at least one.")
    options: dict[str, Any] = {"backbone": backbone, "epochs": int(epochs)}
    if what == "train":
        return what, options | {"variant": chosen[0]}
    options |= {"variants": chosen, "n_folds": int(folds)}
    FusionCompareConfig(**options | {"variants": tuple(chosen)})
    return what, options


def _submit(session: Session, cohort: ImagingCohort, task: str, options: dict[str, Any]) -> None:
    title = f"{'Fusion network' if task == TRAIN else 'Fusion and its controls'} on {cohort.name}"
    job_panel.submit(session, task, {"config": options}, title, cohort)
    st.toast("The work is queued. It goes on if this page is closed.")


def _compared(job: Job) -> None:
    st.success(f"{plain(job.title)}: done. It is shown under “What fusion gains”.", icon=":material/check:")


def _trained(session: Session, job: Job) -> None:
    folder = jobs().folder(job.id, session.owner)
    st.success(f"{plain(job.title)}: trained on all patients.", icon=":material/check:")
    st.download_button(
        "Download the model",
        lambda: (folder / MODEL).read_bytes(),
        MODEL,
        on_click="ignore",
        icon=":material/download:",
        key=f"fusion-model-{job.id}",
    )
