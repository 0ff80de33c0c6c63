"""The worker's watch: a thread that carries reports to the ledger, shows that the worker lives, and hears of a cancel.

The task's thread never touches the database: `on_progress` costs some microseconds, however often it is called.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections import deque
from types import FrameType

from genomap_core.errors import Cancelled
from genomap_core.jobs.ledger import Entry, Ledger
from genomap_core.jobs.records import Status
from genomap_core.process import TOKEN_VARIABLE, kill_marked, rss_of, rss_of_descendants
from genomap_core.progress import Progress

PERIOD_S = 0.25
"""Reports reach the ledger at most four times a second."""
NUDGE_S = 0.7
"""A task that has not reported this long after a stop is interrupted by a signal."""
MAX_POINTS = 20_000
"""Points of curves kept per job; behind them only the latest report of each period is."""


def thin_out(reports: list[tuple[float, Progress]], keep_points: bool = True) -> list[tuple[float, Progress]]:
    """Drop what nobody will miss: of one (stage, step) the last figures stay; without figures, only the newest of all.

    So every epoch's figures survive, however fast the epochs come, and whatever signs of life come after them.
    """
    latest: dict[tuple[str, int, bool], tuple[float, Progress]] = {}
    for at, progress in reports:
        key = (progress.stage, progress.step, bool(progress.values))
        latest.pop(key, None)
        latest[key] = (at, progress)
    kept = list(latest.values())
    return [item for item in kept[:-1] if keep_points and item[1].values] + kept[-1:]


class Watch:
    """Reports, heartbeat, cancel and limits of one running job; :meth:`on_progress` is what the task is given."""

    def __init__(self, ledger: Ledger, entry: Entry, grace_s: float) -> None:
        self._ledger, self._entry, self._grace_s = ledger, entry, grace_s
        self._pending: deque[tuple[float, Progress]] = deque()
        self._next_seq = ledger.last_seq(entry.job.id) + 1
        self._cancelled = threading.Event()
        self._stopped = threading.Event()
        self._descendants, self._looked = 0, float("-inf")
        self._working = False
        self._nudged = False
        self._thread = threading.Thread(target=self._run, name="genomap-watch", daemon=True)

    def on_progress(self, progress: Progress) -> None:
        """Note a report. Raises :class:`Cancelled` once the user has asked to stop."""
        values = {str(name): float(value) for name, value in progress.values.items()}
        self._pending.append((time.time(), Progress(progress.stage, int(progress.step), int(progress.total), values)))
        if self._cancelled.is_set():
            raise Cancelled("Stopped by the user.")

    def start(self) -> None:
        """Begin watching; from here the main thread may be interrupted by :class:`Cancelled`."""
        signal.signal(signal.SIGUSR1, self._interrupt)
        self._working = True
        self._thread.start()

    def calm(self) -> None:
        """The task has returned or raised: its ending is being written and must not be interrupted any more."""
        self._working = False

    def stop(self) -> None:
        """End watching; the last reports are written."""
        self.calm()
        self._stopped.set()
        self._thread.join()
        self._flush(self._rss())

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._working:
            raise Cancelled("Stopped by the user.")

    def _rss(self) -> int:
        """Resident bytes: our own now, those of what we started about a second old."""
        if time.monotonic() - self._looked > 1.0:
            self._descendants, self._looked = rss_of_descendants(os.getpid()), time.monotonic()
        return rss_of(os.getpid()) + self._descendants

    def _flush(self, rss: int) -> bool:
        reports = []
        while self._pending:
            reports.append(self._pending.popleft())
        reports = thin_out(reports, keep_points=self._next_seq < MAX_POINTS)
        cancel = self._ledger.report(self._entry.job.id, self._next_seq, reports, rss)
        self._next_seq += len(reports)
        return cancel

    def _run(self) -> None:
        began = time.monotonic()
        asked: float | None = None
        while not self._stopped.wait(PERIOD_S):
            rss = self._rss()
            try:
                cancel = self._flush(rss)
            except sqlite3.Error:  # disk full or locked for half a minute: the work goes on, try again
                continue
            if not self._working:
                continue
            breach = self._entry.limits.breach(time.monotonic() - began, rss)
            if breach is not None:
                self._end_here(*breach)
            if cancel:
                asked = asked or time.monotonic()
                self._press(time.monotonic() - asked)

    def _press(self, seconds_since_asked: float) -> None:
        """Ever harder: the next report raises; then a signal interrupts the task once; then the process ends."""
        self._cancelled.set()
        if seconds_since_asked > self._grace_s:
            self._end_here("cancelled", "Stopped by the user; the work did not answer and was ended.")
        if seconds_since_asked > NUDGE_S and not self._nudged:
            self._nudged = True
            os.kill(os.getpid(), signal.SIGUSR1)

    def _end_here(self, status: Status, cause: str) -> None:
        """The main thread can't be reached, or must not go on: end this worker and all that it started.

        The manager looks for leftovers too, but may itself end before it comes to that.
        """
        self._ledger.finish(self._entry.job.id, status, cause)
        if TOKEN_VARIABLE in os.environ:
            kill_marked(os.environ[TOKEN_VARIABLE])
        if os.getpgid(0) == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
