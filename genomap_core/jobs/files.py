"""Files of a job: readable by their owner only, sealed with checksums."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.errors import JobError
from genomap_core.files import write_atomically
from genomap_core.process import handle_of, is_alive

LEDGER = "ledger.sqlite"
RESULT = "result.json"
ERROR_LOG = "error.log"
WORKER_LOG = "worker.log"
FAULT_LOG = "fault.log"
SIGNATURE = ".server"
"""File in a job's folder: the handle of the server that made it."""
RESERVED = frozenset({RESULT, ERROR_LOG, WORKER_LOG, FAULT_LOG})

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}", re.ASCII)


def make_private(folder: Path) -> Path:
    """Create ``folder`` where missing; only its owner may enter (0700)."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def put_inputs(folder: Path, files: Mapping[str, Path | bytes]) -> None:
    """Write the inputs of a job into its folder under their plain names."""
    for name, content in files.items():
        if not _NAME.fullmatch(name) or name in RESERVED:
            raise JobError(
                f"{name!r} can't be the name of a job's file: use letters, digits, `_`, `-` and `.` only, "
                f"and none of {', '.join(sorted(RESERVED))}."
            )
        if isinstance(content, bytes | bytearray | memoryview):
            (folder / name).write_bytes(content)
        else:
            shutil.copyfile(content, folder / name)


def sign(folder: Path) -> None:
    """Note in a job's folder which server made it, before any data are in it."""
    signature = folder / SIGNATURE
    signature.touch(mode=0o600)
    signature.write_text(handle_of(os.getpid()) or "")


def abandoned(root: Path) -> dict[str, Path]:
    """Folders of jobs whose server is gone, by the job's id; those that no ledger knows were never submitted."""
    found = {}
    for signature in root.glob(f"*/{SIGNATURE}"):
        with contextlib.suppress(OSError, ValueError):
            if not is_alive(signature.read_text()):
                found[signature.parent.name] = signature.parent
    return found


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder and below; files that vanish meanwhile don't count."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(parent, name), follow_symlinks=False).st_size
    return total


def write_result(folder: Path, job_id: str, result: Mapping[str, Any]) -> None:
    """Store what a task returned, and the checksums of the files it wrote, which are on the disk before.

    The job's id goes with it: a file that a task wrote itself is not mistaken for it.
    """
    stored = {"job": job_id, "result": result, "files": _seal(folder)}
    write_atomically(folder / RESULT, to_json(stored, "result of the task").encode())


def damaged_files(folder: Path) -> list[str]:
    """Names of a finished job's files that are not as they were when it ended; each is read whole."""
    try:
        sealed = json.loads((folder / RESULT).read_bytes()).get("files", {})
    except (OSError, ValueError, AttributeError):
        return [RESULT]
    return [name for name, checksum in sealed.items() if _checksum(folder / name) != checksum]


def _seal(folder: Path) -> dict[str, str]:
    """Checksums of a job's files, flushed to the disk."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.name not in RESERVED and not path.name.startswith("."):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            found[str(path.relative_to(folder))] = _checksum(path)
    return found


def _checksum(path: Path) -> str:
    """SHA-256 of a file; empty when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def read_result(folder: Path, job_id: str) -> dict[str, Any] | None:
    """What the task returned; ``None`` when there is no finished result of this job."""
    try:
        stored = json.loads((folder / RESULT).read_bytes())
    except (OSError, ValueError):
        return None
    return stored["result"] if isinstance(stored, dict) and stored.get("job") == job_id else None


def to_json(value: Mapping[str, Any], what: str) -> str:
    """JSON text of a dictionary; NumPy scalars become numbers. Anything else is a :class:`JobError` that names it."""
    if not isinstance(value, Mapping):
        raise JobError(f"The {what} must be a dictionary, got {type(value).__name__}.")
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise JobError(f"The {what} can't be written as JSON: {error}. Put arrays into files of the job.") from error


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")
