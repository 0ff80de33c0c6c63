"""The Benchmark page: starting a study, which study is shown, and what is shown of it."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import streamlit as st

from genomap_core.benchmark import reading
from genomap_core.benchmark.job import TASK, n_records, read_run
from genomap_core.benchmark.models import CONTROL
from genomap_core.benchmark.protocol import about_left_out
from genomap_core.benchmark.reading import StudyRecords, conditions_of, read_study, records_of, to_csv, to_parquet
from genomap_core.benchmark.records import Record
from genomap_core.benchmark.study_spec import (
    CORES,
    MACHINE_GB,
    OFFERED_CONDITIONS,
    OFFERED_MODELS,
    Choice,
    Offer,
    model_title,
    offers,
)
from genomap_core.benchmark.uploaded import read_upload
from genomap_core.benchmark.verdict import METRIC_TITLES, condition_title
from genomap_core.data.message import plural, some
from genomap_core.errors import GenomapError, JobError
from genomap_core.io.tables.export import csv_name
from genomap_core.jobs import Job
from genomap_core.reports.benchmark import render_report
from genomap_core.reports.benchmark_view import AXES, Look, Picture, metrics_of
from genomap_core.reports.svg import svg_file
from pages._ui import jobs as job_panel
from pages._ui.session import Session, jobs
from pages._ui.shell import plain, show_error
from pages._ui.widgets import caption, file_stem, verdict_box

ENDING_S = 8.0
FORM_WIDTH = 168
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
    folds = row.number_input("Folds", 2, 10, 5, width=FORM_WIDTH, key="benchmark_folds")
    seeds = row.number_input(
        "Seeds, undisturbed", 1, 20, 1, width=FORM_WIDTH, key="benchmark_seeds", help="Each splits the rows anew."
    )
    others = row.number_input("Seeds, disturbed", 1, 20, 1, width=FORM_WIDTH, key="benchmark_other_seeds")
    most = max(1.0, round(0.9 * MACHINE_GB, 1))
    memory = row.number_input(
        "Memory of a run (GB)", 0.5, most, min(4.0, most), 0.5, width=FORM_WIDTH, key="benchmark_memory",
        help="A run that needs more is stopped and recorded as a failure.",
    )  # fmt: skip
    seconds = row.number_input(
        "Time of a run (s)", 5, 24 * 3600, 600, width=FORM_WIDTH, key="benchmark_seconds",
        help="A run that takes longer is stopped and recorded as a failure.",
    )  # fmt: skip
    at_once = row.number_input(
        "At a time", 1, CORES, 1, width=FORM_WIDTH, key="benchmark_at_once", help="Runs on cores side by side."
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
    seconds = choice.expected_seconds(known_records(session))
    parts = (plural(len(choice.sets), "data set"), plural(len(choice.models), "model"))
    text = f"{plural(choice.n_runs(), 'run')} ({', '.join(parts)}, {plural(len(choice.conditions), 'condition')}). "
    text += (
        "How long they take is known once the first are done."
        if seconds is None
        else f"About {job_panel.duration(seconds)}, judged by the times of earlier studies; other machines and larger "
        "data sets differ."
    )
    st.info(plain(f"{text} {about_left_out(choice.protocol())}".strip()), icon=":material/timer:")


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
    show_next(job_id)
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


_FIGURES = st.column_config.NumberColumn(format="%.3f")
_SIGNED = st.column_config.NumberColumn(format="%+.3f")
_P = st.column_config.NumberColumn(format="%.2g")


def show(picture: Picture, key: str, file: Callable[[], bytes] | None = None) -> None:
    """A figure with its title, its caption and its file (SVG)."""
    title, about, figure = picture
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.subheader(plain(title))
        st.download_button(
            "SVG",
            file or (lambda: svg_file(figure, title)),
            f"{file_stem(title)}.svg",
            "image/svg+xml",
            on_click="ignore",
            icon=":material/download:",
            key=f"benchmark-svg-{key}",
            help=f"Download “{title}” as a picture.",
        )
    st.plotly_chart(figure, key=f"benchmark-figure-{key}", alt=title)
    caption(about)


def _verdict(look: Look) -> None:
    verdict_box(look.bottom_line, look.verdict(), also=["critical difference", "Friedman", look.metric_title])
    s = look.summary
    st.dataframe(
        look.models_table(),
        hide_index=True,
        column_config={
            "Mean rank": st.column_config.NumberColumn(format="%.2f"),
            "Mean over its sets": _FIGURES,
            f"Mean over the {s.n_common_sets} sets of all": _FIGURES,
        },
    )
    caption(
        f"Mean {look.metric_title} over the {plural(s.n_runs_compared, 'fold')} that every model was given; a model "
        "that failed on a set ranks last there. "
        + ("" if math.isnan(s.friedman_p) else f"Friedman's test that all models are alike: p = {s.friedman_p:.2g}.")
    )
    for i, picture in enumerate(look.rank_pictures()):
        show(picture, f"rank{i}")
    if s.comparisons:
        st.dataframe(
            look.comparison_table(),
            hide_index=True,
            column_config={"Difference": _SIGNED, "From": _SIGNED, "To": _SIGNED, "p (Holm)": _P},
        )
        caption(
            f"{look.titles[s.reference]} minus each other model over the data sets and folds that both ran: 95 % t "
            "interval, Wilcoxon's test corrected by Holm over the models; the last column: corrected resampled "
            "t-test on each set, corrected by Holm over the sets."
        )


def _sets(look: Look) -> None:
    show(look.scores_picture(), "scores")
    st.dataframe(look.scores_table(), hide_index=True)
    caption("Mean over the folds that every model was given, with its 95 % interval.")
    names = [m for m in look.titles if m in look.cells.models]
    if len(names) < 2:
        return
    a, b = st.columns(2)
    first = a.selectbox(
        "Model", names, names.index(look.summary.reference), look.titles.__getitem__, key="benchmark_first"
    )
    others = [m for m in names if m != first]
    second = b.selectbox(
        "Compared with",
        others,
        others.index(CONTROL) if CONTROL in others else 0,
        look.titles.__getitem__,
        key=f"benchmark-second-{first}",
    )
    table = look.pair(first, second)
    if table.empty:
        caption("There is no data set on which both ran to their end.")
        return
    show(look.pair_picture(first, second), "pair")
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "dataset": "Data set",
            "runs": "Folds",
            "difference": st.column_config.NumberColumn("Difference", format="%+.3f"),
            "low": st.column_config.NumberColumn("From", format="%+.3f"),
            "high": st.column_config.NumberColumn("To", format="%+.3f"),
            "p": st.column_config.NumberColumn("p", format="%.2g"),
            "p_holm": st.column_config.NumberColumn("p (Holm)", format="%.2g"),
        },
    )
    caption("The differences as figures; p (Holm) is corrected over the data sets.")


def _conditions(look: Look) -> None:
    kinds = look.kinds()
    if not kinds:
        caption("The study holds no disturbed runs of these data sets and models: no noise, no smaller share of rows.")
    for kind in kinds:
        mean = look.mean_picture(kind)
        if mean is None:
            st.subheader(plain(AXES[kind].split(",")[0].capitalize()))
            caption("No data set was run by every model under all of these conditions: there is no mean.")
        else:
            show(mean, f"mean-{kind}")
        show(look.panels_picture(kind), f"panels-{kind}", lambda kind=kind: look.panels_file(kind))


def _costs(look: Look) -> None:
    for i, picture in enumerate(look.cost_pictures()):
        show(picture, f"cost{i}")
    caption("Measured on the machines that “Failures and data” names; a run of a second is measured poorly.")


def _failures(look: Look) -> None:
    st.subheader("Failures")
    failed = look.failures_table()
    if failed:
        st.dataframe(failed, hide_index=True)
        caption("A failure is a result: it stays in the records, and the model ranks last on that data set.")
    else:
        caption("None: every run came to its end.")
    st.subheader("Data sets")
    st.dataframe(look.sets_table(), hide_index=True)
    caption("No file of another's data comes with the program, only figures computed on them.")
    st.subheader("How it was made")
    for line in look.made_by():
        caption(line)


def _whole(draw: Callable[[Look], None]) -> Callable[[Look | None], None]:
    """A view that needs something to compare."""

    def drawn(look: Look | None) -> None:
        if look is not None and not look.empty:
            draw(look)

    return drawn


VIEWS: dict[str, Callable[[Look | None], None]] = {
    "Verdict": _whole(_verdict),
    "Every data set": _whole(_sets),
    "Noise and fewer rows": _whole(_conditions),
    "Where and at what cost": _whole(_costs),
    "Failures and data": lambda look: None if look is None else _failures(look),
}
"""Tab -> what draws it."""


SHIPPED, UPLOADED = "shipped", "uploaded"
CHOICE, NEXT = "benchmark_study", "benchmark_next"
_HELD = ("benchmark",)
USUAL_METRIC = "balanced_accuracy"
FILTER_WIDTH = 192
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
        width=FILTER_WIDTH,
        key=chosen.widget("metric"),
    )
    condition = filters.selectbox(
        "Condition",
        conditions_of(whole),
        format_func=condition_title,
        width=FILTER_WIDTH,
        key=chosen.widget("condition"),
    )
    sets = filters.multiselect(
        "Data sets",
        sorted(set(whole.table["dataset"])),
        placeholder="All",
        width=FILTER_WIDTH,
        key=chosen.widget("sets"),
    )
    titles = Look(whole, metric, condition).titles
    models = filters.multiselect(
        "Models",
        list(titles),
        format_func=titles.__getitem__,
        placeholder="All",
        width=FILTER_WIDTH,
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
        ("Records, CSV", lambda: to_csv(look.study), csv_name("records"), "text/csv"),
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
