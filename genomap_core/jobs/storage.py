"""How much is stored for whom: quotas of a session and of all together, the oldest out first, and deletion on request.

Layout of the home folder: ``sessions/OWNER/`` (tables and loaded models of a session) and ``jobs/ID/`` (see
`JobManager`), all private to the operating system's user. Owners are digests; no name of a person or file is a path.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from genomap_core.errors import InputError, StorageError
from genomap_core.files import WRITING
from genomap_core.jobs.files import make_private, size_of
from genomap_core.jobs.manager import JobManager

IN_USE_S = 3600.0
"""A session used within this time is never removed to make room for another."""


@dataclass(frozen=True, slots=True)
class StorageLimits:
    """Sizes in GB (1e9 bytes)."""

    session_gb: float = 5.0
    """What one session may hold: its table, models and jobs."""
    total_gb: float = 50.0
    """What all sessions together may hold."""
    free_gb: float = 2.0
    """What must stay free on the disk."""
    keep_days: float = 30.0
    """A session unused for so long is removed."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StorageLimits:
        """``GENOMAP_SESSION_GB``, ``GENOMAP_TOTAL_GB``, ``GENOMAP_FREE_GB`` and ``GENOMAP_KEEP_DAYS``, where set."""
        given = {}
        for field in fields(cls):
            text = environment.get(f"GENOMAP_{field.name.upper()}", "")
            try:
                value = float(text or field.default)  # type: ignore[arg-type]
            except ValueError:
                value = -1.0
            if not 0 <= value < 1e9:
                raise InputError(f"GENOMAP_{field.name.upper()} must be a number >= 0, got {text!r}.")
            given[field.name] = value
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Removed:
    """What a deletion took away."""

    tables: int = 0
    models: int = 0
    jobs: int = 0
    files: int = 0
    size: int = 0

    def __str__(self) -> str:
        parts = ((self.tables, "table"), (self.models, "loaded model"), (self.jobs, "job"), (self.files, "file"))
        counted = [f"{count:,} {noun}{'s' * (count != 1)}" for count, noun in parts]
        return f"{', '.join(counted[:3])} ({counted[3]}, {self.size / 1e6:,.1f} MB)"


class Storage:
    """The folders of all sessions under ``home``. ``manager``: gives the job manager, which counts on this in turn."""

    def __init__(self, home: Path, manager: Callable[[], JobManager], limits: StorageLimits | None = None) -> None:
        self.home, self.limits = home, limits or StorageLimits.from_environment()
        self._manager = manager

    def folder(self, owner: str) -> Path:
        """Private folder of a session; asking for it counts as using it."""
        folder = make_private(make_private(self.home / "sessions") / owner)
        os.utime(folder)
        return folder

    def touch(self, owner: str) -> None:
        """The session is in use now; nothing happens while it has stored nothing."""
        with contextlib.suppress(OSError):
            os.utime(self.home / "sessions" / owner)

    def used(self, owner: str) -> int:
        """Bytes that a session and its jobs hold."""
        manager = self._manager()
        jobs = (manager.root / job.id for job in manager.list(owner, limit=-1))
        return size_of(self.home / "sessions" / owner) + sum(map(size_of, jobs))

    def make_room(self, owner: str, need: int) -> list[str]:
        """See that ``need`` bytes more fit: the session's oldest ended jobs go first, then sessions unused for longest.

        Titles of the session's own jobs that were removed. Raises :class:`StorageError` when there is no room.
        """
        free = shutil.disk_usage(self.home).free - need
        if free < self.limits.free_gb * 1e9:
            raise StorageError(
                f"The disk is nearly full: {free / 1e9:.1f} GB would be left, {self.limits.free_gb:g} GB must be. "
                "Delete your data on the Data page, or other files on this machine."
            )
        removed = self._make_room_in_session(owner, need)
        self._make_room_in_all(owner, need)
        return removed

    def sweep(self) -> int:
        """Remove sessions unused for `keep_days`, and what killed servers left half-written; how many sessions."""
        for path in (self.home / "sessions").glob(f"*/{WRITING}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > IN_USE_S:
                    path.unlink()
        limit = time.time() - self.limits.keep_days * 86400
        old = [name for name, used in self._sessions() if used < limit and not self._is_busy(name)]
        for owner in old:
            self.delete(owner)
        return len(old)

    def delete(self, owner: str, patience: float = 8.0) -> Removed:
        """Remove everything of a session: running jobs are cancelled first; what there was."""
        manager, folder = self._manager(), self.home / "sessions" / owner
        jobs = manager.list(owner, limit=-1)
        for job in jobs:
            if job.active:
                manager.cancel(job.id, owner)
        files = [path for place in (folder, *(manager.root / job.id for job in jobs)) for path in _files(place)]
        size = sum(map(_size, files))
        for job in jobs:
            manager.wait(job.id, owner, patience)
            manager.remove(job.id, owner)
        tables = len({path.name for path in _files(folder) if path.suffix == ".npz"} - {"dataset.npz", "imaging.npz"})
        tables = max(tables, int((folder / "dataset.npz").exists())) + int((folder / "imaging.npz").exists())
        models = sum(path.suffix == ".safetensors" for path in _files(folder))
        shutil.rmtree(folder, ignore_errors=True)
        return Removed(tables, models, len(jobs), len(files), size)

    def _make_room_in_session(self, owner: str, need: int) -> list[str]:
        allowed, manager = self.limits.session_gb * 1e9, self._manager()
        removed = []
        used = self.used(owner)
        for job in sorted(manager.list(owner, limit=-1), key=lambda job: job.created):
            if used + need <= allowed:
                break
            if not job.active:
                used -= size_of(manager.root / job.id)
                manager.remove(job.id, owner)
                removed.append(job.title)
        if used + need > allowed:
            raise StorageError(
                f"This needs {need / 1e9:.2f} GB and your data hold {used / 1e9:.2f} GB; {allowed / 1e9:g} GB are "
                "allowed. Delete your data on the Data page, or wait for running jobs to end."
            )
        return removed

    def _make_room_in_all(self, owner: str, need: int) -> None:
        allowed = self.limits.total_gb * 1e9
        used = size_of(self.home)
        for other, when in sorted(self._sessions(), key=lambda session: session[1]):
            if used + need <= allowed:
                return
            if other != owner and time.time() - when > IN_USE_S and not self._is_busy(other):
                used -= self.delete(other).size
        if used + need > allowed:
            raise StorageError(
                f"All sessions together hold {used / 1e9:.2f} GB of {allowed / 1e9:g} GB, and all are in use: delete "
                "your data on the Data page when you are done, or try again later."
            )

    def _sessions(self) -> list[tuple[str, float]]:
        """Owners and when they were last there."""
        found = []
        with contextlib.suppress(OSError), os.scandir(self.home / "sessions") as entries:
            found = [(entry.name, entry.stat().st_mtime) for entry in entries if entry.is_dir(follow_symlinks=False)]
        return found

    def _is_busy(self, owner: str) -> bool:
        return any(job.active for job in self._manager().list(owner, limit=-1))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
