"""Damaged files by the thousand, each read in a forked process with limits.

``PYTHONPATH=. python tests/io/fuzz_readers.py --seconds 3600 --keep findings/`` runs for an hour and keeps the input
of every finding. Inputs that reach new lines of this library join the corpus (coverage-guided). Risky
kinds have a child process in the program: an exception or a signal there is contained, a message to the user. A finding
is either of them in a kind that is read in the server's process (text), and for every kind too much time or memory.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz_mutations import mutate
from fuzz_seeds import IN_SERVER, NAMES, seeds

from genomap_core.errors import InputError
from genomap_core.io.sandbox.child import JOBS
from genomap_core.io.sandbox.limits import FileLimits

LIMITS = FileLimits(file=64 << 20, unpacked=256 << 20, cells=4_000_000, pixels=4_000_000, voxels=4_000_000, seconds=10)
MEMORY = 2 << 30
"""Address space a reader may add to the fork's own; what it touches is limited to ``TOUCHED``."""
TOUCHED = 700 << 20


@dataclass
class Run:
    """What a fuzzing run saw. ``findings``: kind of finding and first lines -> the input."""

    tried: int = 0
    read: int = 0
    refused: int = 0
    contained: int = 0
    """Exceptions that are not ours, and crashes, that the child process keeps from the server."""
    lines: set[tuple[str, int]] = field(default_factory=set)
    findings: dict[str, bytes] = field(default_factory=dict)


def reader(kind: str) -> Callable[[Path], Any]:
    """The function that an upload of this kind goes through, in this process."""
    if kind in ("csv", "gz"):
        from genomap_core.data.schema.validate import to_dataset, validate
        from genomap_core.io.tables.read import read_table

        def read(path: Path) -> None:
            table = read_table(path.read_bytes(), NAMES[kind], limits=LIMITS)
            report = validate(table)
            table.preview()
            if not report.errors:
                to_dataset(table, report, "x")

        return read
    if kind in OTHERS:
        module, parse_other = OTHERS[kind]
        importlib.import_module(module)  # here, not in every fork
        return parse_other
    module, name = JOBS[kind].split(":")
    function = getattr(importlib.import_module(module), name)

    def parse(path: Path) -> None:
        answer = function(path, name=NAMES[kind], limits=LIMITS)
        if kind in ("excel", "parquet", "h5ad"):
            from genomap_core.data.schema.validate import validate

            validate(answer)

    return parse


def _gene_sets(path: Path) -> None:
    from genomap_core.layout.genesets import read_gmt

    read_gmt(path, ["TP53", "MYC", "KRAS", "EGFR"])


def _cohort_tables(path: Path) -> None:
    from genomap_core.io.images.tables import joined, read_cohort_tables

    omics = seeds("csv")[0]
    tables = read_cohort_tables([("omics.csv", omics), (path.name, path.read_bytes())])
    if any(said.severity == "error" for said in tables.messages):
        raise InputError("A table was refused in a message.")
    joined(tables, [f"S{i:02d}" for i in range(12)], "x")


def _cohort(path: Path) -> None:
    from genomap_core.io.images.prepare import units_of

    units_of(path, options=json.dumps({"side": 32}), limits=LIMITS)


def _visium(path: Path) -> None:
    from genomap_core.io.images.patches import visium_of

    visium_of(path, asked=json.dumps({"patch": 20, "side": 16, "stains": False}), limits=LIMITS)


def _slide(path: Path) -> None:
    from genomap_core.io.images.slide import patches_of_slide

    patches_of_slide(path, options=json.dumps({"side": 16, "microns": 4.0, "most": 8}), limits=LIMITS)


OTHERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "gene sets": ("genomap_core.layout.genesets", _gene_sets),
    "cohort tables": ("genomap_core.io.images.tables", _cohort_tables),
    "cohort": ("genomap_core.io.images.prepare", _cohort),
    "visium": ("genomap_core.io.images.patches", _visium),
    "slide": ("genomap_core.io.images.slide", _slide),
}
"""Readers that are called in a way of their own, with their modules."""


def fuzz(kind: str, seconds: float, seed: int = 0, rounds: int = 10**9, guided: bool = True) -> Run:
    """Read damaged files of one kind until the time or the rounds are over."""
    rng, run = random.Random(f"{kind}{seed}"), Run()
    corpus = seeds(kind)
    read = reader(kind)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAMES[kind]
        for data in list(corpus):
            _one(kind, read, path, data, run, guided)
        while time.monotonic() < end and run.tried < rounds:
            data = mutate(rng, rng.choice(corpus), corpus, kind)
            if _one(kind, read, path, data, run, guided) and len(data) < 1 << 18:
                corpus.append(data)
    return run


