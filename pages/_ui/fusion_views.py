"""The Fusion page: which comparison is looked at, what it says, and the forms that start new ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.fusion_networks import BACKBONES, VARIANTS
from genomap_core.data.imaging import ImagingCohort, slices_of
from genomap_core.data.message import some
from genomap_core.errors import InputError
from genomap_core.jobs import Job
from genomap_core.plotting import score_intervals, type_heatmap
from genomap_core.workflows.folds import class_sizes, largest_fold_count
from genomap_core.workflows.fusion import FusionCompareConfig
from genomap_core.workflows.fusion_data import without_images
from genomap_core.workflows.fusion_jobs import COHORT, MODEL
from genomap_core.workflows.fusion_samples import COMPARED, SAMPLE
from genomap_core.workflows.fusion_scores import FusionResult
from genomap_core.workflows.fusion_table import TITLES, gain_rows, heading, name_of, report, score_rows
from genomap_core.workflows.fusion_verdict import verdict
from pages._ui import jobs as job_panel
from pages._ui.imaging_store import shared_imaging
from pages._ui.session import Session
from pages._ui.shell import page_link, plain
from pages._ui.widgets import caption, file_stem

TRAIN, COMPARE = "fusion_jobs:train_task", "fusion_jobs:compare_task"
METRIC = "balanced_accuracy"
WORK = {
    "compare": (
        "Compare, with controls",
        "Every network below, controls and linear models are trained on the same folds: about a quarter of an hour for "
        "a hundred patients on two cores. Fewer epochs and folds are a first look.",
    ),
    "train": ("Train one network", "On all patients, to download: nothing is left to say how good it is."),
}


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
    job_panel.only_an_example(session, folder, COMPARED)
    return Comparison(folder, session.remember(("fusion", str(folder)), lambda: FusionResult.load(folder)))


def result(found: Comparison) -> None:
    """What the comparison says: in words, as dots with intervals, as tables; and what each type of data does."""
    r = found.result
    kinds = [*(["images"] if r.has_images else []), *r.omics_names]
    st.markdown(
        f"**{plain(r.name)}**: {_size(len(r.y), r.groups)}, {len(r.classes)} classes, {plain(', '.join(kinds))}."
    )
    first, *rest = verdict(r)
    st.info(f"**{plain(first)}**\n\n" + "\n\n".join(plain(s) for s in rest), icon=":material/balance:")
    scores = [(name_of(r, run.name), r.scores[run.name][METRIC]) for run in r.runs]
    st.plotly_chart(
        score_intervals([(n, s.value, s.low, s.high) for n, s in scores], TITLES[METRIC], 1 / len(r.classes)),
        key="fusion_scores",
        alt="Balanced accuracy of every network, control and linear model",
    )
    caption(
        "Every patient is answered by networks that never saw that patient; all runs share the same folds. Lines: 95 % "
        "intervals. Dotted: chance. Controls exchange patients or places: what falls with them was truly used."
    )
    _types(r)
    with st.expander("All scores", icon=":material/table_rows:"):
        st.dataframe(score_rows(r), hide_index=True, height="content")
    if r.gain:
        with st.expander("Differences to the first run, paired by patient", icon=":material/difference:"):
            st.dataframe(gain_rows(r), hide_index=True, height="content")
    st.download_button(
        "Download the report",
        lambda: report(r, heading(r)).encode(),
        f"fusion-{file_stem(r.name)}.md",
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
        st.markdown(
            f"**{plain(cohort.name)}**: {_size(cohort.n_samples, cohort.table.groups)}, {plain(_kinds(cohort))}."
        )
        page_link("data", "Choose images and omics", ":material/image:")
    if cohort.table.y is None:
        st.info("This cohort has no labels: choose a class to predict on the Data page.", icon=":material/label:")
        return
    cohort = _told_apart(session, cohort)
    config = _form(cohort)
    if config is not None:
        what, options = config
        _submit(session, cohort, TRAIN if what == "train" else COMPARE, options)
    job_panel.history(session, COMPARE, lambda job: _compared(job))
    job_panel.history(session, TRAIN, lambda job: job_panel.trained(session, job, MODEL))


def _cohort(session: Session) -> ImagingCohort:
    """The images in use, or the table in use where it holds several types of omics."""
    images = session.imaging or shared_imaging(SAMPLE)
    table = session.dataset
    if table.omics is None or len(table.omics_names) < 2:
        return images
    names = {"images": f"Images and omics: {images.name}", "table": f"Omics types alone: {table.name}"}
    chosen = st.radio("Patients", list(names), format_func=names.__getitem__, key="fusion_patients")
    return images if chosen == "images" else without_images(table)


def _size(n: int, groups: np.ndarray | None) -> str:
    """How many there are; where several belong to a patient or section, of how many."""
    return f"{n:,} patients" if groups is None else f"{n:,} samples in {len(np.unique(groups)):,} groups"


def _told_apart(session: Session, cohort: ImagingCohort) -> ImagingCohort:
    """The patients of the classes chosen; a class that no fold can both train on and test is left out at first."""
    table, sizes = cohort.table, class_sizes(cohort.table)
    counts = np.bincount(table.y, minlength=len(table.classes))  # type: ignore[arg-type]
    unit = "patient" if table.groups is None else "group"
    chosen = st.multiselect(
        "Classes to tell apart",
        range(len(table.classes)),
        [k for k in range(len(table.classes)) if sizes[k] > 1],
        format_func=lambda k: f"{table.classes[k]} ({counts[k]:,})",
        key=f"fusion-classes-{cohort.digest[:12]}",
    )
    if len(chosen) < 2:
        raise InputError("Fewer than two classes are chosen: choose at least two to tell apart.")
    lone = [table.classes[k] for k in range(len(table.classes)) if sizes[k] == 1 and k not in chosen]
    if lone:
        caption(
            f"Left out at first: {some(lone)}, seen in one {unit} only, so that no network could be trained on it and "
            "asked about it as well."
        )
    codes = tuple(sorted(chosen))
    found: ImagingCohort = session.remember(("fusion-classes", cohort.digest, codes), lambda: cohort.of_classes(codes))
    return found


def _kinds(cohort: ImagingCohort) -> str:
    return ", ".join([*(["images"] if cohort.channels else []), *cohort.table.omics_names])


def _form(cohort: ImagingCohort) -> tuple[str, dict[str, Any]] | None:
    usual = FusionCompareConfig()
    what = st.selectbox("Work", list(WORK), format_func=lambda kind: WORK[kind][0], key="fusion_work")
    caption(WORK[what][1])
    variants = list(VARIANTS) if cohort.channels else ["omics"]
    with st.form(f"fusion_{what}"):
        a, b, c = st.columns(3)
        backbone = a.selectbox(
            "Network",
            [name for name in BACKBONES if name != "small3d" or slices_of(cohort.channels)[0] > 1],
            format_func=BACKBONES.get,
            help="The small one suits some hundred patients; the others have millions of weights and need a GPU.",
        )
        epochs = b.number_input("Epochs", 1, 300, usual.epochs, help="How often each network sees every patient.")
        if what == "compare":
            most = max(2, min(10, largest_fold_count(cohort.table)))
            folds = c.number_input(
                "Folds",
                2,
                most,
                min(usual.n_folds, most),
                help=f"Parts of the patients, each answered by networks of the others. The classes allow {most}.",
                key=f"fusion-folds-{most}",
            )
            if cohort.channels:
                chosen = st.multiselect(
                    "Networks; the first is held against the others", variants, variants, format_func=VARIANTS.get
                )
            else:
                chosen = variants
                caption("Without images: all omics types together, each alone, and controls.")
        else:
            chosen = [c.selectbox("Data", variants, format_func=VARIANTS.get)]
            folds = usual.n_folds
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
