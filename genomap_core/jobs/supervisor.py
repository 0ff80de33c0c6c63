"""One round of supervision: settle workers that are gone, end those that must, start those that may.

It keeps no knowledge of its own that matters: everything is in the ledger and the folders. So any number of servers may
do rounds on one root, and the next one carries on where a killed one stopped.

Where workers run is a `Runner`'s: it starts, looks at and ends them; the ledger and manager don't care how. A cluster
behind the same three methods: `start` submits ``python -m genomap_core.jobs.worker`` to it (with a shared root) and
returns its key as the handle, `poll` asks it, `kill` cancels there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from genomap_core.jobs.files import FAULT_LOG, WORKER_LOG, read_result
from genomap_core.jobs.ledger import Entry, Ledger
from genomap_core.jobs.records import Status
from genomap_core.process import (
    GRACE_VARIABLE,
    TOKEN_VARIABLE,
    describe_exit,
    handle_of,
    is_alive,
    kill_group,
    kill_marked,
    rss_of,
    rss_of_descendants,
    worker_environment,
)

MAX_ATTEMPTS = 2
"""Claims of one job whose worker never came to life; then the job is lost."""
STALE_CLAIM_S = 60.0
"""A claim of a live server that has had no process for so long came to nothing."""
OTHER_SERVER_S = 3.0
"""How long a live server that started a worker is left alone to say how it ended: only it learns the exit status."""
FAREWELL_S = 5.0
"""A worker whose job has ended gets this long to go by itself."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a runner must know to start a worker."""

    root: Path
    job_id: str
    token: str
    grace_s: float


@dataclass(frozen=True, slots=True)
class Exit:
    """A worker that is gone. ``code``: exit status, negative for a signal, ``None`` when nobody knows."""

    code: int | None


class Runner(Protocol):
    """Three things that a place for workers must be able to do."""

    def start(self, order: Order) -> str | None:
        """Start a worker; a handle that names it for ever (also to another server), ``None`` if it is gone already."""

    def poll(self, handle: str) -> Exit | None:
        """``None`` while the worker lives."""

    def kill(self, handle: str | None, token: str) -> None:
        """End the worker, if it still lives, and everything it started. Returns at once; :meth:`poll` tells."""


