"""The study from its start to its end: what is missing is submitted, and the store says how far it is."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from genomap_core.benchmark.bundle import Order, RunLimits
from genomap_core.benchmark.catalogue import Entry
from genomap_core.benchmark.engine import EngineConfig, EngineError, open_engine
from genomap_core.benchmark.estimate import Estimate, Estimator
from genomap_core.benchmark.models import check_models
from genomap_core.benchmark.protocol import Protocol, RunBundle, bundles, runs, shard
from genomap_core.benchmark.records import STATUSES
from genomap_core.benchmark.sources import Places, find_file, read_set
from genomap_core.benchmark.store import Store, create_store
from genomap_core.errors import InputError

_LOOK = 0.5  # seconds between two looks at the store


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that ``run`` needs to know.

    Parameters
    ----------
    protocol, entries
        What is run, and the data sets' catalogue entries.
    store
        The folder of the results.
    set_aside
        Statuses (or ``damaged``) whose records are moved out of the way first, so that their runs are done again.
    part
        ``i/n``: only every n-th bundle from the i-th on; other machines do the others.
    """

    protocol: Protocol
    entries: Mapping[str, Entry]
    store: Path
    places: Places = field(default_factory=Places)
    limits: RunLimits = field(default_factory=RunLimits)
    engine: EngineConfig = field(default_factory=EngineConfig)
    device: str = "cpu"
    threads: int = 1
    plugin: str | None = None
    set_aside: tuple[str, ...] = ()
    part: str | None = None

    def __post_init__(self) -> None:
        bad = set(self.set_aside) - {*STATUSES, "damaged"}
        if bad:
            raise InputError(f"`--set-aside` knows {', '.join(STATUSES)} and damaged, not {', '.join(sorted(bad))}.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call of :func:`run_study` ended."""

    done: int
    """Records there are now, of those asked for."""
    total: int
    problems: tuple[str, ...]
    """Bundles that could not be done at all, each with the reason."""


Listener = Callable[[Estimate], None]
"""Told how far the study is, about twice a second; may raise ``Cancelled``."""


def pieces_of(study: Study) -> list[RunBundle]:
    """The bundles of this call."""
    return shard(list(bundles(study.protocol)), study.part)


def check(study: Study) -> None:
    """:class:`InputError` for what can be known before anything runs: models, files of the data folder."""
    check_models(study.protocol.models, study.plugin)
    for name in study.protocol.folds:
        entry = study.entries[name]
        if entry.source == "file":
            find_file(entry, study.places)


def prepare_store(study: Study) -> Store:
    """The study's store, free of damage; records to be done again are set aside."""
    sets = {name: asdict(study.entries[name]) for name in study.protocol.folds}
    store = create_store(study.store, study.protocol, sets)
    records, damaged = store.read()
    if "damaged" in study.set_aside:
        store.set_aside([d.path for d in damaged])
    elif damaged:
        store.records()  # raises, and names them
    wanted = {r.name for r in runs(study.protocol)}
    again = [r for r in records if r.status in study.set_aside and r.name in wanted]
    store.set_aside([store.path_of(r.run) for r in again])
    return store


def fetch(study: Study) -> None:
    """Bring the sets of OpenML into the cache, so that workers don't all ask for the same file."""
    for name in study.protocol.folds:
        if study.entries[name].source == "openml":
            read_set(study.entries[name], study.places)


def run_study(study: Study, listen: Listener = lambda estimate: None) -> Outcome:
    """Do every run that has no record yet. Calling it again continues; nothing is done twice.

    Raises
    ------
    StoreError
        The store is damaged or belongs to another study; nothing was changed.
    EngineError
        The scheduler was lost; the results so far are safe.
    """
    check(study)
    store = prepare_store(study)
    mine = [run for piece in pieces_of(study) for run in piece.runs]
    estimator = Estimator(mine, store, parallel=study.engine.workers)
    missing = [p for p in pieces_of(study) if not all(store.has(r) for r in p.runs)]
    problems: list[str] = []
    if missing:
        fetch(study)
        with open_engine(study.engine) as submit:
            futures = {submit(_order(study, piece)): piece for piece in missing}
            problems = _wait(futures, lambda: listen(estimator.now()))
    end = estimator.last()
    listen(end)
    return Outcome(end.done, end.total, tuple(problems))


def _order(study: Study, piece: RunBundle) -> Order:
    return Order(
        piece,
        study.store.absolute(),
        study.entries[piece.dataset],
        study.places,
        study.protocol.folds[piece.dataset],
        study.protocol.options,
        study.limits,
        study.device,
        study.threads,
        study.plugin,
    )


def _wait(futures: Mapping[concurrent.futures.Future[int], RunBundle], tick: Callable[[], None]) -> list[str]:
    """Until all are done; what went wrong."""
    problems: list[str] = []
    waiting: Sequence[Any] | set[Any] = set(futures)
    while waiting:
        tick()
        done, waiting = concurrent.futures.wait(waiting, timeout=_LOOK, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in done:
            if future.cancelled():
                raise EngineError(
                    "The scheduler was lost. All results so far are in the store: start it again, and repeat the "
                    "command to continue."
                )
            error = future.exception()
            if error is not None:
                problems.append(f"{futures[future].name}: {error}")
    return problems
