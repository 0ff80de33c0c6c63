"""A worker's piece of the study: one child process does a bundle, watched from outside and killed at its limits."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from genomap_core.benchmark.catalogue import Entry
from genomap_core.benchmark.child import DATA
from genomap_core.benchmark.protocol import Run, RunBundle
from genomap_core.benchmark.records import failed
from genomap_core.benchmark.sources import Places
from genomap_core.benchmark.store import Store
from genomap_core.errors import GenomapError

_POLL = 0.05  # seconds between two looks at a child
STOPPING = threading.Event()
"""Set by a driver that ends: bundles in this process kill their child and return."""


class WorkerError(GenomapError):
    """A child process can't even start its work: the command is wrong, not a run."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Of one run, and of the start of an interpreter.

    Parameters
    ----------
    memory_mb
        Resident memory of the child with all it starts, in MB (10^6 bytes).
    seconds
        From the start of a run to its record.
    start_seconds
        Until the first run begins: imports and reading the data.
    """

    memory_mb: float = 8000.0
    seconds: float = 3600.0
    start_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Order:
    """All a worker must know of a bundle; plain values, so that it can travel to another machine."""

    bundle: RunBundle
    store: Path
    entry: Entry
    places: Places
    n_folds: int
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limits: RunLimits = field(default_factory=RunLimits)
    device: str = "cpu"
    threads: int = 1
    plugin: str | None = None


def run_bundle(order: Order) -> int:
    """Do what is missing of a bundle; returns how many interpreters it took (one, unless runs were killed).

    Raises
    ------
    WorkerError
        An interpreter ended with an error before any run began.
    """
    store = Store(order.store, {})
    killed_from_outside: set[str] = set()
    interpreters = 0
    while not STOPPING.is_set() and (todo := [r for r in order.bundle.runs if not store.has(r)]):
        interpreters += 1
        _one_interpreter(order, store, todo, killed_from_outside)
    return interpreters


def _one_interpreter(order: Order, store: Store, todo: list[Run], killed_before: set[str]) -> None:
    """Start a child, watch it to its end, and write the record of the run that it died of, if it did."""
    with tempfile.TemporaryFile() as errors:
        kills = _kernel_kills()
        child = _start(order, todo, errors)
        try:
            at, reason = _watch(child, order.limits)
        finally:
            with contextlib.suppress(psutil.Error):
                _kill(child)
        if STOPPING.is_set() or (child.returncode == 0 and reason is None):
            return
        if at is None and reason is None and child.returncode > 0:
            raise WorkerError(f"{order.bundle.name}: the worker can't start. {_last_words(errors)}")
        status, message = reason or _verdict(child.returncode, kills, errors)
        from_outside = reason is None and status == "crash" and child.returncode in (-signal.SIGKILL, -signal.SIGTERM)
        if from_outside and (at or "") not in killed_before:
            killed_before.add(at or "")  # someone killed it, not the run: once more before it counts
            return
    ended = todo if at in (None, DATA) else [r for r in todo if r.name == at]
    where = "while its data set was read: " if at == DATA else ""
    common = {**_limit_fields(order.limits), "device": order.device, "finished": time.time()}
    for run in ended:
        store.put(failed(run, status, where + message, **common))


def _start(order: Order, todo: list[Run], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    places = [None if p is None else str(p) for p in (order.places.folder, order.places.cache, order.places.cohorts)]
    orders = {
        "store": str(order.store),
        "entry": asdict(order.entry),
        "places": places,
        "n_folds": order.n_folds,
        "options": {m: dict(o) for m, o in order.options.items()},
        "device": order.device,
        "plugin": order.plugin,
        "limits": _limit_fields(order.limits),
        "runs": [r.name for r in todo],
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "genomap_core.benchmark.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, **_environment(order.threads)},
    )
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # a child that is already dead is noticed by its exit status
        child.stdin.write(json.dumps(orders).encode() + b"\n")
        child.stdin.flush()
    return child


def _environment(threads: int) -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    counts = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {"PYTHONPATH": path, "TABPFN_NO_BROWSER": "1", **{name: str(threads) for name in counts}}


def _limit_fields(limits: RunLimits) -> dict[str, float]:
    return {"memory_limit_mb": limits.memory_mb, "time_limit_s": limits.seconds}


def _watch(child: subprocess.Popen[bytes], limits: RunLimits) -> tuple[str | None, tuple[str, str] | None]:
    """What the child was last at (None: nothing yet), and why it must die, if it must."""
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)
    at: str | None = None
    since, rest = time.monotonic(), b""
    while True:
        ended = child.poll() is not None
        rest += child.stdout.read() or b""
        *lines, rest = rest.split(b"\n")
        if lines:
            at, since = lines[-1].decode(), time.monotonic()
        if ended or STOPPING.is_set():
            return at, None
        memory = memory_mb(child.pid)
        if memory > limits.memory_mb:
            return at, ("oom", f"{memory:,.0f} MB of memory in use, {limits.memory_mb:,.0f} MB allowed.")
        allowed = limits.seconds if at not in (None, DATA) else limits.start_seconds
        if time.monotonic() - since > allowed:
            return at, ("timeout", f"Not done after {allowed:,.0f} s.")
        time.sleep(_POLL)


def memory_mb(pid: int) -> float:
    """Resident memory of a process and everything it started, in MB; 0 when it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *_children(process)]
    except psutil.Error:
        return 0.0
    total = 0
    for member in family:
        with contextlib.suppress(psutil.Error):
            total += member.memory_info().rss
    return total / 1e6


def _children(process: psutil.Process) -> list[psutil.Process]:
    """Descendants; on most Linux systems without looking at every process of the machine."""
    if not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists():
        return process.children(recursive=True)
    found, waiting = [], [process.pid]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError, psutil.Error):
            for task in Path(f"/proc/{pid}/task").iterdir():
                for child in (task / "children").read_text().split():
                    found.append(psutil.Process(int(child)))
                    waiting.append(int(child))
    return found


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child with everything it started."""
    for member in [*_children(psutil.Process(child.pid))] if child.poll() is None else []:
        with contextlib.suppress(psutil.Error):
            member.kill()
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    child.wait()


def _verdict(code: int, kills_before: int, errors: IO[bytes]) -> tuple[str, str]:
    """Status and message for a child that ended by itself."""
    if code == -signal.SIGKILL and _kernel_kills() > kills_before:
        return "oom", "Killed by the system: out of memory."
    if code < 0:
        return "crash", f"{signal.Signals(-code).name}. {_place_of(errors)}".strip()
    return "crash", f"Exit status {code}. {_last_words(errors)}"


def _kernel_kills() -> int:
    """How often the kernel has killed for want of memory in this control group; 0 where it doesn't say."""
    try:
        events = Path("/sys/fs/cgroup/memory.events").read_text().split()
        return int(events[events.index("oom_kill") + 1])
    except (OSError, ValueError):
        return 0


def _read(errors: IO[bytes]) -> list[str]:
    errors.seek(0)
    return [line.strip() for line in errors.read().decode(errors="replace").splitlines() if line.strip()]


def _last_words(errors: IO[bytes]) -> str:
    return " ".join(_read(errors)[-1:])[:300]


def _place_of(errors: IO[bytes]) -> str:
    """The innermost line of Python that faulthandler saw, without the folders of this machine."""
    lines = _read(errors)
    current = next((i for i, line in enumerate(lines) if line.startswith("Current thread")), len(lines))
    files = [line for line in lines[current:] if line.startswith("File ")]
    return f"In {files[0].rpartition('/')[2][:120]}" if files else ""
