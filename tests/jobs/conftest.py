"""Every test here ends with no process of ours left, or fails."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from genomap_core.jobs import JobManager

MARK = "GENOMAP_TEST_MARK"


def marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.fixture(autouse=True)
def no_process_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    yield mark
    deadline = time.monotonic() + 8
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    described = [(process.pid, process.cmdline()) for process in left]
    for process in left:
        process.kill()
    assert not described, f"left behind: {described}"


@pytest.fixture
def make_manager(tmp_path: Path) -> Iterator[Callable[..., JobManager]]:
    managers: list[JobManager] = []

    def make(**options: object) -> JobManager:
        options = {"min_free_bytes": 0, "poll_s": 0.05, **options}
        managers.append(JobManager(tmp_path / "jobs", **options))  # type: ignore[arg-type]
        return managers[-1]

    yield make
    for manager in managers:
        with contextlib.suppress(Exception):  # some tests close theirs
            manager.close(cancel_jobs=True)


@pytest.fixture
def manager(make_manager: Callable[..., JobManager]) -> JobManager:
    return make_manager()
