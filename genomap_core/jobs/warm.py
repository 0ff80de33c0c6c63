"""A child process that keeps models between requests: answers in milliseconds, and torch stays out of the server.

::

    warm = WarmWorker()                                        # one per server (st.cache_resource)
    warm.start(preload=("torch",))                             # returns at once; imports go on in the child
    answer, arrays = warm.call("genomap_core.workflows.predict:predict", {"model": digest}, {"X": X}, timeout=30)

The function is ``function(spec: dict, arrays: dict[str, ndarray], cache: dict) -> (dict, dict[str, ndarray])``.
``cache`` is a least-recently-used dictionary that lives as long as the child: put models there under a key that holds
their digest (all users share it). ``spec`` and the answer are JSON, arrays go as raw bytes; nothing is pickled. What
the function prints goes to ``log``. An error of this library raised there is raised here as itself; any other becomes
a :class:`JobError` with its type and first line, as does a crash or a time-out. The next call replaces a dead child.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core import errors
from genomap_core.errors import GenomapError, JobError
from genomap_core.jobs.entry import check_entry_point
from genomap_core.jobs.frames import Pipe, PipeClosed, PipeTimeout
from genomap_core.process import describe_exit, kill_tree, worker_environment


class WarmWorker:
    """One persistent child. Threads take turns; it dies with this process, whatever way that ends.

    Parameters
    ----------
    cache_items
        How many values ``cache`` keeps.
    max_rss_bytes
        A child above this after an answer is ended and replaced (its cache is lost); ``None``: no limit.
    log
        File for what the child prints and for tracebacks, which may quote data; ``None``: thrown away.
    """

    def __init__(self, *, cache_items: int = 8, max_rss_bytes: int | None = None, log: Path | None = None) -> None:
        self._cache_items, self._max_rss_bytes, self._log = cache_items, max_rss_bytes, log
        self._preload: tuple[str, ...] = ()
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Pipe | None = None
        self._turn = threading.Lock()
        # The kernel's parent-death signal fires when the *thread* that started the child ends, and a web server's
        # script threads end all the time: one thread that lives as long as this object starts every child.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="genomap-warm")
        self._starting: Future[None] | None = None
        self._closed = False
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """Process id of the child, ``None`` while there is none."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def start(self, preload: Iterable[str] = ()) -> None:
        """Start the child and let it import ``preload`` (after a restart too). Returns at once; calls wait for it."""
        self._preload = tuple(preload)
        self._starting = self._starter.submit(self._ensure)

    def call(
        self,
        task: str,
        spec: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray] | None = None,
        timeout: float = 60.0,
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Run ``task`` in the child and return its answer and arrays.

        ``timeout`` (seconds) counts from here, waiting for other threads' calls and for the child's start included.
        """
        check_entry_point(task)
        deadline = time.monotonic() + timeout
        if not self._turn.acquire(timeout=timeout):
            raise JobError(f"The prediction process was busy with other requests for {timeout:g} s; try again.")
        try:
            head, found = self._exchange({"task": task, "spec": spec}, arrays or {}, deadline, timeout)
        finally:
            self._turn.release()
        if "error" in head:
            raise _error_of(head["error"])
        return head["answer"], found

    def close(self) -> None:
        """End the child; the worker can't be used afterwards."""
        self._closed = True
        if (child := self._child) is not None:
            child.kill()  # a call in progress hears of it and lets go of its turn
        self._starter.shutdown(wait=True)
        with self._turn:
            self._kill()
        atexit.unregister(self.close)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _exchange(
        self, head: Mapping[str, Any], arrays: Mapping[str, np.ndarray], deadline: float, timeout: float
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        if not self._closed:
            self._starter.submit(self._ensure).result()
        if self._pipe is None:
            raise JobError("The prediction process was closed.")
        try:
            self._pipe.send(head, arrays, deadline)
            answer = self._pipe.receive(deadline)
        except PipeTimeout:
            self._kill()
            raise JobError(
                f"The prediction took longer than {timeout:g} s and was stopped. It starts afresh with the next one."
            ) from None
        except PipeClosed:
            raise JobError(f"The prediction failed. {self._autopsy()} It starts afresh with the next one.") from None
        except JobError:
            raise  # the request can't be sent; nothing was
        except BaseException:
            self._kill()  # half a message may be in the pipe
            raise
        if self._max_rss_bytes is not None and answer[0]["rss"] > self._max_rss_bytes:
            self._kill()
        return answer

    def _ensure(self) -> None:
        """Start a child unless one lives. Only runs on the starter's thread."""
        if self._closed or (self._child is not None and self._child.poll() is None):
            return
        self._kill()
        with open(os.devnull if self._log is None else self._log, "ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "genomap_core.jobs.warm_child", str(self._cache_items), *self._preload],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                env=worker_environment(),
                start_new_session=True,
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._pipe = Pipe(self._child.stdout.fileno(), self._child.stdin.fileno())

    def _autopsy(self) -> str:
        assert self._child is not None
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._kill()
            return "Its process closed the connection."
        return describe_exit(self._child.returncode) or "Its process ended early."

    def _kill(self) -> None:
        child, self._child, self._pipe = self._child, None, None
        if child is not None:
            kill_tree(child)


def _error_of(error: Mapping[str, str]) -> GenomapError:
    """The child's error as an object: our classes as themselves, others as :class:`JobError`."""
    kind = getattr(errors, error["kind"], None)
    if isinstance(kind, type) and issubclass(kind, GenomapError):
        return kind(error["message"])
    return JobError(error["message"])
