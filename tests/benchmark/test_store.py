"""The result store: whole or not at all, never overwritten, damage named."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_helpers import small_protocol

from genomap_core.benchmark.protocol import FULL, Condition, Run, runs
from genomap_core.benchmark.records import METRICS, STATUSES, Record, failed
from genomap_core.benchmark.store import (
    HEADER,
    ROWS,
    SET_ASIDE,
    Store,
    StoreError,
    create_store,
    open_store,
    planned,
    seal,
    unseal,
)
from genomap_core.errors import InputError
from genomap_core.files import write_once

RUN = Run("wine", FULL, "prior", 0, 0)
OK = Record("wine", "full", "prior", 0, 0, "ok", **dict.fromkeys(METRICS, 0.5))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return create_store(tmp_path / "study", small_protocol(), {"wine": {"title": "Wine"}})


def test_a_record_is_read_back_as_it_was_written(store: Store) -> None:
    record = replace(OK, message="µ ≤ ½", fit_seconds=0.1 + 0.2, n_train=142, roc_auc=None)
    assert store.put(record)
    assert store.records() == [record]
    assert store.done() == {RUN.name}
    assert store.has(RUN)


def test_the_first_record_of_a_run_stays(store: Store) -> None:
    store.put(OK)
    assert not store.put(failed(RUN, "oom", "later"))
    assert store.records() == [OK]


def _write(path: Path, start: object, number: int) -> None:
    start.wait()  # type: ignore[attr-defined]
    write_once(path, seal({"writer": number}))


def test_of_many_writers_at_once_exactly_one_wins_and_nothing_is_left_behind(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    start = context.Event()
    writers = [context.Process(target=_write, args=(tmp_path / "row.json", start, i)) for i in range(6)]
    for w in writers:
        w.start()
    start.set()
    for w in writers:
        w.join()
    assert unseal((tmp_path / "row.json").read_bytes())["writer"] in range(6)
    assert [p.name for p in tmp_path.iterdir()] == ["row.json"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_change_of_any_byte_is_noticed(data: st.DataObject) -> None:
    content = bytearray(seal({"accuracy": 0.75, "message": "it ran", "n_train": 100}))
    at = data.draw(st.integers(0, len(content) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda b: b != content[at]))
    content[at] = new
    try:
        values = unseal(bytes(content))
    except InputError:
        return
    assert values == {"accuracy": 0.75, "message": "it ran", "n_train": 100}  # only white space was touched


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"{", "no JSON"),
        (b"[1]", "no values"),
        (b"\xff\xfe", "no JSON"),
        (b'{"values": {}}', "checksum"),
    ],
)
def test_damage_is_named_and_not_overwritten(store: Store, content: bytes, reason: str) -> None:
    path = store.path_of(RUN)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=reason) as error:
        store.records()
    assert str(path) in str(error.value)
    assert not store.put(OK)
    assert path.read_bytes() == content


def test_a_record_under_another_runs_name_is_damage(store: Store) -> None:
    store.put(OK)
    other = store.path_of(replace(RUN, fold=1))
    store.path_of(RUN).rename(other)
    _, damaged = store.read()
    assert [d.path for d in damaged] == [other]
    assert RUN.name in damaged[0].reason


def test_what_is_set_aside_is_kept_and_its_run_is_missing_again(store: Store) -> None:
    store.put(OK)
    content = store.path_of(RUN).read_bytes()
    store.set_aside([store.path_of(RUN)])
    assert not store.has(RUN)
    assert [p.read_bytes() for p in (store.folder / SET_ASIDE).rglob("*.json")] == [content]


def test_half_written_files_of_a_killed_writer_are_no_records(store: Store) -> None:
    store.put(OK)
    (store.path_of(RUN).parent / ".writing-123-full.prior.s0.f1.json.tmp").write_bytes(b'{"values"')
    assert store.read() == ([OK], [])
    assert store.done() == {RUN.name}


def test_a_folder_with_other_things_is_not_taken_for_a_store(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not touch")
    with pytest.raises(StoreError, match=HEADER):
        create_store(tmp_path, small_protocol(), {})
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_header_is_named_and_kept(store: Store) -> None:
    path = store.folder / HEADER
    path.write_bytes(path.read_bytes()[:-30])
    before = path.read_bytes()
    for attempt in (lambda: open_store(store.folder), lambda: create_store(store.folder, small_protocol(), {})):
        with pytest.raises(StoreError, match=r"study\.json"):
            attempt()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "named"), [({"folds": {"wine": 3}}, "folds"), ({"options": {"prior": {"a": 1}}}, "options")]
)
def test_a_study_in_which_names_would_mean_other_things_is_refused(
    store: Store, change: dict[str, object], named: str
) -> None:
    with pytest.raises(StoreError, match=named):
        create_store(store.folder, small_protocol(**change), {})


def test_more_sets_models_seeds_and_conditions_may_be_added(store: Store) -> None:
    wider = small_protocol(folds={"more": 5}, models=("svm",), seeds=(0, 1), conditions=(Condition("rows-20"),))
    again = create_store(store.folder, wider, {"more": {"title": "More"}})
    assert open_store(store.folder).header == again.header
    everything = {r.name for r in runs(planned(again))}
    assert {r.name for r in runs(small_protocol())} | {r.name for r in runs(wider)} <= everything


@pytest.mark.parametrize(
    "change",
    [{"accuracy": "high"}, {"seed": 1.5}, {"fold": True}, {"surprise": 1}, {"status": "fine"}, {"accuracy": None}],
)
def test_a_record_with_a_wrong_field_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Record.from_json({**OK.to_json(), **change})


@pytest.mark.parametrize("status", [s for s in STATUSES if s != "ok"])
def test_a_failure_is_a_record(store: Store, status: str) -> None:
    record = failed(RUN, status, "why", memory_limit_mb=8000.0)
    store.put(record)
    assert store.records() == [record]


def test_only_the_rows_folder_is_read(store: Store) -> None:
    (store.folder / "notes").mkdir()
    (store.folder / "notes" / "x.json").write_text("{}")
    (store.folder / ROWS).mkdir(exist_ok=True)
    assert store.read() == ([], [])
    assert os.listdir(store.folder / "notes") == ["x.json"]
