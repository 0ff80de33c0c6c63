"""Small tasks that try the machinery out: used by the tests, and handy to see whether workers run on a new machine."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.errors import InputError
from genomap_core.progress import OnProgress, Progress


def count(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Count to ``steps`` with ``pause`` seconds between, one "epoch" each, and add the last number to a file."""
    steps = int(spec["steps"])
    for step in range(1, steps + 1):
        on_progress(Progress("counting", step, steps, {"loss": 1.0 / step}))
        time.sleep(spec.get("pause", 0.0))
    with open(folder / "count.txt", "a") as file:
        file.write(f"{steps}\n")
    return {"steps": steps, "pid": os.getpid(), "session": os.getsid(0), "torch": "torch" in sys.modules}


def chatter(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Report as fast as possible for ``seconds``, without figures."""
    end, reports = time.monotonic() + spec["seconds"], 0
    while time.monotonic() < end:
        reports += 1
        on_progress(Progress("chattering", reports, 0))
    return {"reports": reports}


def sleep(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Sleep in one go, never reporting; ``stubborn`` swallows the interruption, as bad libraries do."""
    while True:
        try:
            time.sleep(spec["seconds"])
            return {}
        except Exception:  # on purpose
            if not spec.get("stubborn"):
                raise


def fail(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Raise: ``ours`` an error of this library, ``memory`` a MemoryError, ``disk`` what a full disk gives.

    Else a ValueError of several lines.
    """
    if spec.get("ours"):
        raise InputError("Column 3 has no numbers: choose another.")
    if spec.get("disk"):
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)
    if spec.get("memory"):
        raise MemoryError("Unable to allocate 9.9 TiB")
    raise ValueError("the first line\nthe second line names a patient")


def crash(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Read address 0: SIGSEGV."""
    on_progress(Progress("crashing", 1, 2))
    ctypes.string_at(0)
    return {}


def hold_memory(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Touch ``bytes`` of memory and keep them for ``seconds``."""
    block = np.ones(int(spec["bytes"]), dtype=np.uint8)
    time.sleep(spec["seconds"])
    return {"held": int(block.size)}


def spawn(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Start a grandchild in a session of its own that would outlive us and holds ``bytes``; say its process id."""
    code = f"import time; held = bytearray({int(spec.get('bytes', 0))}); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    (folder / "grandchild.txt").write_text(str(child.pid))
    if spec.get("wait"):
        time.sleep(spec["wait"])
    return {"grandchild": child.pid}


def read_inputs(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Sizes of the files that came with the job."""
    return {name: (folder / name).stat().st_size for name in spec["names"]}


def bad_result(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Return something that is not JSON."""
    return {"array": np.zeros(3)}


def echo(
    spec: dict[str, Any], arrays: dict[str, np.ndarray], cache: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """For a warm worker: give everything back, count the calls, and print as noisy libraries do."""
    cache["calls"] = cache.get("calls", 0) + 1
    sys.stdout.write("noise on stdout\n")
    os.write(1, b"noise on descriptor 1\n")
    time.sleep(spec.get("pause", 0.0))
    return {"spec": spec, "calls": cache["calls"], "pid": os.getpid(), "torch": "torch" in sys.modules}, dict(arrays)


def remember(
    spec: dict[str, Any], arrays: dict[str, np.ndarray], cache: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """For a warm worker: put ``keys`` into the cache and say what is there."""
    for key in spec["keys"]:
        cache[key] = True
    return {"cached": sorted(key for key in cache if key != "calls")}, {}


def die(
    spec: dict[str, Any], arrays: dict[str, np.ndarray], cache: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """For a warm worker: end by a signal, or raise as `fail` does."""
    if "signal" in spec:
        os.kill(os.getpid(), getattr(signal, spec["signal"]))
    return fail(spec, Path(), lambda progress: None), {}
