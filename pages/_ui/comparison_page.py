"""What the pages with a comparison share: which one is looked at, whose patients, the form that starts new work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import streamlit as st

from genomap_core.data.images.patients import PatientImages
from genomap_core.jobs import Job
from genomap_core.workflows.comparison.result import Comparison, failure
from genomap_core.workflows.fusion.data import without_images
from pages._ui import jobs as job_panel
from pages._ui.imaging_store import IMAGING_SAMPLES, shared_imaging
from pages._ui.session import Session
from pages._ui.shell import IMAGES_TAB, page_link, plain
from pages._ui.widgets import caption, file_stem

R = TypeVar("R", bound=Comparison)


@dataclass(frozen=True, eq=False)
class Kind:
    """What one page calls its work, and where a comparison lies that comes with the program."""

    name: str
    result: type[Comparison]
    train_task: str
    compare_task: str
    shipped: Path
    sample: str
    """Key of the sample cohort"""
    work: dict[str, tuple[str, str]]
    """"compare" and "train" -> title and a sentence about it"""
    titles: dict[str, str]
    """"compare" and "train" -> title of the job, before the cohort's name"""
    shown_where: str
    """Where on the page a finished comparison is shown"""


@dataclass(frozen=True, eq=False)
class Finished(Generic[R]):
    """A finished comparison and where its files lie."""

    folder: Path
    result: R

    def key(self, name: str) -> str:
        """Of a widget that belongs to this comparison."""
        return f"{self.result.kind}-{name}-{self.folder.name}"

    def download_report(self, text: Callable[[], str]) -> None:
        """Offer the report as Markdown."""
        st.download_button(
            "Download the report",
            lambda: text().encode(),
            f"{self.result.kind}-{file_stem(self.result.name)}.md",
            on_click="ignore",
            icon=":material/download:",
            key=self.key("report"),
        )

    def say_failures(self) -> None:
        """Which entries have no answer, and why."""
        for run in self.result.runs:
            if run.status != "ok":
                st.warning(f"**{plain(run.label)}**: {plain(failure(run))}", icon=":material/error:")


def chosen_comparison(session: Session, kind: Kind) -> Finished[Any]:
    """The newest comparison of this tab, the one that comes with the program, or which of them is chosen."""
    folder = job_panel.chosen_folder(session, kind.compare_task, kind.shipped, "Comparison")
    found = Finished(folder, session.remember((kind.name, str(folder)), lambda: kind.result.load(folder)))
    _whose(session, kind, found)
    return found


def _whose(session: Session, kind: Kind, found: Finished[Any]) -> None:
    """Which patients are shown, and how they differ from those in use: never one cohort in silence beside another."""
    example = IMAGING_SAMPLES[kind.sample].title
    if found.folder != kind.shipped:
        st.markdown(f"Shown: **{plain(found.result.name)}**, a comparison of this tab.")
    elif session.imaging is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Shown: the example **{example}**. No images are in use.", width="content")
            st.button(
                "Use the example's images",
                key=f"use-example-{kind.name}",
                on_click=lambda: session.attempt(lambda: session.use_imaging(shared_imaging(kind.sample), kind.sample)),
            )
            page_link("data", "Choose your own", ":material/image:", IMAGES_TAB)
    elif session.imaging_sample == kind.sample:
        st.markdown(f"Shown: **{example}**, the images in use.")
    else:
        st.info(
            f"Shown: the example **{example}**. The images in use are another cohort, "
            f"**{plain(session.imaging.name)}**: to see it here, start a comparison under “Train and compare”.",
            icon=":material/info:",
        )


def patients(session: Session, kind: Kind, images_title: str, table_title: str) -> PatientImages:
    """The images in use, or the table in use where it holds several types of features."""
    images = session.imaging or shared_imaging(kind.sample)
    table = session.dataset
    if table.omics is None or len(table.omics_names) < 2:
        return images
    names = {"images": f"{images_title}: {images.name}", "table": f"{table_title}: {table.name}"}
    chosen = st.radio("Patients", list(names), format_func=names.__getitem__, key=f"{kind.name}_patients")
    return images if chosen == "images" else without_images(table)


def chosen_work(kind: Kind) -> str:
    """ "compare" or "train", with a sentence about it."""
    what = st.selectbox("Work", list(kind.work), format_func=lambda w: kind.work[w][0], key=f"{kind.name}_work")
    caption(kind.work[what][1])
    return what


def submit(session: Session, kind: Kind, what: str, spec: dict[str, Any], cohort: PatientImages) -> None:
    """Queue the work on these patients."""
    task = kind.train_task if what == "train" else kind.compare_task
    job_panel.submit(session, task, spec, f"{kind.titles[what]} on {cohort.name}", cohort)


def history(session: Session, kind: Kind, model: str) -> None:
    """What was started: comparisons, then trained networks, whose file is called ``model``."""

    def compared(job: Job) -> None:
        st.success(f"{plain(job.title)}: done. It is shown {kind.shown_where}.", icon=":material/check:")

    job_panel.history(session, kind.compare_task, compared)
    job_panel.history(session, kind.train_task, lambda job: job_panel.trained(session, job, model))
