"""The panel of a long job: progress, curves, time left, cancel. It polls; the work runs in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from genomap_core.data.images.patients import PatientImages
from genomap_core.data.message import plural
from genomap_core.files import replacing
from genomap_core.jobs import Job, JobEvent, current_name
from pages._ui.session import Session, jobs
from pages._ui.shell import plain

ENDINGS = {
    "failed": "The work ended with an error",
    "lost": "The work was lost",
    "oom": "Not enough memory",
}


def entry_point(task: str) -> str:
    """``expression.jobs:train_task`` -> the job's function among the workflows; one with its package stays."""
    return task if task.startswith("genomap_core.") else f"genomap_core.workflows.{task}"


def submit(session: Session, task: str, spec: dict[str, Any], title: str, images: PatientImages | None = None) -> str:
    """Queue the task (see :func:`entry_point`) on the tab's cohort, or on these images and omics; the job's id."""
    cohort, name = (session.dataset, "dataset") if images is None else (images, "imaging")
    path = session.folder / f"{name}-{cohort.digest[:16]}.npz"
    if not path.is_file():  # whole or not at all: a server may be killed while it writes
        with replacing(path) as beside:
            cohort.save(beside)
    return jobs().submit(entry_point(task), spec, owner=session.owner, title=title, files={f"{name}.npz": path})


Changes = Callable[[Session, Job], int]
_SOON = 5.0
"""Seconds in which a job is looked at often; later every look takes a core's time from the work itself."""


def watch(session: Session, job: Job, stage: str | None = None, changes: Changes | None = None) -> None:
    """Draw an active job and follow it; when it ends the page runs again. ``stage``: whose curves are drawn.

    ``changes``: a number of what is there so far; when it is another one the page runs again.
    """
    before = None if changes is None else changes(session, job)
    pace = 0.5 if job.seconds < _SOON else 1.5
    st.fragment(_live, run_every=pace)(session, job.id, stage, changes, before)


def _live(session: Session, job_id: str, stage: str | None, changes: Changes | None, before: int | None) -> None:
    owner = session.owner
    job = jobs().get(job_id, owner)
    if not job.active or (changes is not None and changes(session, job) != before):
        st.rerun()
    with st.container(border=True):
        title, button = st.columns([5, 1], vertical_alignment="center")
        title.markdown(f"**{plain(job.title)}**")
        button.button(
            "Cancel",
            key=f"cancel-{job_id}",
            icon=":material/stop:",
            disabled=job.cancel_requested,
            width="stretch",
            on_click=jobs().cancel,
            args=(job_id, owner),
        )
        st.progress(_share(job), text=plain(_words(job)))
        if job.hung():
            st.warning(f"No sign of life for {job.silent_seconds:.0f} s. It can be cancelled.")
        if stage is not None:
            learning_curves(jobs().events(job_id, owner), stage, job_id)


def line_beside_menu(session: Session) -> None:
    """Every active job of this tab in one line beside the menu of every page, with the time left."""
    if not any(job.active for job in jobs().list(session.owner)):
        return
    with st.sidebar:
        st.fragment(_lines, run_every=2.0)(session.owner)


def _lines(owner: str) -> None:
    active = [job for job in jobs().list(owner) if job.active]
    if not active:
        st.toast("The work is done.", icon=":material/check:")
        st.rerun()
    for job in active:
        left = _seconds_left(job)
        words = "waiting" if job.status == "queued" else "running" if left is None else f"about {duration(left)} left"
        st.progress(_share(job), text=plain(f"{job.title}: {words}"))


def _share(job: Job) -> float:
    p = job.progress
    return 0.0 if p is None or p.total <= 0 else min(1.0, p.step / p.total)


def _words(job: Job) -> str:
    if job.cancel_requested:
        return "Stopping ..."
    if job.status == "queued":
        return f"Waiting: {plural(job.ahead, 'job')} ahead"
    if job.progress is None:
        return "Starting the worker ..."
    words = f"{job.progress.stage}: {job.progress.step} of {job.progress.total}"
    if failed := int(job.progress.values.get("failed", 0)):
        words += f", {failed} of them failed"
    left = _seconds_left(job)
    return words if left is None else f"{words} - about {duration(left)} left"


