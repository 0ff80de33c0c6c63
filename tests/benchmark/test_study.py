"""The study as a whole: complete, resumable, shardable; its command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from study_helpers import arguments, fingerprints, run_command, wait_for

from genomap_core.benchmark.catalogue import choose, load_catalogue
from genomap_core.benchmark.driver import Study, pieces_of, prepare_store, run_study
from genomap_core.benchmark.engine import EngineConfig, EngineError
from genomap_core.benchmark.estimate import Estimate, Estimator, seconds_left
from genomap_core.benchmark.protocol import FULL, Condition, Protocol, Run, runs
from genomap_core.benchmark.reading import read_study, write_records
from genomap_core.benchmark.records import METRICS, Record
from genomap_core.benchmark.sources import Places
from genomap_core.benchmark.store import StoreError, open_store
from genomap_core.errors import Cancelled, InputError


@pytest.fixture(autouse=True)
def _no_outbound_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask names its in-process addresses after the outbound address, which the socket guard refuses to look up."""
    monkeypatch.setattr("distributed.comm.inproc.get_ip", lambda: "127.0.0.1")


def study(folder: Path, **more: object) -> Study:
    entries = choose(load_catalogue(folder / "data" / "catalogue.toml"), ["first"])
    protocol = Protocol({"first": 2}, models=("prior",), conditions=(FULL, Condition("noise-10")), seeds=(0,))
    engine = EngineConfig("serial")
    values = {"store": folder / "study", "places": Places(folder / "data"), "engine": engine, "protocol": protocol}
    return Study(entries=entries, **{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["serial", "dask"])
def test_a_study_does_every_run_once_and_a_second_call_does_nothing(folder: Path, engine: str) -> None:
    seen: list[Estimate] = []
    wanted = study(folder, engine=EngineConfig(engine, 2))
    outcome = run_study(wanted, seen.append)
    assert (outcome.done, outcome.total, outcome.problems) == (4, 4, ())
    assert {r.name for r in open_store(folder / "study").records()} == {r.name for r in runs(wanted.protocol)}
    assert (seen[0].total, seen[-1].done, seen[-1].statuses) == (4, 4, {"ok": 4})
    before = fingerprints(folder / "study")
    assert run_study(wanted).done == 4
    assert fingerprints(folder / "study") == before


def test_dask_on_this_machine_listens_on_the_loopback_only(folder: Path) -> None:
    from genomap_core.benchmark.engine import open_engine

    with open_engine(EngineConfig("dask", 1)):
        listening = [c.laddr.ip for c in psutil.Process().net_connections() if c.status == psutil.CONN_LISTEN]
    assert set(listening) <= {"127.0.0.1"}


def test_shards_are_a_study_without_a_scheduler(folder: Path) -> None:
    parts = [study(folder, part=f"{i}/2") for i in (1, 2)]
    names = [{r.name for p in pieces_of(part) for r in p.runs} for part in parts]
    assert not names[0] & names[1]
    assert names[0] | names[1] == {r.name for r in runs(study(folder).protocol)}
    for part, own in zip(parts, names, strict=True):
        for name in own:
            prepare_store(part).put(done(name))
        assert run_study(part).total == len(own)
    assert len(open_store(folder / "study").records()) == 4


def test_the_stores_of_several_machines_and_a_file_of_records_are_collected_into_one(folder: Path) -> None:
    names = sorted(r.name for r in runs(study(folder).protocol))
    stores = [study(folder, store=folder / name) for name in ("here", "there")]
    for part, own in zip(stores, (names[:3], names[2:]), strict=True):
        for name in own:
            prepare_store(part).put(replace(done(name), message=part.store.name, n_train=60))
    write_records(read_study(folder / "there"), folder / "there.parquet")
    told = run_command(folder, "collect", "here", "there.parquet", "--store", "all")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == [
        "here: 3 of 3 records are new in all.",
        "there.parquet: 1 of 2 records are new in all.",
    ]
    collected = {r.name: r for r in open_store(folder / "all").records()}
    assert sorted(collected) == names
    assert [collected[name].message for name in names] == ["here"] * 3 + ["there"]
    assert collected[names[3]] == replace(done(names[3]), message="there", n_train=60)
    assert run_study(study(folder, store=folder / "all")).done == 4  # nothing is left to run


@pytest.mark.parametrize("what", ["folds", "data"])
def test_records_of_another_study_are_not_mixed_in(folder: Path, what: str) -> None:
    one, other = study(folder), study(folder, store=folder / "other")
    name = next(iter(runs(one.protocol))).name
    if what == "folds":
        other = replace(other, protocol=replace(one.protocol, folds={"first": 3}))
    for part, data in ((one, "a" * 64), (other, ("a" if what == "folds" else "b") * 64)):
        prepare_store(part).put(replace(done(name), data_sha256=data))
    before = fingerprints(folder / "study")
    told = run_command(folder, "collect", "other", "--store", "study")
    assert told.returncode == 1
    assert ("number of folds" if what == "folds" else "different data named first") in told.stderr
    assert fingerprints(folder / "study") == before


def done(name: str) -> Record:
    r = Run.parse(name)
    scores = dict.fromkeys(METRICS, 0.5)
    return Record(r.dataset, r.condition.name, r.model, r.seed, r.fold, "ok", **scores)  # type: ignore[arg-type]


def test_cancelling_ends_the_study_and_its_children(folder: Path) -> None:
    of_other_tests = set(psutil.Process().children())

    def children() -> set[psutil.Process]:
        return set(psutil.Process().children()) - of_other_tests

    def stop(estimate: Estimate) -> None:
        if children():
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run_study(study(folder), stop)
    wait_for(lambda: not children(), 10)


def test_missing_files_are_named_before_anything_runs(folder: Path) -> None:
    with pytest.raises(InputError, match=r"first\.parquet"):
        run_study(study(folder, places=Places(folder)))
    assert not (folder / "study").exists()


def test_a_damaged_record_stops_the_study_until_it_is_set_aside(folder: Path) -> None:
    store = prepare_store(study(folder))
    for run in runs(study(folder).protocol):
        store.put(done(run.name))
    path = next((folder / "study" / "rows").rglob("*.json"))
    path.write_bytes(path.read_bytes()[:50])
    before = fingerprints(folder / "study")
    with pytest.raises(StoreError, match=path.name):
        run_study(study(folder))
    assert fingerprints(folder / "study") == before
    assert run_study(study(folder, set_aside=("damaged",))).done == 4
    assert [p.read_bytes() for p in (folder / "study" / "set-aside").rglob("*.json")] == [before[str(path)][2]]


def test_no_scheduler_at_the_address_is_an_error_in_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genomap_core.benchmark.engine.CONNECT_SECONDS", 1)
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:9"):
        run_study(study(folder, engine=EngineConfig("dask", scheduler="tcp://127.0.0.1:9")))


def test_the_time_left_is_that_of_the_same_model_on_the_same_set() -> None:
    def record(dataset: str, model: str, seconds: float) -> Record:
        scores = dict.fromkeys(METRICS, 0.5)
        return Record(dataset, "full", model, 0, 0, "ok", **scores, fit_seconds=seconds, predict_seconds=0.0)  # type: ignore[arg-type]

    known = [record("a", "svm", 10), record("a", "forest", 1), record("b", "forest", 3)]
    missing = [Run("a", FULL, "svm", 0, 1), Run("b", FULL, "svm", 0, 1), Run("c", FULL, "forest", 0, 1)]
    assert seconds_left(missing, known, parallel=2) == (10 + 10 + 2) / 2
    assert seconds_left(missing, []) is None


def test_the_time_left_follows_the_pace_at_which_runs_end_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = prepare_store(study(folder))
    first, second, third, _ = wanted = [run for piece in pieces_of(study(folder)) for run in piece.runs]
    store.put(replace(done(first.name), fit_seconds=100.0, predict_seconds=0.0))
    clock = [1000.0]
    monkeypatch.setattr("genomap_core.benchmark.estimate.time", SimpleNamespace(monotonic=lambda: clock[0]))
    look = Estimator(wanted, store)
    assert look.now().seconds_left == pytest.approx(300), "what was done before says nothing of the pace"
    for run in (second, third):
        clock[0] += 300
        store.put(replace(done(run.name), fit_seconds=100.0, predict_seconds=0.0))
    found = look.now().seconds_left
    assert found is not None
    assert 200 < found <= 300, "three seconds pass here for one of the record"
    clock[0] += 250
    assert look.now().seconds_left == pytest.approx(found), "a long run that goes on is no slower pace"


@pytest.mark.slow
def test_the_whole_command_line_from_plan_to_summary(folder: Path) -> None:
    what = arguments("--models", "svm,prior")[1:]
    plan = run_command(folder, "plan", *what, "--json")
    assert json.loads(plan.stdout)["runs"] == json.loads(plan.stdout)["missing"] == 36
    assert run_command(folder, "run", *what, "--quiet").returncode == 0
    status = json.loads(run_command(folder, "status", "--json").stdout)
    assert (status["done"], status["missing"], status["statuses"]) == (36, 0, {"ok": 36})
    summary = json.loads(run_command(folder, "summary", "--store", "study", "--json").stdout)
    assert [m["model"] for m in summary["models"]] == ["svm", "prior"]
    wrong = run_command(folder, "summary", "--store", "elsewhere")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: ")
    assert "Traceback" not in wrong.stderr
