"""Where workers run. A runner starts, looks at and ends them; the ledger and the manager don't care how.

A cluster behind the same three methods: `start` submits ``python -m genomap_core.jobs.worker`` to it (with a shared
root) and returns its key as the handle, `poll` asks it, `kill` cancels there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from genomap_core.jobs.files import WORKER_LOG
from genomap_core.process import (
    GRACE_VARIABLE,
    TOKEN_VARIABLE,
    handle_of,
    is_alive,
    kill_group,
    kill_marked,
    worker_environment,
)


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