def _seconds_left(job: Job) -> float | None:
    """As the work itself says it, else from the share that is done; None while little is known."""
    share = _share(job)
    if share == 1 or job.progress is None:
        return None
    return job.progress.values.get("seconds_left") or (job.seconds * (1 - share) / share if share > 0.05 else None)


def duration(seconds: float) -> str:
    """In words, whole hours with their minutes."""
    minutes = round(seconds / 60)
    if minutes >= 90:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min"


def learning_curves(events: list[JobEvent], stage: str, key: str) -> None:
    """Loss and accuracy by epoch of every averaged network, training beside validation; ``key``: the job's id."""
    reports = [e.progress.values for e in events if e.progress.stage == stage and "val_loss" in e.progress.values]
    if not reports:
        return
    from genomap_core.plotting import learning_curves as curves  # plotly, which a page without curves need not wait for

    for place, measure in zip(st.container(key=f"wide-curves-{key}").columns(2), ("loss", "accuracy"), strict=True):
        place.plotly_chart(curves(reports, measure), key=f"{measure}-{key}", alt=f"{measure.capitalize()} by epoch")


def ended(session: Session, job: Job, draw: Callable[[Job], None]) -> None:
    """Draw a finished job with ``draw``, or say why there is no result."""
    if job.status == "done":
        draw(job)
        return
    if job.status == "cancelled":
        st.info(f"{plain(job.title)}: stopped, as you asked.", icon=":material/stop_circle:")
    else:
        st.error(f"{ENDINGS[job.status]}: {plain(job.cause or 'no cause known')}", icon=":material/error:")
    st.button(
        "Resume",
        key=f"resume-{job.id}",
        icon=":material/restart_alt:",
        help="Runs it again on the same data: a training goes on from its last finished epoch, a comparison from its "
        "last finished model, other work starts anew.",
        on_click=lambda: session.attempt(lambda: jobs().resume(job.id, session.owner)),
    )


def trained(session: Session, job: Job, model: str) -> None:
    """A finished training: its model, the file ``model`` of its folder, to download."""
    path = jobs().folder(job.id, session.owner) / model
    st.success(f"{plain(job.title)}: trained on all patients.", icon=":material/check:")
    st.download_button(
        "Download the model",
        path.read_bytes,
        model,
        on_click="ignore",
        icon=":material/download:",
        key=f"model-{job.id}",
    )


def latest(session: Session, task: str) -> Job | None:
    """The tab's newest job of this task, active or ended."""
    return next(iter(of_task(session, task)), None)


def of_task(session: Session, task: str) -> list[Job]:
    """The tab's jobs of this task, newest first."""
    found = [j for j in jobs().list(session.owner) if current_name(j.task) == entry_point(task)]
    return sorted(found, key=lambda j: j.created, reverse=True)


def chosen_folder(session: Session, task: str, shipped: Path, label: str) -> Path:
    """Where the files of a finished job lie: the newest of this tab, what comes with the program, or a choice."""
    found = {
        str(jobs().folder(job.id, session.owner)): f"{job.title}, {datetime.fromtimestamp(job.created):%Y-%m-%d %H:%M}"
        for job in of_task(session, task)
        if job.status == "done"
    }
    found[str(shipped)] = "Simulated cohort (comes with the program)"
    names = list(found)
    chosen = names[0]
    if len(names) > 1:
        chosen = st.selectbox(label, names, format_func=found.__getitem__, key=f"chosen-{task}")
    return Path(chosen)


def history(session: Session, task: str, show: Callable[[Job], None], stage: str | None = None) -> None:
    """Every job of ``task`` of this tab, newest first: the active ones followed, the last ended one drawn."""
    follow(session, task, stage)
    finished(session, task, show)


def follow(session: Session, task: str, stage: str | None = None, changes: Changes | None = None) -> None:
    """The active jobs of ``task``, newest first."""
    for job in of_task(session, task):
        if job.active:
            watch(session, job, stage, changes)


def finished(session: Session, task: str, show: Callable[[Job], None]) -> None:
    """The last ended job of ``task``, or which of them is chosen."""
    done = [j for j in of_task(session, task) if not j.active]
    if not done:
        return
    names = {j.id: f"{j.title} - {j.status}" for j in done}
    chosen = done[0].id
    if len(done) > 1:
        chosen = st.selectbox("Result", list(names), format_func=names.__getitem__, key=f"result-{task}")
    ended(session, next(j for j in done if j.id == chosen), show)
