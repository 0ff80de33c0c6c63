"""One runner for every comparison: entries answer the same folds, a failure is a result, what is done is kept.

The policy, the same for tables, images with omics, expression and growth:

* an entry that fails is recorded with its reason, and the others go on;
* a finished run is kept at once and taken again; a changed option refits the entries that it touches, and no other;
* seconds of training never hold those of prediction.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from genomap_core.errors import GenomapError, InputError
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.store import DAMAGE, load_arrays, save_arrays


@dataclass(slots=True)
class Measured:
    """Filled when the block ends."""

    seconds: float = 0.0
    peak_mb: float = 0.0
    """Growth of the resident memory above the start of the block, in MB; sampled every 20 ms."""


@contextmanager
def measure() -> Iterator[Measured]:
    """``with measure() as m: ...`` then read ``m.seconds`` and ``m.peak_mb``."""
    process, done, measured = psutil.Process(), threading.Event(), Measured()
    base = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    try:
        yield measured
    finally:
        measured.seconds = time.perf_counter() - start
        done.set()
        watcher.join()
        measured.peak_mb = max(peak, process.memory_info().rss) / 1e6 - base / 1e6


DAMAGED = "The stored result is damaged: run the comparison again."
"""Of a run or a result that can't be read."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of the rows: ``train (a,)`` and ``test (b,)`` are row numbers."""

    index: int
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False)
class Answer:
    """What an entry says of the test rows of one fold."""

    values: dict[str, np.ndarray]
    """Name -> ``(b, ...)``; ``proba (b, C)`` of a classifier"""
    facts: dict[str, Any] = field(default_factory=dict)
    """Plain values about the fitted model; those of the last fold stand for the run"""


class Clock:
    """Seconds and memory of one entry, training apart from prediction."""

    def __init__(self) -> None:
        self.fit_seconds = self.predict_seconds = self.peak_mb = 0.0

    @contextmanager
    def training(self) -> Iterator[None]:
        """Around what learns."""
        with measure() as m:
            yield
        self.fit_seconds, self.peak_mb = self.fit_seconds + m.seconds, max(self.peak_mb, m.peak_mb)

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """Around what answers."""
        with measure() as m:
            yield
        self.predict_seconds, self.peak_mb = self.predict_seconds + m.seconds, max(self.peak_mb, m.peak_mb)


@dataclass(frozen=True, eq=False)
class Entry:
    """One model, control or baseline: a name, a title for people, and how it answers one fold."""

    name: str
    title: str
    fit_predict: Callable[[Fold, Clock, OnProgress], Answer]
    """Learns on ``fold.train`` alone and answers ``fold.test``; calls the clock around each part."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Every option that its answers depend on, beside the cohort, the folds and the seed"""
    before: Callable[[OnProgress], None] = lambda on_progress: None
    """Called before a kept run is looked for, such as to wait for one that is made elsewhere"""


@dataclass(frozen=True, eq=False)
class Run:
    """One entry over all folds; a failure says why."""

    name: str
    values: dict[str, np.ndarray] = field(default_factory=dict)
    """Name -> ``(n, ...)``, every row by a model that saw neither it nor its group; empty after a failure"""
    facts: dict[str, Any] = field(default_factory=dict)
    status: str = "ok"
    """``ok``, ``refused`` (the model says that it can't), ``oom`` or ``error``"""
    message: str = ""
    fit_seconds: float = 0.0
    """Sum over the folds"""
    predict_seconds: float = 0.0
    peak_mb: float = 0.0

    @property
    def proba(self) -> np.ndarray | None:
        """``(n, C)``, None where the entry gave no probabilities."""
        return self.values.get("proba")

    @property
    def predicted(self) -> np.ndarray:
        """``(n, g)`` of an entry that predicts expression; KeyError of any other."""
        return self.values["predicted"]

    @property
    def label(self) -> str:
        """What answered, weights named."""
        return str(self.facts.get("label", self.name))

    @property
    def note(self) -> str:
        """Such as the number of features a model was given, and how they were chosen."""
        return str(self.facts.get("note", ""))

    @property
    def parameters(self) -> int:
        """How many numbers were learned; 0 where the entry does not say."""
        return int(self.facts.get("parameters", 0))

    def save(self, path: Path, about: Mapping[str, Any]) -> None:
        """One ``.npz``, whole or not at all; ``about``: what the run was made of."""
        plain = ("name", "facts", "status", "message", "fit_seconds", "predict_seconds", "peak_mb")
        save_arrays(path, {"about": dict(about), "run": {k: getattr(self, k) for k in plain}}, self.values)

    @classmethod
    def load(cls, path: Path) -> tuple[Run, dict[str, Any]]:
        """What :meth:`save` wrote, or a run of version 0.1: the run, and what it was made of."""
        header, arrays = load_arrays(path, DAMAGED)
        if "facts" in header.get("run", {}):
            return cls(values=arrays, **header["run"]), header["about"]
        return earlier_run(header, arrays), header["about"]


_MEASURED = ("name", "status", "message", "fit_seconds", "predict_seconds", "peak_mb")


