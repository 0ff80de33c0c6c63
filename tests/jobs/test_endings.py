"""However a worker ends, the job ends too, with a cause in words."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from job_helpers import SELFTEST, running, until

from genomap_core.jobs import Job, JobLimits, JobManager


def run(manager: JobManager, task: str, limits: JobLimits | None = None, **spec: object) -> tuple[str, Job]:
    job_id = manager.submit(SELFTEST + task, spec, "ann", task, limits=limits)
    return job_id, manager.wait(job_id, "ann", 30)


def started(manager: JobManager, task: str, **spec: object) -> tuple[str, int]:
    job_id = manager.submit(SELFTEST + task, spec, "ann", task)
    running(manager, job_id)
    pid = manager.get(job_id, "ann").pid
    assert pid is not None
    return job_id, pid


def seconds_to_cancel(manager: JobManager, job_id: str) -> tuple[Job, float]:
    began = time.monotonic()
    manager.cancel(job_id, "ann")
    return manager.wait(job_id, "ann", 30), time.monotonic() - began


def test_our_own_errors_reach_the_user_as_they_are(manager: JobManager) -> None:
    job = run(manager, "fail", ours=True)[1]
    assert (job.status, job.cause) == ("failed", "Column 3 has no numbers: choose another.")


def test_other_errors_show_their_first_line_and_hide_the_rest(manager: JobManager) -> None:
    job_id, job = run(manager, "fail")
    assert (job.status, job.cause) == ("failed", "ValueError: the first line")
    folder = manager.folder(job_id, "ann")
    assert "names a patient" in (folder / "error.log").read_text()
    for path in [*manager.root.glob("ledger.sqlite*"), folder / "worker.log"]:
        assert b"names a patient" not in path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("task", "spec", "status", "cause"),
    [
        ("fail", {"memory": True}, "oom", "Out of memory"),
        ("fail", {"disk": True}, "failed", "The disk is full."),
        ("bad_result", {}, "failed", "can't be written as JSON"),
        ("no_such_function", {}, "failed", "has no function 'no_such_function'"),
        ("crash", {}, "failed", "SIGSEGV"),
    ],
)
def test_an_ending_has_its_status_and_cause(
    manager: JobManager, task: str, spec: dict[str, object], status: str, cause: str
) -> None:
    job = run(manager, task, None, **spec)[1]
    assert job.status == status
    assert cause in (job.cause or "")


def test_a_worker_killed_from_outside_is_lost_and_the_next_job_runs(manager: JobManager) -> None:
    job_id, pid = started(manager, "sleep", seconds=60)
    os.kill(pid, signal.SIGKILL)
    job = manager.wait(job_id, "ann", 10)
    assert (job.status, job.cause) == ("lost", "The worker was killed: SIGKILL (often: out of memory).")
    assert run(manager, "count", steps=1)[1].status == "done"


def test_a_reporting_task_stops_within_two_seconds(manager: JobManager) -> None:
    job_id, _ = started(manager, "count", steps=1000, pause=0.05)
    job, seconds = seconds_to_cancel(manager, job_id)
    assert (job.status, job.cause) == ("cancelled", "Stopped by the user.")
    assert seconds < 2


def test_a_task_that_never_reports_stops_within_two_seconds(manager: JobManager) -> None:
    job_id, _ = started(manager, "sleep", seconds=60)
    job, seconds = seconds_to_cancel(manager, job_id)
    assert (job.status, job.cause) == ("cancelled", "Stopped by the user.")
    assert seconds < 2


def test_a_task_that_swallows_the_stop_is_ended_after_the_grace(make_manager: Callable[..., JobManager]) -> None:
    manager = make_manager(grace_s=1.5)
    job_id, _ = started(manager, "sleep", seconds=60, stubborn=True)
    job, seconds = seconds_to_cancel(manager, job_id)
    assert job.status == "cancelled"
    assert "did not answer" in (job.cause or "")
    assert 1.4 < seconds < 5


def test_a_stopped_process_shows_as_hung_and_is_ended_after_the_grace(make_manager: Callable[..., JobManager]) -> None:
    manager = make_manager(grace_s=1)
    job_id, pid = started(manager, "sleep", seconds=60)
    assert not manager.get(job_id, "ann").hung(after_seconds=5)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: manager.get(job_id, "ann").hung(after_seconds=1))
    job, _ = seconds_to_cancel(manager, job_id)
    assert job.status == "cancelled"
    assert "did not answer" in (job.cause or "")


def test_a_process_that_goes_on_again_is_not_hung_any_more(manager: JobManager) -> None:
    job_id, pid = started(manager, "count", steps=20, pause=0.05)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: manager.get(job_id, "ann").hung(after_seconds=0.8))
    os.kill(pid, signal.SIGCONT)
    assert manager.wait(job_id, "ann", 20).status == "done"


def test_a_queued_job_is_cancelled_at_once_and_never_starts(manager: JobManager) -> None:
    first, _ = started(manager, "sleep", seconds=60)
    second = manager.submit(SELFTEST + "count", {"steps": 1}, "ann", "x")
    manager.cancel(second, "ann")
    assert manager.get(second, "ann").status == "cancelled"
    manager.cancel(first, "ann")
    manager.wait(first, "ann", 10)
    assert not (manager.folder(second, "ann") / "count.txt").exists()
    assert manager.get(second, "ann").started is None


def test_cancelling_an_ended_job_changes_nothing(manager: JobManager) -> None:
    job_id, before = run(manager, "count", steps=1)
    manager.cancel(job_id, "ann")
    assert manager.get(job_id, "ann") == before


def test_a_job_past_its_memory_limit_is_out_of_memory(manager: JobManager) -> None:
    job = run(manager, "hold_memory", JobLimits(rss_bytes=300_000_000), bytes=600_000_000, seconds=30)[1]
    assert job.status == "oom"
    assert "its limit is 300 MB" in (job.cause or "")


def test_memory_of_what_a_job_starts_counts_too(manager: JobManager) -> None:
    job = run(manager, "spawn", JobLimits(rss_bytes=300_000_000), wait=30, bytes=600_000_000)[1]
    assert job.status == "oom"


def test_a_job_past_its_time_limit_is_stopped(manager: JobManager) -> None:
    began = time.monotonic()
    job = run(manager, "sleep", JobLimits(wall_seconds=1.0), seconds=60)[1]
    assert job.status == "failed"
    assert "longer than its limit of 1 s" in (job.cause or "")
    assert time.monotonic() - began < 10


def test_a_hung_job_past_its_time_limit_is_ended_by_the_server(make_manager: Callable[..., JobManager]) -> None:
    manager = make_manager(grace_s=0.5, limits=JobLimits(wall_seconds=1.5))
    job_id, pid = started(manager, "sleep", seconds=60)
    os.kill(pid, signal.SIGSTOP)
    assert "longer than its limit" in (manager.wait(job_id, "ann", 10).cause or "")


@pytest.mark.parametrize("wait", [0, 60])
def test_what_a_job_started_ends_with_it(manager: JobManager, wait: int) -> None:
    job_id = manager.submit(SELFTEST + "spawn", {"wait": wait}, "ann", "x")
    note = Path(manager.folder(job_id, "ann")) / "grandchild.txt"
    until(lambda: note.exists() and note.read_text())
    grandchild = int(note.read_text())
    if wait:
        manager.cancel(job_id, "ann")
    manager.wait(job_id, "ann", 20)
    until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE)
