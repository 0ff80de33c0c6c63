"""A study killed or interrupted: driver, remote worker, scheduler; the same command goes on and nothing is doubled."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from study_helpers import (
    SLOW,
    arguments,
    assert_complete,
    command,
    environment,
    fingerprints,
    run_command,
    wait_for,
)


def start_driver(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(*arguments(*more)), cwd=folder, env=environment(folder), stderr=subprocess.PIPE)


@pytest.mark.slow
def test_kill_9_of_the_driver_loses_nothing_and_leaves_no_orphan(folder: Path) -> None:
    store = folder / "study"
    driver = subprocess.Popen(
        command(*arguments(*SLOW)), cwd=folder, env=environment(folder), stderr=subprocess.DEVNULL
    )
    wait_for(lambda: len(list(store.rglob("rows/*/*.json"))) >= 5)
    children = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert children
    assert not psutil.wait_procs(children, timeout=5)[1]
    before = fingerprints(store)
    assert 5 <= len(before) < 36
    done = run_command(folder, *arguments(*SLOW))
    assert done.returncode == 0, done.stderr
    assert_complete(store, 36, before)


@pytest.mark.slow
def test_interrupting_the_driver_ends_it_and_its_children_within_seconds(folder: Path) -> None:
    driver = start_driver(folder, "--workers", "2", "--models", "asleep", "--plugin", "own_models")
    watched = psutil.Process(driver.pid)
    wait_for(lambda: len(watched.children(recursive=True)) >= 2)
    children = watched.children(recursive=True)
    driver.send_signal(signal.SIGTERM)  # as Slurm does; Ctrl-C takes the same way
    _, errors = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert b"Interrupted" in errors
    assert b"Traceback" not in errors
    assert not psutil.wait_procs(children, timeout=5)[1]


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def _cluster(
    folder: Path, n_workers: int
) -> Iterator[tuple[str, subprocess.Popen[bytes], list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers as processes of their own, as on a cluster."""
    dask = shutil.which("dask", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert dask
    port = _free_port()
    address = f"tcp://127.0.0.1:{port}"

    def start(*what: str) -> subprocess.Popen[bytes]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([dask, *what], cwd=folder, env=environment(folder), start_new_session=True, **quiet)  # type: ignore[call-overload,no-any-return]

    processes = [start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--dashboard-address", "127.0.0.1:0")]
    options = ("--nthreads", "1", "--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0", "--memory-limit", "0")
    processes += [start("worker", address, *options, "--no-dashboard") for _ in range(n_workers)]
    try:
        yield address, processes[0], processes[1:]
    finally:
        for p in processes:
            if p.poll() is None:
                os.killpg(p.pid, signal.SIGKILL)
            p.wait()


@pytest.mark.slow
def test_kill_9_of_a_remote_worker_loses_and_doubles_nothing(folder: Path) -> None:
    store = folder / "study"
    with _cluster(folder, 2) as (address, _, workers):
        driver = start_driver(folder, *SLOW, "--scheduler", address)
        wait_for(lambda: len(list(store.rglob("rows/*/*.json"))) >= 5)
        os.killpg(workers[0].pid, signal.SIGKILL)
        before = fingerprints(store)
        _, errors = driver.communicate(timeout=200)
    assert driver.returncode == 0, errors
    assert_complete(store, 36, before)


@pytest.mark.slow
def test_kill_9_of_the_scheduler_is_noticed_and_the_same_command_continues(folder: Path) -> None:
    store = folder / "study"
    with _cluster(folder, 1) as (address, scheduler, _):
        driver = start_driver(folder, *SLOW, "--scheduler", address)
        wait_for(lambda: len(list(store.rglob("rows/*/*.json"))) >= 5)
        os.killpg(scheduler.pid, signal.SIGKILL)
        _, errors = driver.communicate(timeout=60)
        assert driver.returncode == 1
        assert b"scheduler was lost" in errors
    before = fingerprints(store)
    assert len(before) < 36
    done = run_command(folder, *arguments(*SLOW))
    assert done.returncode == 0, done.stderr
    assert_complete(store, 36, before)
