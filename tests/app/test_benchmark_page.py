"""The Benchmark page: the stored study, filters, uploaded records, a run from start to end, nobody else's runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from app_harness import button, open_page, select, texts
from streamlit.testing.v1 import AppTest

sys.path.append(str(Path(__file__).parents[1] / "benchmark"))
from made_up_study import PROTOCOL, SETS, planted, study

from genomap_core.benchmark import reading
from genomap_core.benchmark.bottom_line import bottom_line
from genomap_core.benchmark.job import STORE, TASK, n_records
from genomap_core.benchmark.reading import records_of, to_parquet, write_records
from genomap_core.benchmark.records import failed
from genomap_core.benchmark.study_spec import Choice
from genomap_core.benchmark.summary import summarise
from genomap_core.benchmark.verdict import verdict
from pages._ui import benchmark as benchmark_study
from pages._ui.benchmark import VIEWS
from pages._ui.session import jobs

TABS = [*VIEWS, "Run a study"]
TINY = {"sets": ["wine"], "models": ["prior", "logistic"], "conditions": ["full", "noise-50"], "folds": 2}


def made_up():
    records = planted(PROTOCOL)
    return study(
        [failed(r.run, "oom", "too <b>much</b>") if r.dataset == "arcene" and r.fold == 0 else r for r in records]
    )


@pytest.fixture
def stored(tmp_path_factory, monkeypatch) -> Path:
    """A made-up study in place of the shipped one."""
    path = tmp_path_factory.mktemp("shipped") / "robustness_study.parquet"
    write_records(made_up(), path)
    monkeypatch.setattr(reading, "SHIPPED", path)
    return path


@pytest.fixture
def nothing_stored(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setattr(reading, "SHIPPED", tmp_path_factory.mktemp("empty") / "robustness_study.parquet")


def words(app) -> str:
    return texts(app).replace("\\", "")


def open_tab(app, name: str):
    app.session_state["benchmark_view"] = name
    return app.run()


def multi(app, key: str):
    return next(m for m in app.multiselect if m.key == key)


def labels(app) -> set[str]:
    return {d.proto.label for d in app.get("download_button")}


def table(app, column: str):
    return next(d.value for d in app.dataframe if column in d.value)


def choose(app, **more) -> None:
    """Fill in the form of a run."""
    values = {**TINY, **more}
    for name in ("sets", "models", "conditions"):
        multi(app, f"benchmark_{name}").set_value(values[name])
    app.number_input(key="benchmark_folds").set_value(values["folds"])
    app.run()


def wait_for(app, done: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.3)
    assert done(), [(j.status, j.cause, j.progress) for j in runs_of(app)]
    app.run()


def runs_of(app) -> list:
    return [j for j in jobs().list(app.session_state["session"].owner) if j.task == TASK]


def test_the_page_opens_on_the_stored_study_with_its_verdict(stored, app) -> None:
    open_page(app, "benchmark")
    assert not app.exception
    assert select(app, "Study").value == "shipped"
    for sentence in verdict(summarise(made_up())):
        assert sentence in words(app)
    for sentence in bottom_line(made_up()):
        assert sentence in words(app)
    assert table(app, "Mean rank")["Model"][0] == "GenoMap network"
    assert {"Records, Parquet", "Records, CSV", "Report, HTML", "SVG"} <= labels(app)


@pytest.mark.parametrize("tab", TABS)
def test_every_view_is_drawn(stored, app, tab) -> None:
    open_page(app, "benchmark")
    open_tab(app, tab)
    assert not app.exception
    assert not app.error
    expected = {
        "Verdict": "Mean ranks",
        "Every data set": "Set by set",
        "Noise and fewer rows": "Balanced accuracy against share of the training rows",
        "Where and at what cost": "Who wins where",
        "Failures and data": "How it was made",
    }
    assert expected.get(tab, "Start") in {s.value for s in app.subheader} | {b.label for b in app.button}


def test_sets_models_metric_and_condition_are_chosen(stored, app) -> None:
    open_page(app, "benchmark")
    select(app, "Metric").set_value("brier")
    select(app, "Condition").set_value("noise-50")
    multi(app, "benchmark-sets-shipped").set_value(["tox171", "micromass", "sc_pollen"])
    multi(app, "benchmark-models-shipped").set_value(["forest", "logistic"])
    app.run()
    assert not app.exception
    expected = summarise(
        made_up().filtered(["tox171", "micromass", "sc_pollen"], ["forest", "logistic"]), "noise-50", "brier"
    )
    for sentence in verdict(expected):
        assert sentence in words(app)
    assert table(app, "Mean rank")["Model"].tolist() == [m.title for m in expected.models]


def test_failures_are_told_as_text(stored, app) -> None:
    open_page(app, "benchmark")
    open_tab(app, "Failures and data")
    failures = table(app, "Ending")
    assert set(failures["Data set"]) == {"arcene"}
    assert failures["Ending"][0] == "oom: beyond the memory limit"
    assert failures["Message of the first"][0] == "too <b>much</b>"
    assert set(table(app, "Origin")["Data set"]) == set(SETS)


def test_without_a_stored_study_one_can_be_started(nothing_stored, app) -> None:
    open_page(app, "benchmark")
    assert not app.exception
    assert "No stored study yet: start one below" in words(app)
    assert button(app, "Start")
    assert "Absent here: 22 of the catalogue's data sets" in words(app)
    assert "40 runs" not in words(app)
    choose(app, folds=5)
    assert "20 runs (1 data set, 2 models, 2 conditions)" in words(app)
    assert "known once the first are done" in words(app)


def test_the_time_is_said_before_the_start(stored, app) -> None:
    open_page(app, "benchmark")
    open_tab(app, "Run a study")
    choose(app, models=["logistic", "forest"], folds=5)
    assert "20 runs" in words(app)
    expected = Choice(("wine",), ("logistic", "forest"), ("full", "noise-50")).expected_seconds(
        records_of(made_up().table)
    )
    assert f"About {expected:.0f} s" in words(app)


def test_a_wrong_choice_is_said_and_nothing_is_queued(stored, app) -> None:
    open_page(app, "benchmark")
    open_tab(app, "Run a study")
    choose(app, models=[])
    assert "No model was chosen" in words(app)
    assert not [b for b in app.button if b.label == "Start"]
    assert not runs_of(app)


def test_uploaded_records_are_shown_and_a_bad_file_changes_nothing(stored, app) -> None:
    open_page(app, "benchmark")
    other = made_up().filtered(["tox171", "micromass"])
    app.file_uploader[0].set_value(("mine.parquet", to_parquet(other), "")).run()
    assert not app.exception
    assert select(app, "Study").value == "uploaded"
    assert "2 data sets" in words(app)
    app.file_uploader[0].set_value(("bad.parquet", to_parquet(other)[:500], "")).run()
    assert not app.exception
    assert "damaged" in words(app)
    assert "Give a file that" in words(app)
    assert select(app, "Study").value == "uploaded"
    assert "2 data sets" in words(app)
    select(app, "Study").set_value("shipped").run()
    assert "8 data sets" in words(app)


@pytest.mark.slow
def test_a_study_is_run_read_and_found_again(nothing_stored, app, home) -> None:
    open_page(app, "benchmark")
    choose(app)
    button(app, "Start").click().run()
    assert not app.exception
    (job,) = runs_of(app)
    owner = app.session_state["session"].owner
    assert Choice.from_spec(jobs().spec(job.id, owner)).n_runs() == 8
    wait_for(app, lambda: not jobs().get(job.id, owner).active)
    assert jobs().get(job.id, owner).status == "done", jobs().get(job.id, owner).cause
    assert select(app, "Study").value == job.id
    assert "8 runs, 8 of them to their end" in words(app)
    assert "Logistic regression" in words(app)
    folder = home / "jobs" / job.id
    assert n_records(folder) == 8
    assert folder.stat().st_mode & 0o077 == 0
    open_tab(app, "Run a study")
    choose(app)
    button(app, "Start").click().run()
    assert len(runs_of(app)) == 1, "the same choice is the same study"

    other = AppTest.from_file(str(Path(__file__).parents[2] / "app.py"), default_timeout=120).run()
    open_page(other, "benchmark")
    assert "No stored study yet" in words(other)
    assert job.id not in words(other)
    other.session_state["benchmark_study"] = job.id
    other.run()
    assert "Logistic regression" not in words(other)


@pytest.mark.slow
def test_a_stopped_study_is_read_and_goes_on_with_the_same_choice(nothing_stored, app, home) -> None:
    open_page(app, "benchmark")
    choose(app, folds=3, conditions=["full", "noise-50", "rows-40"])
    button(app, "Start").click().run()
    (job,) = runs_of(app)
    owner = app.session_state["session"].owner
    folder = home / "jobs" / job.id
    wait_for(app, lambda: n_records(folder) >= 1)
    button(app, "Cancel").click().run()
    wait_for(app, lambda: not jobs().get(job.id, owner).active)
    assert jobs().get(job.id, owner).status == "cancelled"
    before = {p: p.stat().st_mtime_ns for p in (folder / STORE / "rows").rglob("*.json")}
    assert 1 <= len(before) < 18
    assert not app.exception
    assert select(app, "Study").value == job.id
    assert f"{len(before)} run" in words(app)
    open_tab(app, "Run a study")
    assert "stopped, as you asked" in words(app)
    choose(app, folds=3, conditions=["full", "noise-50", "rows-40"])
    button(app, "Start").click().run()
    assert len(runs_of(app)) == 1
    wait_for(app, lambda: not jobs().get(job.id, owner).active)
    assert jobs().get(job.id, owner).status == "done", jobs().get(job.id, owner)
    assert {p: p.stat().st_mtime_ns for p in before} == before, "what was done is not done again"
    assert "18 runs, 18 of them to their end" in words(app)


def test_a_cohort_of_ones_own_is_a_data_set(nothing_stored, app) -> None:
    open_page(app, "benchmark")
    own = next(o for o in multi(app, "benchmark_sets").options if "TCGA breast cancer" in o)
    assert "(" in own
    choose(app, sets=["own_tcga_breast_cancer"], models=["prior"], conditions=["full"])
    button(app, "Start").click().run()
    assert not app.exception
    (job,) = runs_of(app)
    owner = app.session_state["session"].owner
    spec = jobs().spec(job.id, owner)
    assert spec["cohort"]["digest"] == app.session_state["session"].dataset.digest
    assert (jobs().root / job.id / "dataset.npz").is_file()
    jobs().cancel(job.id, owner)


def test_of_studies_and_looks_only_a_few_are_kept(stored, app) -> None:
    open_page(app, "benchmark")
    for k in range(1, 12):
        multi(app, "benchmark-sets-shipped").set_value(list(SETS)[: 1 + k % 8]).run()
        app.run()
    assert not app.exception
    held = app.session_state["session"].cache[benchmark_study._HELD]
    assert len(held["looks"]) <= 8