class LocalRunner:
    """Workers are processes of this machine, each leading its own session: the server's end is not theirs."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, order: Order) -> str | None:
        """See :class:`Runner`. The worker's output goes to ``worker.log`` in the job's folder."""
        folder = order.root / order.job_id
        mark = {TOKEN_VARIABLE: order.token, GRACE_VARIABLE: str(order.grace_s)}
        with open(os.open(folder / WORKER_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "genomap_core.jobs.worker", str(order.root), order.job_id],
                cwd=folder,
                env=worker_environment() | mark,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        handle = handle_of(child.pid) or f"{child.pid}@ended"
        self._children[handle] = child
        return handle

    def poll(self, handle: str) -> Exit | None:
        """See :class:`Runner`. Only the server that started a worker learns its exit status."""
        child = self._children.get(handle)
        if child is None:
            return None if is_alive(handle) else Exit(None)
        if child.poll() is None:
            return None
        return Exit(child.returncode)

    def kill(self, handle: str | None, token: str) -> None:
        """See :class:`Runner`."""
        if handle is not None:
            kill_group(handle)
        kill_marked(token)
        if handle in self._children and self._children[handle].poll() is not None:
            del self._children[handle]


class Supervisor:
    """Rounds over one ledger; :meth:`tick` is called again and again by one thread."""

    def __init__(self, root: Path, ledger: Ledger, runner: Runner, slots: int, per_owner: int, grace_s: float) -> None:
        self._root, self._ledger, self._runner = root, ledger, runner
        self._slots, self._per_owner, self._grace_s = slots, per_owner, grace_s
        self._me = handle_of(os.getpid()) or f"{os.getpid()}@"
        self._seen_gone: dict[str, float] = {}

    def tick(self) -> None:
        """One round."""
        for entry in self._ledger.with_process():
            self._look_after(entry)
        for entry in self._ledger.unswept():
            self._sweep(entry)
        while (claimed := self._claim()) is not None:
            self._start(claimed)

    def end_all(self) -> None:
        """Cancel everything that is active, hard."""
        for entry in self._ledger.with_process():
            self._end(entry, "cancelled", "Stopped: the program was closed.")

    # -- start -------------------------------------------------------------------------------------------------------

    def _claim(self) -> Entry | None:
        return self._ledger.claim_next(self._slots, self._per_owner, uuid.uuid4().hex, self._me)

    def _start(self, entry: Entry) -> None:
        assert entry.token is not None
        try:
            handle = self._runner.start(Order(self._root, entry.job.id, entry.token, self._grace_s))
        except OSError as error:
            self._ledger.finish(entry.job.id, "failed", f"The worker could not be started: {error}.")
            return
        if handle is not None:
            self._ledger.set_handle(entry.job.id, entry.token, handle)

    # -- watch -------------------------------------------------------------------------------------------------------

    def _look_after(self, entry: Entry) -> None:
        if entry.handle is None:
            self._look_after_claim(entry)
            return
        gone = self._runner.poll(entry.handle)
        if gone is None:
            self._seen_gone.pop(entry.job.id, None)
            self._enforce(entry)
        elif not self._left_to_another(entry, gone):
            self._settle(entry, gone)

    def _look_after_claim(self, entry: Entry) -> None:
        """A claim without a process: its server was killed in between, or is just about to start it."""
        age = time.time() - (entry.claimed or 0)
        if age > STALE_CLAIM_S or (entry.claimer is not None and not is_alive(entry.claimer)):
            self._retry(entry)

    def _left_to_another(self, entry: Entry, gone: Exit) -> bool:
        """The server that started it knows the exit status and will write it, if it still lives."""
        if gone.code is not None or entry.claimer in (None, self._me) or not is_alive(str(entry.claimer)):
            return False
        return time.monotonic() - self._seen_gone.setdefault(entry.job.id, time.monotonic()) < OTHER_SERVER_S

    def _enforce(self, entry: Entry) -> None:
        """Hard ends, for workers that don't answer: they watch over themselves first."""
        now, job = time.time(), entry.job
        if entry.cancel_at is not None and now - entry.cancel_at > self._grace_s:
            words = f"Stopped by the user; the work did not answer within {self._grace_s:g} s and was ended."
            self._end(entry, "cancelled", words)
        elif job.started is not None and job.pid is not None and entry.limits.rss_bytes is not None:
            breach = entry.limits.breach(0, rss_of(job.pid) + rss_of_descendants(job.pid))
            if breach is not None:
                self._end(entry, *breach)
        if job.started is not None and entry.limits.wall_seconds is not None:
            breach = entry.limits.breach(now - job.started - self._grace_s, 0)
            if breach is not None:
                self._end(entry, *breach)

    # -- end ---------------------------------------------------------------------------------------------------------

    def _end(self, entry: Entry, status: Status, cause: str) -> None:
        self._finish(entry, status, cause)  # first, or another server would find it dead and guess at the cause
        self._runner.kill(entry.handle, entry.token or "")

    def _settle(self, entry: Entry, gone: Exit) -> None:
        """A worker is gone that did not write its ending itself."""
        self._seen_gone.pop(entry.job.id, None)
        current = self._ledger.find(entry.job.id)
        if current is None or not current.job.active or current.token != entry.token:
            return
        if current.job.status == "starting":
            self._settle_stillborn(current, gone)
        elif current.cancel_at is not None:
            self._finish(current, "cancelled", "Stopped by the user.")
        else:
            self._finish(current, *self._ending_of(current, gone))

    def _settle_stillborn(self, entry: Entry, gone: Exit) -> None:
        if gone.code in (None, 0):
            self._retry(entry)
            return
        lines = _tail(self._root / entry.job.id / WORKER_LOG)
        words = f"{describe_exit(gone.code)} It had not begun{': ' + lines[-1] if lines else ''}"
        self._finish(entry, "failed", words)

    def _retry(self, entry: Entry) -> None:
        if entry.attempts < MAX_ATTEMPTS:
            self._ledger.requeue(entry.job.id, entry.token or "")
        else:
            self._finish(entry, "lost", "The worker could not be started; submit the job again.")

    def _ending_of(self, entry: Entry, gone: Exit) -> tuple[Status, str]:
        """From the exit status, or, for another server's worker, from what the crash handler wrote."""
        crash = _tail(self._root / entry.job.id / FAULT_LOG)
        if crash and (gone.code is None or gone.code < 0):
            known = describe_exit(gone.code) if gone.code is not None else None
            return "failed", known or f"The worker crashed. {crash[0]}."
        words = describe_exit(gone.code) or "The worker ended without a result."
        if gone.code == -9 and entry.limits.rss_bytes is not None:
            return "oom", words
        return ("lost" if gone.code is None or gone.code < 0 else "failed"), words

    def _finish(self, entry: Entry, status: Status, cause: str) -> None:
        """Write an ending, unless the result had reached the disk already: then the job is done."""
        if read_result(self._root / entry.job.id, entry.job.id) is not None:
            self._ledger.finish(entry.job.id, "done")
        else:
            self._ledger.finish(entry.job.id, status, cause)

    def _sweep(self, entry: Entry) -> None:
        """After the ending: no process of the job may be left."""
        alive = entry.handle is not None and self._runner.poll(entry.handle) is None
        if alive and time.time() - (entry.job.ended or 0) < FAREWELL_S:
            return
        self._runner.kill(entry.handle, entry.token or "")
        self._ledger.mark_swept(entry.job.id)


def _tail(path: Path, limit: int = 20_000) -> list[str]:
    """The non-empty lines at the end of a small log; none when it is not there."""
    try:
        return [line.strip() for line in path.read_text(errors="replace")[-limit:].splitlines() if line.strip()]
    except OSError:
        return []
