"""What is known of a job: plain frozen values. No database, no process."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from genomap_core.progress import Progress

Status = Literal["queued", "starting", "running", "done", "failed", "cancelled", "lost", "oom"]
"""``queued`` waits for a slot; ``starting`` has a process that has not reported yet; ``running``; then one ending:

``done``       the result is there
``failed``     the work itself ended with an error, or passed its time limit
``cancelled``  the user stopped it
``lost``       the worker was ended from outside (``kill -9``, the machine went down): it is not known how far it came
``oom``        it needed more memory than there is, or than its limit
"""

ACTIVE: frozenset[str] = frozenset({"queued", "starting", "running"})
ENDED: frozenset[str] = frozenset(get_args(Status)) - ACTIVE


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What one job may use; ``None`` is no limit."""

    wall_seconds: float | None = None
    """From the worker's start to its end."""
    rss_bytes: int | None = None
    """Resident memory of the worker and its children, in bytes."""

    def __post_init__(self) -> None:
        for name in ("wall_seconds", "rss_bytes"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"`{name}` must be > 0 or None, got {value}.")

    def breach(self, seconds: float, rss_bytes: int) -> tuple[Status, str] | None:
        """The ending and its cause in words when a limit is passed, else ``None``."""
        if self.rss_bytes is not None and rss_bytes > self.rss_bytes:
            return "oom", (
                f"The work needed {rss_bytes / 1e6:,.0f} MB of memory; its limit is {self.rss_bytes / 1e6:,.0f} MB. "
                "Choose fewer samples or features, or a smaller batch."
            )
        if self.wall_seconds is not None and seconds > self.wall_seconds:
            return "failed", f"The work took longer than its limit of {self.wall_seconds:g} s and was stopped."
        return None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One report of a worker. ``seq`` counts from 1 within a job; ``at`` is in seconds since the epoch (UTC)."""

    seq: int
    at: float
    progress: Progress


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the ledger knows it. All times in seconds since the epoch (UTC), memory in bytes."""

    id: str
    owner: str
    title: str
    task: str
    status: Status
    created: float
    cause: str | None = None
    """Why it ended as it did, in words for the user; ``None`` while active and when done."""
    started: float | None = None
    ended: float | None = None
    heartbeat: float | None = None
    """Last sign of life of the worker."""
    cancel_requested: bool = False
    pid: int | None = None
    rss_bytes: int = 0
    peak_rss_bytes: int = 0
    progress: Progress | None = None
    """The latest report."""
    ahead: int = 0
    """How many active jobs were there before this one, while it is queued."""

    @property
    def active(self) -> bool:
        """Still queued or running: worth polling."""
        return self.status in ACTIVE

    @property
    def seconds(self) -> float:
        """Time the worker has run so far, or ran, in seconds; 0 while queued."""
        return 0.0 if self.started is None else (self.ended or time.time()) - self.started

    @property
    def silent_seconds(self) -> float:
        """Time since the last sign of life of a running worker, in seconds; else 0."""
        return max(0.0, time.time() - self.heartbeat) if self.status == "running" and self.heartbeat else 0.0

    def hung(self, after_seconds: float = 10.0) -> bool:
        """Running, but its worker has not been heard of for ``after_seconds``."""
        return self.silent_seconds > after_seconds


def curves(events: Iterable[JobEvent]) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Events -> ``{stage: {figure: (steps (k,) int, values (k,) float)}}``, steps ascending.

    Of several reports on one step the last counts.
    """
    found: dict[str, dict[str, dict[int, float]]] = {}
    for event in events:
        for name, value in event.progress.values.items():
            found.setdefault(event.progress.stage, {}).setdefault(name, {})[event.progress.step] = float(value)
    return {
        stage: {name: _sorted_arrays(points) for name, points in figures.items()} for stage, figures in found.items()
    }


def _sorted_arrays(points: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    steps = sorted(points)
    return np.asarray(steps, dtype=int), np.asarray([points[step] for step in steps], dtype=float)
