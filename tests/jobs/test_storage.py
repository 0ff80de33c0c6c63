"""Quotas: the oldest goes first, what is in use stays, and what is deleted is gone and told."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from job_helpers import SELFTEST, running

from genomap_core.errors import InputError, StorageError
from genomap_core.jobs import JobManager
from genomap_core.jobs.storage import Storage, StorageLimits

COUNT = SELFTEST + "count"
MB = 1_000_000


@pytest.fixture
def make_storage(tmp_path: Path, make_manager: Callable[..., JobManager]) -> Callable[..., tuple[Storage, JobManager]]:
    def make(**limits: float) -> tuple[Storage, JobManager]:
        manager = make_manager()
        return Storage(tmp_path, lambda: manager, StorageLimits(**{"free_gb": 0.0, **limits})), manager

    return make


def done_job(manager: JobManager, owner: str, title: str, size: int = MB) -> str:
    job_id = manager.submit(COUNT, {"steps": 1}, owner, title, {"data.bin": bytes(size)})
    assert manager.wait(job_id, owner, 60).status == "done"
    return job_id


def session(storage: Storage, owner: str, size: int, hours_ago: float = 0.0) -> Path:
    folder = storage.folder(owner)
    (folder / "dataset.npz").write_bytes(bytes(size))
    moment = time.time() - 3600 * hours_ago
    os.utime(folder, (moment, moment))
    return folder


def test_folders_are_private(make_storage, tmp_path: Path) -> None:
    storage, _ = make_storage()
    for folder in (storage.folder("ann"), tmp_path / "sessions", tmp_path / "jobs"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_session_over_its_quota_loses_its_oldest_ended_jobs_first(make_storage) -> None:
    storage, manager = make_storage(session_gb=0.0035)
    for title in ("first", "second", "third"):
        done_job(manager, "ann", title)
    other = done_job(manager, "bob", "of bob")
    assert storage.make_room("ann", MB) == ["first"]
    assert [job.title for job in manager.list("ann")] == ["third", "second"]
    assert manager.get(other, "bob").status == "done"
    assert storage.make_room("ann", MB) == []


def test_what_can_never_fit_is_told_with_figures(make_storage) -> None:
    storage, _ = make_storage(session_gb=0.002)
    with pytest.raises(StorageError, match=r"needs 0\.01 GB and your data hold 0\.00 GB; 0\.002 GB are allowed"):
        storage.make_room("ann", 5 * MB)


def test_running_jobs_are_never_removed_to_make_room(make_storage) -> None:
    storage, manager = make_storage(session_gb=0.0015)
    job_id = manager.submit(SELFTEST + "sleep", {"seconds": 60}, "ann", "busy", {"data.bin": bytes(MB)})
    running(manager, job_id, "ann")
    with pytest.raises(StorageError):
        storage.make_room("ann", MB)
    assert manager.get(job_id, "ann").active


def test_of_all_sessions_the_one_unused_for_longest_goes_first(make_storage) -> None:
    storage, manager = make_storage(total_gb=0.0045)
    oldest = session(storage, "old", MB, hours_ago=48)
    job_id = done_job(manager, "old", "old result", MB // 2)
    older = session(storage, "older", MB, hours_ago=24)
    recent = session(storage, "recent", MB, hours_ago=0.5)
    storage.make_room("ann", 2 * MB)
    assert not oldest.exists()
    assert not (manager.root / job_id).exists()
    assert older.exists()
    assert recent.exists()
    with pytest.raises(StorageError, match="All sessions together"):
        storage.make_room("ann", 4 * MB)
    assert recent.exists(), "a session in use is never removed for another"


def test_being_looked_at_counts_as_use_and_stores_nothing(make_storage) -> None:
    storage, _ = make_storage()
    old = session(storage, "old", 10, 31 * 24)
    storage.touch("old")
    storage.touch("nobody")
    assert storage.sweep() == 0
    assert old.exists()
    assert not (storage.home / "sessions" / "nobody").exists()


def test_sessions_unused_for_a_month_are_removed_and_others_kept(make_storage) -> None:
    storage, _ = make_storage(keep_days=30)
    old, new = session(storage, "old", 10, 31 * 24), session(storage, "new", 10, 29 * 24)
    assert storage.sweep() == 1
    assert (old.exists(), new.exists()) == (False, True)


def test_a_nearly_full_disk_is_told_before_anything_is_written(make_storage) -> None:
    storage, _ = make_storage(free_gb=10**8)
    with pytest.raises(StorageError, match="nearly full"):
        storage.make_room("ann", 1)


def test_deleting_stops_jobs_removes_all_and_tells_what_there_was(make_storage, figure) -> None:
    storage, manager = make_storage()
    folder = session(storage, "ann", MB)
    (folder / "bundle-1.safetensors").write_bytes(b"x")
    kept = session(storage, "bob", MB)
    jobs = [done_job(manager, "ann", "x") for _ in range(2)]
    jobs.append(manager.submit(SELFTEST + "sleep", {"seconds": 60}, "ann", "busy"))
    running(manager, jobs[-1], "ann")
    removed = storage.delete("ann")
    assert str(removed).startswith("1 table, 1 loaded model, 3 jobs (")
    assert removed.size > 3 * MB
    assert not folder.exists()
    assert not any((manager.root / job_id).exists() for job_id in jobs)
    assert manager.list("ann") == ()
    assert kept.exists()
    assert storage.used("ann") == 0
    figure("bytes left of a deleted session", storage.used("ann"))


def test_a_submission_asks_for_room_first(make_manager, tmp_path: Path) -> None:
    asked = []
    manager = make_manager(make_room=lambda owner, need: asked.append((owner, need)))
    path = tmp_path / "input.bin"
    path.write_bytes(bytes(500))
    manager.submit(COUNT, {"steps": 1}, "ann", "x", {"a.bin": path, "b.bin": bytes(300)})
    assert asked == [("ann", 800)]


@pytest.mark.parametrize("text", ["-1", "much", "nan", "1e12"])
def test_a_wrong_limit_is_named(text: str) -> None:
    with pytest.raises(InputError, match="GENOMAP_TOTAL_GB"):
        StorageLimits.from_environment({"GENOMAP_TOTAL_GB": text})
    assert StorageLimits.from_environment({"GENOMAP_TOTAL_GB": "7"}).total_gb == 7
