"""Starting a study on the Benchmark page: what is run, how many runs that is and how long, and the runs of this tab."""

from __future__ import annotations

import time
from dataclasses import asdict

import streamlit as st

from genomap_core.benchmark.choice import (
    CORES,
    MACHINE_GB,
    OFFERED_CONDITIONS,
    OFFERED_MODELS,
    Choice,
    Offer,
    model_title,
    offers,
)
from genomap_core.benchmark.job import TASK
from genomap_core.benchmark.verdict import condition_title
from genomap_core.data.message import plural, some
from genomap_core.errors import JobError
from genomap_core.jobs import Job
from pages._ui import benchmark_study
from pages._ui import jobs as job_panel
from pages._ui.session import Session, jobs
from pages._ui.shell import plain
from pages._ui.widgets import caption

ENDING_S = 8.0
WIDTH = 168
"""Of a number, in pixels."""
USUAL_SETS = ("breast_cancer", "wine")
USUAL_MODELS = ("genomap", "genomap_random", "logistic", "forest")
USUAL_CONDITIONS = ("full", "noise-50")


def follow(session: Session) -> None:
    """The runs that are going on."""
    job_panel.follow(session, TASK)


def panel(session: Session) -> None:
    """What is run, and how the last run ended."""
    choice = _choice(session)
    _announce(session, choice)
    if st.button("Start", type="primary", icon=":material/play_arrow:", key="benchmark_start"):
        _start(session, choice)
    job_panel.finished(session, TASK, _done)


def _choice(session: Session) -> Choice:
    offered = offers(session.dataset)
    present = [name for name, offer in offered.items() if not offer.absent]
    sets = st.multiselect(
        "Data sets",
        present,
        [name for name in USUAL_SETS if name in present],
        format_func=lambda name: offered[name].label,
        key="benchmark_sets",
    )
    _absent(offered)
    models = st.multiselect("Models", OFFERED_MODELS, USUAL_MODELS, format_func=model_title, key="benchmark_models")
    conditions = st.multiselect(
        "Conditions", OFFERED_CONDITIONS, USUAL_CONDITIONS, format_func=condition_title, key="benchmark_conditions"
    )
    row = st.container(horizontal=True)
    folds = row.number_input("Folds", 2, 10, 5, width=WIDTH, key="benchmark_folds")
    seeds = row.number_input(
        "Seeds, undisturbed", 1, 20, 1, width=WIDTH, key="benchmark_seeds", help="Each splits the rows anew."
    )
    others = row.number_input("Seeds, disturbed", 1, 20, 1, width=WIDTH, key="benchmark_other_seeds")
    most = max(1.0, round(0.9 * MACHINE_GB, 1))
    memory = row.number_input(
        "Memory of a run (GB)", 0.5, most, min(4.0, most), 0.5, width=WIDTH, key="benchmark_memory",
        help="A run that needs more is stopped and recorded as a failure.",
    )  # fmt: skip
    seconds = row.number_input(
        "Time of a run (s)", 5, 24 * 3600, 600, width=WIDTH, key="benchmark_seconds",
        help="A run that takes longer is stopped and recorded as a failure.",
    )  # fmt: skip
    at_once = row.number_input(
        "At a time", 1, CORES, 1, width=WIDTH, key="benchmark_at_once", help="Runs on cores side by side."
    )
    own = next((offered[name].entry for name in sets if offered[name].entry.source == "cohort"), None)
    return Choice(
        sets=tuple(sets),
        models=tuple(models),
        conditions=tuple(conditions),
        seeds=int(seeds),
        other_seeds=int(others),
        folds=int(folds),
        memory_gb=float(memory),
        seconds=float(seconds),
        at_once=int(at_once),
        cohort=None if own is None else {"digest": session.dataset.digest, "entry": asdict(own)},
    )


def _absent(offered: dict[str, Offer]) -> None:
    absent = [name for name, offer in offered.items() if offer.absent]
    if absent:
        caption(
            f"Absent here: {len(absent)} of the catalogue's data sets ({some(absent)}). They are read from the folder "
            "that the environment variable GENOMAP_DATA names when the app is started."
        )


def _announce(session: Session, choice: Choice) -> None:
    """How many runs, and how long."""
    seconds = choice.expected_seconds(benchmark_study.known_records(session))
    parts = (plural(len(choice.sets), "data set"), plural(len(choice.models), "model"))
    text = f"{plural(choice.n_runs(), 'run')} ({', '.join(parts)}, {plural(len(choice.conditions), 'condition')}). "
    text += (
        "How long they take is known once the first are done."
        if seconds is None
        else f"About {job_panel.duration(seconds)}, judged by the times of earlier studies; other machines and larger "
        "data sets differ."
    )
    st.info(plain(text), icon=":material/timer:")


def _start(session: Session, choice: Choice) -> None:
    """Queue it; the same choice as before goes on where it stopped."""
    spec = choice.to_spec()
    before = next((j for j in job_panel.of_task(session, TASK) if jobs().spec(j.id, session.owner) == spec), None)
    if before is None:
        title = f"Study of {plural(len(choice.sets), 'data set')}, {plural(len(choice.models), 'model')}"
        if choice.cohort is None:
            job_id = jobs().submit(TASK, spec, owner=session.owner, title=title)
        else:
            job_id = job_panel.submit(session, TASK, spec, title)
        st.toast("The study is queued. It goes on if this page is closed.")
    else:
        job_id = before.id
        if not before.active and before.status != "done":
            with st.spinner("Going on ..."):
                _resume(session, job_id)
            st.toast("The same choice as before: only what is missing is run.")
        else:
            st.toast("This study is there already: it is shown.")
    benchmark_study.show_next(job_id)
    st.rerun()


def _resume(session: Session, job_id: str) -> None:
    """Go on with an ended run; a worker that was stopped just now may need some seconds to be gone."""
    until = time.monotonic() + ENDING_S
    while True:
        try:
            jobs().resume(job_id, session.owner)
            return
        except JobError:
            if time.monotonic() > until:
                raise
            time.sleep(0.25)


def _done(job: Job) -> None:
    st.success(f"{plain(job.title)}: done. It can be chosen at the top of the page.", icon=":material/check:")
