"""Which study the Benchmark page shows, what of it is looked at, and its downloads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import streamlit as st

from genomap_core.benchmark import reading
from genomap_core.benchmark.job import TASK, n_records, read_run
from genomap_core.benchmark.reading import StudyRecords, conditions_of, read_study, records_of, to_csv, to_parquet
from genomap_core.benchmark.records import Record
from genomap_core.benchmark.uploaded import read_upload
from genomap_core.benchmark.verdict import METRIC_TITLES, condition_title
from genomap_core.data.message import plural
from genomap_core.errors import GenomapError
from genomap_core.jobs import Job
from genomap_core.reports.benchmark import render_report
from genomap_core.reports.benchmark_look import Look, metrics_of
from pages._ui import jobs as job_panel
from pages._ui.session import Session, jobs
from pages._ui.shell import plain, show_error

SHIPPED, UPLOADED = "shipped", "uploaded"
CHOICE, NEXT = "benchmark_study", "benchmark_next"
_HELD = ("benchmark",)
USUAL_METRIC = "balanced_accuracy"
WIDTH = 192
"""Of a filter, in pixels: four side by side, two on a narrow screen."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """The study that is shown; ``study`` is None while a run has no record yet."""

    key: str
    study: StudyRecords | None
    job: Job | None = None

    def widget(self, name: str) -> str:
        """Key of a widget that belongs to this study."""
        return f"benchmark-{name}-{self.key.partition(':')[0]}"


def show_next(key: str) -> None:
    """Let the next run of the page show this study: of a job by its id."""
    st.session_state[NEXT] = key


def chosen(session: Session) -> Chosen | None:
    """The newest run of this tab, the shipped study, an uploaded one, or which of them is chosen."""
    place = st.container(horizontal=True, vertical_alignment="bottom")
    _upload(session)
    names = _names(session)
    if not names:
        return None
    wanted = st.session_state.pop(NEXT, None)
    if wanted in names:
        st.session_state[CHOICE] = wanted
    elif st.session_state.get(CHOICE) not in names:
        st.session_state.pop(CHOICE, None)
    with place:
        key = st.selectbox("Study", list(names), format_func=names.__getitem__, key=CHOICE)
    return _read(session, key)


def _names(session: Session) -> dict[str, str]:
    """Every study that can be shown. A name stays the same while its study runs: the browser answers with it."""
    found = {}
    for job in job_panel.of_task(session, TASK):
        if job.active or n_records(jobs().root / job.id):
            found[job.id] = f"{job.title}, {datetime.fromtimestamp(job.created):%Y-%m-%d %H:%M} ({job.id[:4]})"
    if reading.SHIPPED.is_file():
        found[SHIPPED] = "The robustness study (comes with the program)"
    if UPLOADED in _held(session):
        found[UPLOADED] = "Uploaded records"
    return found


def _held(session: Session) -> dict[str, Any]:
    """Studies and looks of this tab; of all that the session remembers this goes last."""
    held: dict[str, Any] = session.cache.pop(_HELD, {})
    session.cache[_HELD] = held
    return held


def _once(session: Session, group: str, key: Any, make: Callable[[], Any], most: int = 4) -> Any:
    kept = _held(session).setdefault(group, {})
    if key not in kept:
        value = make()
        while len(kept) >= most:
            kept.pop(next(iter(kept)))
        kept[key] = value
    return kept[key]


def _upload(session: Session) -> None:
    """Records that were downloaded before. A file that can't be read is told; what was shown stays."""
    with st.expander("Open records", icon=":material/upload_file:"):
        file = st.file_uploader(
            "Records of a study (Parquet)", max_upload_size=60, key=f"benchmark-upload-{session.uploads}"
        )
    if file is None:
        return
    content = file.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    held = _held(session)
    if held.get("tried") != digest:
        try:
            held[UPLOADED], held["refused"] = (digest, read_upload(content, "This file")), None
            show_next(UPLOADED)
        except GenomapError as error:
            held["refused"] = error
        held["tried"] = digest
    if held["refused"] is not None:
        show_error(held["refused"])


def _read(session: Session, key: str) -> Chosen:
    if key == UPLOADED:
        digest, study = _held(session)[UPLOADED]
        return Chosen(f"{UPLOADED}:{digest}", study)
    if key == SHIPPED:
        return Chosen(SHIPPED, _shipped())
    job = jobs().get(key, session.owner)
    try:
        folder = jobs().folder(key, session.owner)
        count = n_records(folder)
        if not count:
            return Chosen(key, None, job)
        run = _once(session, "studies", (key, count), lambda: read_run(folder))
    except GenomapError as error:  # another study can still be chosen
        show_error(error)
        return Chosen(key, None, job)
    if run.damaged:
        st.warning(f"{plural(run.damaged, 'record')} of this study can't be read and are left out.")
    return Chosen(f"{key}:{count}", run.study if len(run.study.table) else None, job)