def _one(kind: str, read: Callable[[Path], Any], path: Path, data: bytes, run: Run, guided: bool) -> bool:
    """Read one input; whether it reached new lines."""
    path.write_bytes(data)
    outcome = in_fork(read, path, guided)
    run.tried += 1
    run.read += outcome["kind"] == "read"
    run.refused += outcome["kind"] == "refused"
    contained = kind not in IN_SERVER and outcome["kind"] in ("exception", "signal")
    run.contained += contained
    if outcome["kind"] not in ("read", "refused") and not contained:
        run.findings.setdefault(f"{outcome['kind']}: {outcome.get('text', '')}", data)
    lines = {(name, line) for name, line in outcome.get("lines", ())}
    new = not lines <= run.lines
    run.lines |= lines
    return new


def in_fork(read: Callable[[Path], Any], path: Path, guided: bool = False) -> dict[str, Any]:
    """Run ``read(path)`` in a fork of this process: ``{"kind": "read"|"refused"|"exception"|"signal"|...}``."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(out)
        try:
            _child(read, path, guided, into)
        finally:
            os._exit(3)
    os.close(into)
    told = b"".join(_received(out, 30 * LIMITS.seconds))  # the processor's seconds are limited; others may use it too
    os.close(out)
    if not told:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    if not told:
        ended = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {status}"
        return {"kind": "hang" if ended == "SIGKILL" else "signal", "text": ended}
    outcome: dict[str, Any] = json.loads(told)
    touched = usage.ru_maxrss * 1024 - outcome.pop("base")
    if touched > TOUCHED:
        outcome |= {"kind": "memory", "text": f"{touched >> 20} MB"}
    return outcome


def _received(pipe: int, seconds: float) -> Iterator[bytes]:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and select.select([pipe], [], [], left)[0]:
        piece = os.read(pipe, 1 << 16)
        if not piece:
            return
        yield piece


def _child(read: Callable[[Path], Any], path: Path, guided: bool, into: int) -> None:
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    own = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY, own + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(LIMITS.seconds), int(LIMITS.seconds)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1), os.dup2(quiet, 2)
    lines: set[tuple[str, int]] = set()
    if guided:
        sys.settrace(_tracer(lines))
    outcome: dict[str, Any] = {"kind": "read"}
    try:
        read(path)
    except InputError:
        outcome = {"kind": "refused"}
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        ours = [f for f in traceback.extract_tb(error.__traceback__) if "genomap_core" in f.filename][-1:]
        place = " <- ".join(f"{Path(f.filename).name}:{f.lineno}" for f in (last, *ours))
        outcome = {"kind": "exception", "text": f"{type(error).__name__} {str(error)[:120]} at {place}"}
    sys.settrace(None)
    data = json.dumps(outcome | {"base": base, "lines": sorted(lines)}).encode()
    while data:
        data = data[os.write(into, data) :]
    os._exit(0)


def _tracer(lines: set[tuple[str, int]]) -> Callable[[FrameType, str, Any], Any]:
    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code.co_filename.rpartition("/")[2], frame.f_lineno))
        return local

    def tracer(frame: FrameType, event: str, argument: Any) -> Any:
        return local if "/genomap_core/" in frame.f_code.co_filename else None

    return tracer


def main() -> None:
    """Fuzz kind after kind, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=list(NAMES), choices=list(NAMES))
    parser.add_argument("--plain", action="store_true", help="without looking at lines reached: ten times as fast")
    parser.add_argument("--keep", type=Path, help="folder for the inputs of findings")
    options = parser.parse_args()
    for kind in options.kinds:
        run = fuzz(kind, options.seconds / len(options.kinds), options.seed, guided=not options.plain)
        print(
            f"{kind:14}{run.tried:8,} tried {run.read:8,} read {run.refused:8,} refused "
            f"{run.contained:6,} contained {len(run.lines):6,} lines "
            f"{len(run.findings):4} findings",
            flush=True,
        )
        for what, data in run.findings.items():
            name = f"{kind}-{hashlib.sha256(data).hexdigest()[:10]}"
            print(f"    {name} {what}", flush=True)
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / name).write_bytes(data)


if __name__ == "__main__":
    main()
