"""The manager: what pages call, and a thread that starts, watches and settles workers. See the package's docstring."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from genomap_core.errors import JobError, StorageError
from genomap_core.jobs.entry import check_entry_point
from genomap_core.jobs.files import LEDGER, damaged_files, make_private, put_inputs, read_result, size_of, to_json
from genomap_core.jobs.ledger import Entry, Ledger
from genomap_core.jobs.process import abandoned, sign
from genomap_core.jobs.records import Job, JobEvent, JobLimits
from genomap_core.jobs.runner import LocalRunner, Runner
from genomap_core.jobs.supervisor import Supervisor

_log = logging.getLogger(__name__)


class JobManager:
    """Submit, follow, cancel and read jobs kept under ``root``. One per server; several on one root share its slots.

    Parameters
    ----------
    root
        Folder of the ledger and the jobs' folders, on a local disk; made private to this user (0700).
    slots
        How many workers run at a time, over all servers on this root.
    per_owner
        How many of one owner's jobs run at a time; ``None``: as many as there are slots.
    limits
        What a job may use unless its own `submit` says otherwise.
    grace_s
        A worker that has not ended this many seconds after a cancel is killed.
    max_waiting
        Queued jobs an owner may have.
    min_free_bytes
        `submit` is refused when the disk has less left.
    owner_bytes
        `submit` is refused when an owner's jobs hold more; ``None``: no quota.
    keep_days
        Ended jobs are removed with their folders this many days after their end; ``None``: never.
    poll_s
        Period of the supervising thread, in seconds.
    runner
        Where workers run; ``None``: on this machine.
    make_room
        Called by `submit` with the owner and the bytes of the job's files before they are written; may raise.
    """

    def __init__(
        self,
        root: Path | str,
        slots: int = 1,
        *,
        per_owner: int | None = None,
        limits: JobLimits | None = None,
        grace_s: float = 5.0,
        max_waiting: int = 20,
        min_free_bytes: int = 2_000_000_000,
        owner_bytes: int | None = None,
        keep_days: float | None = None,
        poll_s: float = 0.25,
        runner: Runner | None = None,
        make_room: Callable[[str, int], object] | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"`slots` must be >= 1, got {slots}.")
        self.root = make_private(Path(root).resolve())
        self._limits = limits or JobLimits()
        self._max_waiting, self._min_free_bytes, self._owner_bytes = max_waiting, min_free_bytes, owner_bytes
        self._keep_days, self._tidied = keep_days, 0.0
        self._make_room, self._sound = make_room, set[str]()
        self._ledger = Ledger(self.root / LEDGER)
        self._supervisor = Supervisor(
            self.root, self._ledger, runner or LocalRunner(), slots, per_owner or slots, grace_s
        )
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._supervise, args=(poll_s,), name="genomap-jobs", daemon=True)
        self._thread.start()

    # -- submit and change -------------------------------------------------------------------------------------------

    def submit(
        self,
        task: str,
        spec: Mapping[str, Any],
        owner: str,
        title: str,
        files: Mapping[str, Path | bytes] | None = None,
        limits: JobLimits | None = None,
    ) -> str:
        """Queue ``task(spec, folder, on_progress)`` and return the job's id.

        ``spec`` must be JSON-able; ``files`` (plain name -> content, or a path to copy) are put into the job's folder
        first. Refused with a :class:`JobError`: other entry points, a full disk, ``max_waiting`` jobs queued already.
        """
        check_entry_point(task)
        spec_text = to_json(spec, "spec of the job")
        if not owner:
            raise JobError("A job needs an owner.")
        self._check_disk(owner)
        if self._make_room is not None:
            self._make_room(
                owner, sum(c.stat().st_size if isinstance(c, Path) else len(c) for c in (files or {}).values())
            )
        job = Job(uuid.uuid4().hex[:16], owner, title, task, "queued", time.time())
        folder = make_private(self.root / job.id)
        try:
            sign(folder)
            put_inputs(folder, files or {})
            self._ledger.add(job, spec_text, limits or self._limits, self._max_waiting)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise StorageError.of(error) from error
            if isinstance(error, sqlite3.OperationalError):
                raise StorageError(f"The job can't be noted ({error}): is the disk full?") from error
            raise
        self._wake.set()
        return job.id

    def cancel(self, job_id: str, owner: str) -> None:
        """Ask a job to stop: a queued one ends at once, a running one in about a second, a hung one after the grace."""
        self._entry(job_id, owner)
        self._ledger.request_cancel(job_id)
        self._wake.set()

    def resume(self, job_id: str, owner: str) -> None:
        """Run an ended job without a result again in its folder: a training goes on from its last epoch there."""
        self._entry(job_id, owner)
        if not self._ledger.resume(job_id):
            raise JobError("The job is done, or still ending: look again in a few seconds.")
        self._wake.set()

    def remove(self, job_id: str, owner: str) -> None:
        """Forget an ended job and delete its folder."""
        self._entry(job_id, owner)
        if not self._ledger.remove(job_id):
            raise JobError("The job is still running: cancel it first.")
        shutil.rmtree(self.root / job_id, ignore_errors=True)

    def close(self, *, cancel_jobs: bool = False) -> None:
        """Stop supervising. Workers go on and are found again by the next manager, unless ``cancel_jobs``."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=30)
        if cancel_jobs:
            self._supervisor.end_all()
        self._ledger.close()

    # -- read --------------------------------------------------------------------------------------------------------

    def get(self, job_id: str, owner: str) -> Job:
        """The job as it stands. An unknown id and another owner's id give the same :class:`JobError`."""
        return self._entry(job_id, owner).job

    def list(self, owner: str, limit: int = 50) -> tuple[Job, ...]:
        """An owner's newest jobs, newest first; ``limit=-1``: all."""
        return tuple(self._ledger.of_owner(owner, limit))

    def events(self, job_id: str, owner: str, after: int = 0) -> tuple[JobEvent, ...]:
        """Reports with ``seq > after`` in order; see `genomap_core.jobs.curves`."""
        self._entry(job_id, owner)
        return tuple(self._ledger.events(job_id, after))

    def spec(self, job_id: str, owner: str) -> dict[str, Any]:
        """What the job was submitted with."""
        return self._entry(job_id, owner).spec

    def folder(self, job_id: str, owner: str) -> Path:
        """Where the job's input and output files are; those of a done job are checked once for damage."""
        entry = self._entry(job_id, owner)
        if entry.job.status == "done" and job_id not in self._sound:
            if damaged := damaged_files(self.root / job_id):
                raise JobError(
                    f"Files of this result were changed or damaged since it was finished ({', '.join(damaged)}): "
                    "remove it and run the work again."
                )
            self._sound.add(job_id)
        return self.root / job_id

    def result(self, job_id: str, owner: str) -> dict[str, Any]:
        """What the task returned. :class:`JobError` with the cause unless the job is done."""
        job = self._entry(job_id, owner).job
        found = read_result(self.root / job_id, job_id) if job.status == "done" else None
        if found is None:
            raise JobError(job.cause or f"The job has no result: it is {job.status}.")
        return found

    def wait(self, job_id: str, owner: str, timeout: float) -> Job:
        """The job once it has ended, or as it stands after ``timeout`` seconds. For scripts, not for pages."""
        deadline = time.monotonic() + timeout
        while (job := self.get(job_id, owner)).active and time.monotonic() < deadline:
            time.sleep(0.05)
        return job

    # -- inside ------------------------------------------------------------------------------------------------------

    def _entry(self, job_id: str, owner: str) -> Entry:
        entry = self._ledger.find(job_id)
        if entry is None or entry.job.owner != owner:
            raise JobError(f"There is no job {job_id!r} of yours: it was removed, or belongs to somebody else.")
        return entry

    def _check_disk(self, owner: str) -> None:
        free = shutil.disk_usage(self.root).free
        if free < self._min_free_bytes:
            raise JobError(
                f"The disk of {self.root} has {free / 1e9:.1f} GB left; jobs need {self._min_free_bytes / 1e9:.1f} GB. "
                "Remove old jobs or other files first."
            )
        if self._owner_bytes is not None:
            used = sum(size_of(self.root / job.id) for job in self._ledger.of_owner(owner, limit=-1))
            if used > self._owner_bytes:
                allowed = f"{self._owner_bytes / 1e9:.1f} GB are allowed"
                raise JobError(f"Your jobs hold {used / 1e9:.1f} GB; {allowed}. Remove some first.")

    def _tidy(self) -> None:
        """At most once an hour: forget what ended longer ago than `keep_days`, and what killed servers left behind."""
        if time.time() - self._tidied < 3600:
            return
        self._tidied = time.time()
        if self._keep_days is not None:
            for job_id in self._ledger.ended_before(self._tidied - self._keep_days * 86400):
                if self._ledger.remove(job_id):
                    shutil.rmtree(self.root / job_id, ignore_errors=True)
        folders = abandoned(self.root)
        for name in folders.keys() - self._ledger.ids():
            shutil.rmtree(folders[name], ignore_errors=True)

    def _supervise(self, poll_s: float) -> None:
        while not self._stop.is_set():
            try:
                self._supervisor.tick()
                self._tidy()
            except (sqlite3.Error, OSError):  # a full disk or a locked file must not end the supervision
                _log.exception("jobs: a round failed, trying again")
            self._wake.wait(poll_s)
            self._wake.clear()
