"""What was interrupted goes on in its folder; what was finished and changed since is not shown as a result."""

from __future__ import annotations

import os
import signal

import pytest
from job_helpers import SELFTEST, running, until

from genomap_core.errors import JobError, StorageError
from genomap_core.jobs import JobManager, curves

COUNT = SELFTEST + "count"


def resumed(manager: JobManager, job_id: str) -> None:
    def accepted() -> bool:
        try:
            manager.resume(job_id, "ann")
        except JobError:
            return False
        return True

    until(accepted)


def test_a_killed_job_is_run_again_on_the_same_files_and_its_curve_goes_on(manager: JobManager) -> None:
    job_id = manager.submit(COUNT, {"steps": 8, "pause": 0.2}, "ann", "x", {"a.bin": b"abc"})
    until(lambda: len(manager.events(job_id, "ann")) >= 2)
    before = manager.events(job_id, "ann")
    os.kill(manager.get(job_id, "ann").pid or 0, signal.SIGKILL)
    assert manager.wait(job_id, "ann", 20).status == "lost"
    resumed(manager, job_id)
    job = manager.wait(job_id, "ann", 60)
    assert (job.status, job.cause) == ("done", None)
    events = manager.events(job_id, "ann")
    assert events[: len(before)] == before
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert curves(events)["counting"]["loss"][0].tolist() == list(range(1, 9))
    assert (manager.folder(job_id, "ann") / "a.bin").read_bytes() == b"abc"


def test_a_cancelled_job_is_resumed_and_a_done_one_is_not(manager: JobManager) -> None:
    job_id = manager.submit(COUNT, {"steps": 50, "pause": 0.1}, "ann", "x")
    running(manager, job_id)
    manager.cancel(job_id, "ann")
    assert manager.wait(job_id, "ann", 20).status == "cancelled"
    resumed(manager, job_id)
    running(manager, job_id)
    with pytest.raises(JobError, match="done, or still ending"):
        manager.resume(job_id, "ann")
    manager.cancel(job_id, "ann")
    manager.wait(job_id, "ann", 20)


def test_nobody_resumes_the_job_of_another(manager: JobManager) -> None:
    job_id = manager.submit(COUNT, {"steps": 1}, "ann", "x")
    with pytest.raises(JobError, match="no job"):
        manager.resume(job_id, "bob")


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_result_that_was_damaged_later_is_told(make_manager, damage: str) -> None:
    manager = make_manager()
    job_id = manager.submit(COUNT, {"steps": 1}, "ann", "x", {"model.bin": bytes(1000)})
    manager.wait(job_id, "ann", 30)
    path = manager.root / job_id / "model.bin"
    content = path.read_bytes()
    path.write_bytes({"changed": content[:500] + b"x" + content[501:], "cut": content[:-1]}.get(damage, b""))
    if damage == "gone":
        path.unlink()
    with pytest.raises(JobError, match=r"changed or damaged.*model\.bin"):
        manager.folder(job_id, "ann")


def test_a_disk_that_is_full_on_submitting_is_told_and_leaves_nothing(manager: JobManager, monkeypatch) -> None:
    import genomap_core.jobs.manager as module

    def full(folder, files) -> None:  # type: ignore[no-untyped-def]
        (folder / "half.bin").write_bytes(b"half")
        raise OSError(28, "No space left on device", "/home/jane/x")

    monkeypatch.setattr(module, "put_inputs", full)
    before = sorted(manager.root.iterdir())
    with pytest.raises(StorageError, match="The disk is full") as caught:
        manager.submit(COUNT, {"steps": 1}, "ann", "x")
    assert "jane" not in str(caught.value)
    assert sorted(manager.root.iterdir()) == before
    assert manager.list("ann") == ()
