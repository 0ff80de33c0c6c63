"""The study as a job of the app: it runs to its end, goes on where it stopped, and is read while it runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_helpers import own_cohort

from genomap_core.benchmark import job
from genomap_core.benchmark.driver import Outcome
from genomap_core.benchmark.job import STORE, n_records, read_run, study_task
from genomap_core.benchmark.study_spec import COHORT, Choice, own_entry
from genomap_core.errors import Cancelled, JobError
from genomap_core.progress import Progress

TINY = Choice(("wine",), ("prior",), ("full", "noise-50"), folds=2, memory_gb=2.0)


def written(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in (folder / STORE / "rows").rglob("*.json")}


def test_a_stopped_study_goes_on_and_nothing_is_done_twice(tmp_path: Path) -> None:
    assert n_records(tmp_path) == 0
    seen: list[Progress] = []

    def stop_at_the_first(progress: Progress) -> None:
        seen.append(progress)
        if progress.step:
            raise Cancelled("Stopped by the user.")

    with pytest.raises(Cancelled):
        study_task(TINY.to_spec(), tmp_path, stop_at_the_first)
    before = written(tmp_path)
    assert 0 < n_records(tmp_path) == len(before)
    assert len(read_run(tmp_path).study.table) == len(before), "what was done can be read"
    assert study_task(TINY.to_spec(), tmp_path, seen.append) == {"runs": 4}
    assert before.items() <= written(tmp_path).items()
    assert (seen[-1].step, seen[-1].total) == (4, 4)
    found = read_run(tmp_path)
    assert set(found.study.table["status"]) == {"ok"}
    assert (found.damaged, found.study.source.name) == (0, "own study")
    assert str(tmp_path) not in found.study.table.to_json()
    assert str(tmp_path) not in str(found.study.header)


def test_a_damaged_record_is_left_out_and_counted(tmp_path: Path) -> None:
    study_task(TINY.to_spec(), tmp_path, lambda p: None)
    next((tmp_path / STORE / "rows").rglob("*.json")).write_bytes(b"{")
    found = read_run(tmp_path)
    assert (len(found.study.table), found.damaged) == (3, 1)


def test_the_users_own_cohort_is_a_data_set(tmp_path: Path) -> None:
    mine = own_cohort()
    mine.save(tmp_path / f"{COHORT}.npz")
    entry = own_entry(mine)
    own = {"digest": mine.digest, "entry": asdict(entry)}
    choice = Choice((entry.name,), ("prior",), folds=3, cohort=own)
    study_task(choice.to_spec(), tmp_path, lambda p: None)
    table = read_run(tmp_path).study.table
    assert set(table["status"]) == {"ok"}
    assert set(table["n_features"]) == {6}
    assert set(table["data_sha256"]) == {mine.digest}
    np.testing.assert_array_equal(table["n_train"] + table["n_test"], 30)


def test_runs_that_could_not_be_tried_are_an_error_with_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hopeless(study: Any, listen: Any) -> Outcome:
        return Outcome(1, 4, ("wine/s0/f0: the worker can't start.",))

    monkeypatch.setattr(job, "run_study", hopeless)
    with pytest.raises(JobError, match=r"3 of 4 runs could not be done.*can't start"):
        study_task(TINY.to_spec(), tmp_path, lambda p: None)
