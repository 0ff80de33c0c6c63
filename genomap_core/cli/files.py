"""Files that a command writes: checked before the long work, whole or not at all, the old one kept until then."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from genomap_core.errors import InputError
from genomap_core.files import USUAL, write_atomically
from genomap_core.io.tables.export import BESIDE, NOTICE


def check_out(path: Path | None, *inputs: Path | None) -> None:
    """Raise :class:`InputError` where a file can't be written: no folder, a closed one, or one of the command's inputs.

    None is a file that was not asked for.
    """
    if path is not None:
        if any(other is not None and other.exists() and path.exists() and path.samefile(other) for other in inputs):
            raise InputError(f"{path} is read by this command: give another name, so that it stays as it is.")
        if path.is_dir():
            raise InputError(f"{path} is a folder: give the name of a file.")
        if not path.absolute().parent.is_dir():
            raise InputError(f"There is no folder {path.parent} to write {path.name} into: make it first.")
        if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
            raise InputError(
                f"The folder {path.absolute().parent} can't be written to: choose another for {path.name}."
            )


def write_files(contents: dict[Path, Callable[[], bytes]]) -> None:
    """Write every file, beside a CSV the notice; each is made only when it is its turn."""
    for path, make in contents.items():
        write_atomically(path, make(), USUAL)
        if path.suffix.lower() == ".csv":
            write_atomically(path.with_name(path.name + BESIDE), f"{NOTICE}\n".encode(), USUAL)
