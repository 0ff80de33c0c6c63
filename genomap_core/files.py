"""Files written whole or not at all, and where the program's own files lie."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

PACKAGE_ROOT = Path(__file__).resolve().parent.parent
"""What a fresh interpreter needs on its path to import this library."""
_PACKED = PACKAGE_ROOT / "genomap_core" / "_app"
INSTALLED = _PACKED.is_dir()
APP_FOLDER = _PACKED if INSTALLED else PACKAGE_ROOT
"""``app.py``, its pages and settings: beside the library in a checkout, inside it where it was installed."""
SAMPLE_DATA = APP_FOLDER / "sample_data"
"""The samples that come with the program."""

WRITING = ".writing-"
"""How names of files begin that a killed process may leave: never read, removed by the next server."""
PRIVATE = 0o600
USUAL = 0o666
"""Rights of a new file: its owner's alone, or whatever the system gives new files."""


def write_atomically(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """After a crash there is the old content or the new, never half of one."""
    with replacing(path, mode) as beside:
        beside.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[Path]:
    """A file beside ``path`` to write to; at the end it is flushed to the disk and takes its name, or is removed."""
    path = path.absolute()
    beside = path.with_name(f"{WRITING}{uuid.uuid4().hex[:12]}-{path.name}")
    beside.touch(mode=mode)
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _flush(path.parent)


def write_once(path: Path, content: bytes) -> bool:
    """Whole or not at all. False, and nothing changed, where ``path`` exists, be it another machine that wrote it."""
    beside = path.with_name(f"{WRITING}{uuid.uuid4().hex[:12]}-{path.name}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)  # unlike a rename it refuses to replace
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if path.exists():
                return False
            beside.rename(path)
    finally:
        beside.unlink(missing_ok=True)
    _flush(path.parent)
    return True


def _flush(folder: Path) -> None:
    """Names of a folder onto the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
