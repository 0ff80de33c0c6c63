"""Parse a risky file in a process of its own, with little memory and time: its crash is an error message here.

The child gets a path and answers with a folder of plain files (JSON and ``.npy``), never a pickle. It runs one of the
functions named in :mod:`genomap_core.io.sandbox.child`, imports no torch, and takes no variable of this process's
environment but the path.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from genomap_core.errors import InputError, RefusedError
from genomap_core.files import PACKAGE_ROOT
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits

_START = (
    "import sys; sys.path[:0] = [sys.argv[1]]; from genomap_core.io.sandbox.child import main; "
    "sys.exit(main(sys.argv[2]))"
)
_WATCH_S = 0.2


@contextmanager
def run_in_child(
    job: str,
    path: Path,
    options: dict[str, str | None],
    limits: FileLimits = DEFAULT,
    watch: Callable[[Path], None] | None = None,
) -> Iterator[Path]:
    """Run ``job`` on the file; give the folder with its answer, which goes away at the end.

    ``watch`` is called with that folder several times a second meanwhile; what it raises ends the child.

    Raises :class:`InputError` when the file is damaged or its parser crashed, :class:`RefusedError` when it needs more
    memory or time than the limits give.
    """
    with tempfile.TemporaryDirectory(prefix="genomap-") as folder:
        spec = {"job": job, "path": str(path.resolve()), "options": options, "limits": asdict(limits)}
        (Path(folder) / "spec.json").write_text(json.dumps(spec))
        code = _run(folder, limits, watch)
        _raise_error(Path(folder), code, limits)
        yield Path(folder)


@contextmanager
def as_path(source: bytes | Path) -> Iterator[Path]:
    """A path to the bytes: a private temporary file where there is none yet."""
    if isinstance(source, Path):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="genomap-") as folder:
        path = Path(folder) / "input"
        path.write_bytes(source)
        yield path


def sweep_leftovers(older_than_s: float = 3600.0) -> int:
    """Remove the temporary folders of readers whose process was killed; how many."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob("genomap-*"):
        try:
            mine = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
            if mine and folder.stat().st_mtime < time.time() - older_than_s:
                shutil.rmtree(folder)
                removed += 1
        except OSError:
            continue
    return removed


def _run(folder: str, limits: FileLimits, watch: Callable[[Path], None] | None) -> int | None:
    """The child's exit code; None when its time was up."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "HDF5_PLUGIN_PRELOAD": "::",
        "HDF5_USE_FILE_LOCKING": "FALSE",
    } | {key: os.environ[key] for key in ("LD_LIBRARY_PATH", "SYSTEMROOT") if key in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", _START, str(PACKAGE_ROOT), folder],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if watch is None:
            return process.wait(limits.seconds)
        end = time.monotonic() + limits.seconds
        while process.poll() is None and time.monotonic() < end:
            watch(Path(folder))
            with suppress(subprocess.TimeoutExpired):
                process.wait(_WATCH_S)
        return process.returncode
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _raise_error(folder: Path, code: int | None, limits: FileLimits) -> None:
    answer = folder / "error.json"
    told = json.loads(answer.read_text()) if answer.exists() else {}
    if told.get("kind") == "refused":
        raise RefusedError(told["text"])
    if told.get("kind") == "input":
        raise InputError(told["text"])
    if code is None or (code < 0 and -code == signal.SIGXCPU):
        raise RefusedError(
            f"The file took longer to read than the limit of {limits.seconds:g} seconds: give a smaller one."
        )
    if told.get("kind") == "memory" or (code < 0 and -code == signal.SIGKILL):
        raise RefusedError(
            f"The file needs more memory than the limit of {limits.memory >> 20:,} MB: give a smaller one."
        )
    if code != 0:
        reason = f"stopped with {signal.Signals(-code).name}" if code < 0 else f"met {told.get('text', 'an error')}"
        raise InputError(f"The file is damaged: the program that reads this format {reason}. Save or export it again.")
