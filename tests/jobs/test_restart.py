"""Servers die and come back, and there may be two: no result is lost, no job runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from job_helpers import SELFTEST, until

from genomap_core.errors import JobError
from genomap_core.jobs import JobManager
from genomap_core.jobs.files import write_result
from genomap_core.jobs.ledger import Ledger
from genomap_core.process import TOKEN_VARIABLE, is_alive, worker_environment

SERVER = """
import json, sys, time
from genomap_core.jobs import JobManager
root, slots, jobs = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
manager = JobManager(root, slots, min_free_bytes=0, poll_s=0.05)
for task, spec in jobs:
    print(manager.submit("genomap_core.jobs.selftest:" + task, spec, "ann", task), flush=True)
time.sleep(600)
"""


class Server:
    """A manager in a process of its own, which can be killed as a web server is."""

    def __init__(self, root: Path, jobs: str = "[]", slots: int = 1, n_jobs: int = 1) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(root), str(slots), jobs],
            env=worker_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.job_ids = [self.process.stdout.readline().strip() for _ in range(n_jobs)]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def entry_of(root: Path, job_id: str):  # type: ignore[no-untyped-def]
    ledger = Ledger(root / "ledger.sqlite")
    try:
        return ledger.find(job_id)
    finally:
        ledger.close()


def server_with(root: Path, task: str, spec: str) -> tuple[str, int]:
    """Submit to a server, wait until the worker runs, then kill -9 the server: the job's id and the worker's pid."""
    server = Server(root, f'[["{task}", {spec}]]')
    job_id = server.job_ids[0]
    until(lambda: entry_of(root, job_id).job.status == "running")
    server.kill()
    return job_id, entry_of(root, job_id).job.pid


def test_a_worker_outlives_its_killed_server_and_the_next_one_finds_the_result(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    job_id, pid = server_with(tmp_path / "jobs", "count", '{"steps": 30, "pause": 0.05}')
    assert psutil.pid_exists(pid)
    until(lambda: not entry_of(tmp_path / "jobs", job_id).job.active)
    manager = make_manager()
    assert manager.get(job_id, "ann").status == "done"
    assert manager.result(job_id, "ann")["pid"] == pid


def test_a_running_worker_is_adopted_followed_and_cancelled(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    job_id, pid = server_with(tmp_path / "jobs", "count", '{"steps": 1000, "pause": 0.05}')
    manager = make_manager()
    step = manager.get(job_id, "ann").progress
    until(lambda: manager.get(job_id, "ann").progress != step)
    assert manager.get(job_id, "ann").pid == pid
    waiting = manager.submit(SELFTEST + "count", {"steps": 1}, "ann", "x")
    time.sleep(0.3)
    assert manager.get(waiting, "ann").status == "queued", "the adopted worker holds its slot"
    manager.cancel(job_id, "ann")
    assert manager.wait(job_id, "ann", 5).status == "cancelled"
    assert manager.wait(waiting, "ann", 20).status == "done"


def test_a_worker_killed_while_no_server_was_there_is_lost(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    job_id, pid = server_with(tmp_path / "jobs", "sleep", '{"seconds": 60}')
    os.kill(pid, signal.SIGKILL)
    job = make_manager().wait(job_id, "ann", 10)
    assert job.status == "lost"
    assert "left no result" in (job.cause or "")


def test_a_worker_that_crashed_while_no_server_was_there_tells_how(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    job_id, pid = server_with(tmp_path / "jobs", "sleep", '{"seconds": 60}')
    os.kill(pid, signal.SIGSEGV)
    job = make_manager().wait(job_id, "ann", 10)
    assert job.status == "failed"
    assert "Segmentation fault" in (job.cause or "")


def test_a_stopped_worker_of_a_dead_server_can_still_be_ended(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    job_id, pid = server_with(tmp_path / "jobs", "sleep", '{"seconds": 60}')
    os.kill(pid, signal.SIGSTOP)
    manager = make_manager(grace_s=0.5)
    manager.cancel(job_id, "ann")
    assert manager.wait(job_id, "ann", 10).status == "cancelled"


def test_a_result_on_disk_counts_even_if_the_worker_died_before_saying_so(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    job_id, pid = server_with(tmp_path / "jobs", "sleep", '{"seconds": 60}')
    write_result(tmp_path / "jobs" / job_id, job_id, {"answer": 42})
    os.kill(pid, signal.SIGKILL)
    manager = make_manager()
    assert manager.wait(job_id, "ann", 10).status == "done"
    assert manager.result(job_id, "ann") == {"answer": 42}


def test_a_file_that_a_task_names_like_the_result_is_not_one(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    job_id, pid = server_with(tmp_path / "jobs", "sleep", '{"seconds": 60}')
    (tmp_path / "jobs" / job_id / "result.json").write_text('{"accuracy": 1.0}')
    os.kill(pid, signal.SIGKILL)
    assert make_manager().wait(job_id, "ann", 10).status == "lost"


def dead_handle() -> str:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{process.pid}@0.dead"


def test_a_claim_whose_server_died_before_starting_a_worker_is_given_to_the_next(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    manager = make_manager()
    blocker = manager.submit(SELFTEST + "count", {"steps": 20, "pause": 0.05}, "ann", "blocker")
    job_id = manager.submit(SELFTEST + "count", {"steps": 1}, "ann", "x")
    ledger = Ledger(tmp_path / "jobs" / "ledger.sqlite")
    until(lambda: manager.get(blocker, "ann").status == "running")
    claimed = ledger.claim_next(2, 2, "token-of-the-dead", dead_handle())
    ledger.close()
    assert claimed is not None
    assert claimed.job.id == job_id
    assert manager.wait(job_id, "ann", 20).status == "done"
    assert (manager.folder(job_id, "ann") / "count.txt").read_text() == "1\n"


def test_a_job_that_never_comes_to_life_is_given_up(tmp_path: Path, make_manager: Callable[..., JobManager]) -> None:
    manager = make_manager()
    blocker = manager.submit(SELFTEST + "count", {"steps": 60, "pause": 0.05}, "ann", "blocker")
    until(lambda: manager.get(blocker, "ann").status == "running")
    job_id = manager.submit(SELFTEST + "count", {"steps": 1}, "ann", "x")
    ledger = Ledger(tmp_path / "jobs" / "ledger.sqlite")
    for attempt in range(2):
        until(lambda: manager.get(job_id, "ann").status == "queued")
        assert ledger.claim_next(2, 2, f"dead{attempt}", dead_handle()) is not None
    ledger.close()
    job = manager.wait(job_id, "ann", 20)
    assert (job.status, job.cause) == ("lost", "The worker could not be started; submit the job again.")


def test_a_late_worker_whose_claim_is_void_does_nothing(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    manager = make_manager()
    job_id = manager.submit(SELFTEST + "count", {"steps": 1}, "ann", "x")
    manager.wait(job_id, "ann", 20)
    environment = worker_environment() | {TOKEN_VARIABLE: "an old token"}
    command = [sys.executable, "-P", "-m", "genomap_core.jobs.worker", str(tmp_path / "jobs"), job_id]
    assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == 0
    assert (manager.folder(job_id, "ann") / "count.txt").read_text() == "1\n"


def test_two_servers_on_one_root_run_every_job_once_and_share_the_slots(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    manager = make_manager(slots=2)
    other = Server(tmp_path / "jobs", '[["count", {"steps": 4, "pause": 0.02}]]', slots=2)
    spec = {"steps": 4, "pause": 0.02}
    ids = other.job_ids + [manager.submit(SELFTEST + "count", spec, "ann", "x") for _ in range(6)]
    jobs = [manager.wait(job_id, "ann", 60) for job_id in ids]
    claimers = {entry_of(tmp_path / "jobs", job_id).claimer for job_id in ids}
    assert all(is_alive(claimer) for claimer in claimers)
    other.kill()
    assert [job.status for job in jobs] == ["done"] * 7
    for job_id in ids:
        assert (manager.folder(job_id, "ann") / "count.txt").read_text() == "4\n", "ran more than once"
    edges = sorted([(job.started or 0, 1) for job in jobs] + [(job.ended or 0, -1) for job in jobs])
    level = highest = 0
    for _, change in edges:
        level += change
        highest = max(highest, level)
    assert highest <= 2


def test_the_cause_is_known_even_if_another_server_looks_first(
    tmp_path: Path, make_manager: Callable[..., JobManager]
) -> None:
    other = Server(tmp_path / "jobs", '[["sleep", {"seconds": 60}]]')
    job_id = other.job_ids[0]
    manager = make_manager(poll_s=0.01)
    until(lambda: manager.get(job_id, "ann").status == "running")
    os.kill(manager.get(job_id, "ann").pid or 0, signal.SIGKILL)
    assert "SIGKILL" in (manager.wait(job_id, "ann", 10).cause or "")
    other.kill()


def test_closing_leaves_workers_running_for_the_next_manager(make_manager: Callable[..., JobManager]) -> None:
    first = make_manager()
    job_id = first.submit(SELFTEST + "count", {"steps": 20, "pause": 0.05}, "ann", "x")
    until(lambda: first.get(job_id, "ann").status == "running")
    first.close()
    assert make_manager().wait(job_id, "ann", 20).status == "done"


def test_closing_with_cancel_ends_everything(make_manager: Callable[..., JobManager]) -> None:
    first = make_manager()
    job_id = first.submit(SELFTEST + "sleep", {"seconds": 60}, "ann", "x")
    until(lambda: first.get(job_id, "ann").status == "running")
    first.close(cancel_jobs=True)
    assert make_manager().get(job_id, "ann").status == "cancelled"


def test_a_ledger_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    import sqlite3

    (tmp_path / "jobs").mkdir()
    with sqlite3.connect(tmp_path / "jobs" / "ledger.sqlite") as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(JobError, match="version 99"):
        JobManager(tmp_path / "jobs")
