"""Waiting for truths about jobs."""

from __future__ import annotations

import time
from collections.abc import Callable

from genomap_core.jobs import JobManager

SELFTEST = "genomap_core.jobs.selftest:"


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a truth; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def running(manager: JobManager, job_id: str, owner: str = "ann") -> None:
    until(lambda: manager.get(job_id, owner).status == "running")