def earlier_run(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Run:
    """A run as version 0.1 wrote it: its fields beside each other, conditions of degraded images by number."""
    found = {k: v for k, v in header.get("run", header).items() if k != "about"}
    for k, condition in enumerate(found.pop("degraded", ())):
        arrays[f"degraded/{condition}"] = arrays.pop(f"degraded{k}")
    facts = {k: v for k, v in found.items() if k not in _MEASURED}
    return Run(values=arrays, facts=facts, **{k: found[k] for k in _MEASURED if k in found})


def run_file(name: str) -> str:
    """File name of a run; anything but letters and digits in it is written as a number."""
    return f"run-{_in_a_name(name)}.npz"


def find_run(folder: Path, name: str, kind: str) -> Path:
    """Where the run lies: under its present name, or under the one that version 0.1 gave it."""
    now, before = run_paths(folder, name, kind)
    return before if before.is_file() and not now.is_file() else now


def run_paths(folder: Path, name: str, kind: str) -> tuple[Path, Path]:
    """The run's file under its present name, and under that of version 0.1."""
    return folder / run_file(name), folder / f"{kind}-{_in_a_name(name)}.npz"


def _in_a_name(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else f".{ord(c):x}" for c in name)


def fold_file(fold: int, entry: str = "") -> str:
    """File name of one fold's model: of the first entry, or of the one that is named."""
    return f"fold-{fold}{f'-{_in_a_name(entry)}' if entry else ''}.safetensors"


def run_entries(
    entries: Sequence[Entry],
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    about: Mapping[str, Any],
    keep: Path | None = None,
    on_progress: OnProgress = ignore,
    kind: str = "",
    on_run: Callable[[Run], None] = lambda run: None,
) -> tuple[Run, ...]:
    """Every entry on every fold, in the order given; ``on_run`` gets each run when it is done.

    ``about``: the cohort's ``digest`` and what all entries depend on. With the folder ``keep`` a run is written when it
    is done; one that is there and was made of the same is taken, one made with other options is made again, and a
    failure is tried again. ``kind`` names the files of version 0.1.

    Raises
    ------
    InputError
        ``keep`` holds runs of another cohort.
    Exception
        Whatever ``on_progress`` raises, such as a wish to stop; what was finished stays.
    """
    splits = [Fold(k, train, test) for k, (train, test) in enumerate(folds)]
    runs, total = [], len(entries) * len(splits)
    for e, entry in enumerate(entries):

        def tell(fold: int, p: Progress, before: int = e * len(splits), title: str = entry.title) -> None:
            on_progress(Progress(f"{title}: fold {fold + 1} of {len(splits)}", before + fold, total, p.values))

        made_of = json.loads(json.dumps({**about, **entry.options}))
        entry.before(partial(tell, 0))
        run = None if keep is None else _kept(find_run(keep, entry.name, kind), made_of)
        if run is None:
            run = _run(entry, splits, tell)
            if keep is not None and run.status == "ok":
                run.save(keep / run_file(entry.name), made_of)
            elif keep is not None:  # what lies there was made with other options, and must not pass for this run
                for path in run_paths(keep, entry.name, kind):
                    path.unlink(missing_ok=True)
        runs.append(run)
        on_run(run)
    on_progress(Progress("intervals", total, total))
    return tuple(runs)


def _kept(path: Path, made_of: Mapping[str, Any]) -> Run | None:
    """The run that lies there if it was made of the same, else None; a damaged one is made again."""
    try:
        run, about = Run.load(path)
    except (OSError, InputError, *DAMAGE):
        return None
    if about.get("digest") != made_of.get("digest"):
        raise InputError(f"{path} holds a run on another cohort: choose another folder.")
    return run if about == made_of else None


def _run(entry: Entry, splits: Sequence[Fold], tell: Callable[[int, Progress], None]) -> Run:
    clock, values, facts = Clock(), dict[str, np.ndarray](), {"label": entry.title}
    n_rows = 1 + max(int(fold.test.max()) for fold in splits)
    status, message, from_outside = "ok", "", []

    def passed_on(fold: int, p: Progress) -> None:
        try:
            tell(fold, p)
        except BaseException as error:
            from_outside.append(error)  # a wish to stop, or a fault of whoever listens: not the model's
            raise

    try:
        for fold in splits:
            passed_on(fold.index, Progress("fold", fold.index, len(splits)))
            answer = entry.fit_predict(fold, clock, partial(passed_on, fold.index))
            for name, value in answer.values.items():
                into = values.setdefault(name, np.full((n_rows, *value.shape[1:]), np.nan, value.dtype))
                into[fold.test] = value
            facts |= answer.facts
    except Exception as error:
        if from_outside:
            raise
        status, message, values = status_of(error), message_of(error), {}
    return Run(entry.name, values, facts, status, message, clock.fit_seconds, clock.predict_seconds, clock.peak_mb)


def status_of(error: BaseException) -> str:
    """The status an exception means."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error):
        return "oom"
    return "refused" if isinstance(error, GenomapError) else "error"


def message_of(error: BaseException) -> str:
    """What is recorded; the type too where the error is not one of ours."""
    text = str(error) if isinstance(error, GenomapError) else f"{type(error).__name__}: {error}"
    return text[:600]


def first_answer(runs: Sequence[Run]) -> Run:
    """The first run that has one.

    Raises
    ------
    InputError
        None has: the message of the first failure.
    """
    for run in runs:
        if run.status == "ok":
            return run
    raise InputError(f"No model gave an answer. {runs[0].label}: {runs[0].message}")