@st.cache_resource(show_spinner=False)
def _shipped_of(key: str) -> StudyRecords:
    return read_study()


def _shipped() -> StudyRecords:
    """The study that comes with the program, read once for all sessions; nobody changes it."""
    return _shipped_of(f"{reading.SHIPPED}, {reading.SHIPPED.stat().st_mtime_ns}")


def known_records(session: Session) -> Sequence[Record]:
    """Of earlier studies, whose times tell how long a new one will take: the shipped one, and this tab's last."""
    found: list[Record] = []
    if reading.SHIPPED.is_file():
        found += _once(session, "records", SHIPPED, lambda: records_of(_shipped().table))
    for job in job_panel.of_task(session, TASK):
        if job.status == "done":
            return found + _once(session, "records", job.id, lambda job=job: _records(session, job.id))
    return found


def _records(session: Session, job_id: str) -> list[Record]:
    return records_of(read_run(jobs().folder(job_id, session.owner)).study.table)


def looked_at(session: Session, chosen: Chosen) -> Look | None:
    """The filters and downloads; None while there is nothing to compare yet."""
    if chosen.study is None:
        _wait(chosen)
        return None
    whole = chosen.study
    filters = st.container(horizontal=True)
    metrics = metrics_of(whole)
    if not metrics:
        st.warning("No run of this study gave a score: see the failures.")
    metric = filters.selectbox(
        "Metric",
        metrics or [USUAL_METRIC],
        metrics.index(USUAL_METRIC) if USUAL_METRIC in metrics else 0,
        format_func=lambda name: METRIC_TITLES[name][0].upper() + METRIC_TITLES[name][1:],
        width=WIDTH,
        key=chosen.widget("metric"),
    )
    condition = filters.selectbox(
        "Condition", conditions_of(whole), format_func=condition_title, width=WIDTH, key=chosen.widget("condition")
    )
    sets = filters.multiselect(
        "Data sets", sorted(set(whole.table["dataset"])), placeholder="All", width=WIDTH, key=chosen.widget("sets")
    )
    titles = Look(whole, metric, condition).titles
    models = filters.multiselect(
        "Models",
        list(titles),
        format_func=titles.__getitem__,
        placeholder="All",
        width=WIDTH,
        key=chosen.widget("models"),
    )
    key = (chosen.key, metric, condition, tuple(sets), tuple(models))
    look: Look = _once(
        session, "looks", key, lambda: Look(whole.filtered(sets or None, models or None), metric, condition), most=8
    )
    _summary_line(look, chosen)
    _downloads(look, chosen)
    if look.empty:
        st.info(
            f"Nothing can be compared yet: no fold of these data sets was run by all of these models "
            f"({condition_title(condition)}). Choose other filters, or wait for the run to come there.",
            icon=":material/hourglass:",
        )
        _wait(chosen)
    return look


def _summary_line(look: Look, chosen: Chosen) -> None:
    table = look.study.table
    ok = int((table["status"] == "ok").sum())
    text = f"{len(table):,} runs, {ok:,} of them to their end: {plural(table['dataset'].nunique(), 'data set')}, "
    text += f"{plural(table['model'].nunique(), 'model')}, {plural(table['condition'].nunique(), 'condition')}."
    if chosen.job is not None and not chosen.job.active and chosen.job.status != "done":
        text += f" The study is not whole ({chosen.job.status}): start it again with the same choice to go on."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(plain(text))
        if chosen.job is not None and chosen.job.active:
            st.button("Look again", icon=":material/refresh:", help="The study runs: show what was done meanwhile.")


def _downloads(look: Look, chosen: Chosen) -> None:
    """What is looked at: records of these sets and models under all conditions; the report under this metric."""
    made: tuple[tuple[str, Callable[[], bytes], str, str], ...] = (
        ("Records, Parquet", lambda: to_parquet(look.study), "records.parquet", "application/octet-stream"),
        ("Records, CSV", lambda: to_csv(look.study), "records.csv", "text/csv"),
        ("Report, HTML", lambda: render_report(look.study, look.metric).encode(), "report.html", "text/html"),
    )
    with st.container(horizontal=True):
        for label, make, name, mime in made:
            st.download_button(
                label,
                make,
                f"robustness-{name}",
                mime,
                on_click="ignore",
                icon=":material/download:",
                key=chosen.widget(name),
            )


def _wait(chosen: Chosen) -> None:
    """While a run has nothing to show: look every few seconds whether it has."""
    if chosen.job is not None and chosen.job.active:
        st.fragment(_look_out, run_every=3.0)(chosen.job.id, int(chosen.key.partition(":")[2] or 0))


def _look_out(job_id: str, seen: int) -> None:
    if n_records(jobs().root / job_id) > seen:
        st.rerun()
    st.markdown("The study has begun; what it finds is shown here as soon as every model has done a fold.")
