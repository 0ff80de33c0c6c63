"""How far a study is, and how long it will take, from the times of the runs that are done."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from genomap_core.benchmark.protocol import Run
from genomap_core.benchmark.records import Record
from genomap_core.benchmark.store import Store

_RESCAN = 5.0  # seconds between two readings of new records
_SETTLE = 60.0  # seconds of recorded work after which the measured pace counts as much as a pace of 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """One look at a study."""

    done: int
    total: int
    statuses: dict[str, int]
    """Status -> number of records, of those read so far."""
    seconds_left: float | None
    """None while nothing is known."""


def expected_seconds(records: Iterable[Record]) -> tuple[dict[tuple[str, str], float], dict[str, float], float | None]:
    """Mean seconds of a run for each (data set, model), each model, and all; failures count with their limit."""
    of_cell: dict[tuple[str, str], list[float]] = defaultdict(list)
    of_model: dict[str, list[float]] = defaultdict(list)
    for r in records:
        of_cell[r.dataset, r.model].append(_seconds(r))
        of_model[r.model].append(_seconds(r))
    everything = [s for values in of_model.values() for s in values]
    return (
        {k: sum(v) / len(v) for k, v in of_cell.items()},
        {k: sum(v) / len(v) for k, v in of_model.items()},
        sum(everything) / len(everything) if everything else None,
    )


def _seconds(record: Record) -> float:
    if record.status == "timeout":
        return record.time_limit_s or 0.0
    return (record.fit_seconds or 0.0) + (record.predict_seconds or 0.0)


def seconds_left(missing: Sequence[Run], records: Sequence[Record], parallel: int = 1) -> float | None:
    """Of the missing runs, ``parallel`` at a time: by data set and model, else by model, else by the mean."""
    of_cell, of_model, mean = expected_seconds(records)
    if mean is None:
        return None
    total = sum(of_cell.get((r.dataset, r.model), of_model.get(r.model, mean)) for r in missing)
    return total / parallel


class Estimator:
    """Looks at a store again and again; reads every record once.

    The time left follows the pace of the runs that end while it looks: a run's start, other work on the machine, and
    other machines that work on the same store all count.
    """

    def __init__(self, wanted: Sequence[Run], store: Store, parallel: int = 1) -> None:
        self._wanted = wanted
        self._store = store
        self._parallel = parallel
        self._records: dict[str, Record] = {}
        self._read_at = 0.0
        self._latest: Estimate | None = None
        self._before = store.done()
        self._start = self._newest = time.monotonic()
        self._work = 0.0  # recorded seconds of the runs that ended since the start
        self._next_look = 0.0

    def now(self) -> Estimate:
        """A look at the store; the latest one again while a new one would cost more than 2 % of the time."""
        start = time.monotonic()
        if self._latest is None or start > self._next_look:
            self._latest = self._look()
            self._next_look = time.monotonic() + 50 * (time.monotonic() - start)
        return self._latest

    def last(self) -> Estimate:
        """A look at the store, whatever it costs."""
        self._read_at = 0.0
        return self._look()

    def _look(self) -> Estimate:
        done = self._store.done()
        missing = [r for r in self._wanted if r.name not in done]
        if time.monotonic() - self._read_at > _RESCAN or not missing:
            self._read_new(done)
        statuses = Counter(r.status for r in self._records.values())
        left = seconds_left(missing, list(self._records.values()), self._parallel) if missing else 0.0
        left = None if left is None else left * self._pace()
        return Estimate(len(self._wanted) - len(missing), len(self._wanted), dict(statuses), left)

    def _pace(self) -> float:
        """Seconds that a second of recorded work took here, up to the newest record; 1 at the start."""
        elapsed = (self._newest - self._start) * self._parallel
        return (elapsed + _SETTLE) / (self._work + _SETTLE)

    def _read_new(self, done: set[str]) -> None:
        for run in self._wanted:
            if run.name in done and run.name not in self._records:
                record = self._store.read_one(run)
                if record is not None:
                    self._records[run.name] = record
                    if run.name not in self._before:
                        self._work, self._newest = self._work + _seconds(record), time.monotonic()
        self._read_at = time.monotonic()
