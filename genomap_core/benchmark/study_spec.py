"""A study as it is chosen on the page: frozen, as plain values for a job, and how much work it means."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from genomap_core.benchmark.bundle import RunLimits
from genomap_core.benchmark.catalogue import Entry, counted, folds_of, load_catalogue
from genomap_core.benchmark.driver import Study
from genomap_core.benchmark.engine import EngineConfig
from genomap_core.benchmark.estimate import seconds_left
from genomap_core.benchmark.models import TITLES, check_models
from genomap_core.benchmark.protocol import CONDITIONS, MISSING, MODELS, TEST_NOISE, THINNED, Condition, Protocol, runs
from genomap_core.benchmark.records import Record
from genomap_core.benchmark.sources import Places, data_folder, find_file
from genomap_core.data.counts import scale_of_unit
from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.store import decode

BUNDLED = Path(__file__).with_name("bundled.toml")
COHORT = "dataset"
"""Stem of the stored cohort in a job's folder."""
OFFERED_MODELS = (*MODELS, *(name for name in TITLES if name not in MODELS))
OFFERED_CONDITIONS = tuple(c.name for c in (*CONDITIONS, *TEST_NOISE, *MISSING, *THINNED))
CORES = os.cpu_count() or 1
MACHINE_GB = psutil.virtual_memory().total / 1e9


@dataclass(frozen=True, slots=True)
class Offer:
    """A data set that can be chosen, or why it can't."""

    entry: Entry
    absent: str = ""

    @property
    def label(self) -> str:
        """Title with its size."""
        e = self.entry
        return f"{e.title} ({e.samples:,} x {e.features:,})" if e.samples and e.features else e.title


def offers(cohort: Dataset | None = None) -> dict[str, Offer]:
    """Name -> data set: the cohort in use where it has classes, scikit-learn's, those of the catalogue."""
    places, found = Places(data_folder()), {}
    if cohort is not None and cohort.y is not None:
        entry = own_entry(cohort)
        found[entry.name] = Offer(entry)
    found |= {name: Offer(entry) for name, entry in load_catalogue(BUNDLED).items()}
    for name, entry in load_catalogue().items():
        try:
            find_file(entry, places)
            found[name] = Offer(entry)
        except InputError:
            found[name] = Offer(entry, f"{entry.stem}.parquet is not in the folder of data sets")
    return found


def own_entry(cohort: Dataset) -> Entry:
    """The cohort in use as an entry of a catalogue; ``own_`` keeps its name apart from all others."""
    slug = re.sub(r"[^a-z0-9]+", "_", cohort.name.lower()).strip("_")[:40] or "cohort"
    n, p = cohort.X.shape
    return Entry(
        f"own_{slug}", cohort.name, "cohort", COHORT,
        samples=n, features=p, classes=len(cohort.classes), kind="own cohort", counts=scale_of_unit(cohort.unit),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """Everything that can be chosen.

    Parameters
    ----------
    sets, models, conditions
        Names.
    seeds, other_seeds
        Repetitions of condition ``full``, and of every other one.
    memory_gb, seconds
        RunLimits of one run.
    at_once
        Bundles of runs at a time.
    cohort
        Digest and entry of the user's own cohort, if it is among the sets; plain values.
    """

    sets: tuple[str, ...]
    models: tuple[str, ...]
    conditions: tuple[str, ...] = ("full",)
    seeds: int = 1
    other_seeds: int = 1
    folds: int = 5
    memory_gb: float = 4.0
    seconds: float = 600.0
    at_once: int = 1
    cohort: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for what, names in (("data set", self.sets), ("model", self.models), ("condition", self.conditions)):
            if not names:
                raise InputError(f"No {what} was chosen: choose at least one.")
        for what, value, most in (
            ("Seeds, undisturbed", self.seeds, 20),
            ("Seeds, disturbed", self.other_seeds, 20),
            ("Folds", self.folds, 10),
            ("At a time", self.at_once, CORES),
        ):
            if not 1 <= value <= most:
                raise InputError(f"{what}: choose 1 to {most}, not {value}.")
        if self.memory_gb <= 0 or self.seconds <= 0:
            raise InputError("The limits of memory and time must be above 0.")
        check_models(self.models, None)
        self.protocol()  # which refuses conditions that no chosen set allows

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Choice:
        """From a job's plain values."""
        return decode(cls, spec)

    def to_spec(self) -> dict[str, Any]:
        """As plain values: equal choices have equal ones."""
        spec: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return spec

    def entries(self) -> dict[str, Entry]:
        """The catalogue's entries of the chosen sets."""
        known = {**load_catalogue(BUNDLED), **load_catalogue()}
        if self.cohort is not None:
            own = decode(Entry, self.cohort["entry"])
            known[own.name] = own
        unknown = [name for name in self.sets if name not in known]
        if unknown:
            raise InputError(f"There is no data set {', '.join(unknown)}: choose others.")
        return {name: known[name] for name in self.sets}

    def protocol(self) -> Protocol:
        """What is run on what."""
        entries = self.entries()
        return Protocol(
            folds=folds_of(entries, self.folds),
            models=self.models,
            conditions=tuple(Condition(name) for name in self.conditions),
            seeds=tuple(range(self.seeds)),
            other_seeds=tuple(range(self.other_seeds)),
            counts=counted(entries),
        )

    def study(self, folder: Path, store: Path) -> Study:
        """For the driver; ``folder``: where the user's own cohort lies."""
        engine = EngineConfig("serial") if self.at_once == 1 else EngineConfig("dask", self.at_once)
        return Study(
            protocol=self.protocol(),
            entries=self.entries(),
            store=store,
            places=Places(data_folder(), cohorts=folder),
            limits=RunLimits(memory_mb=self.memory_gb * 1000, seconds=self.seconds),
            engine=engine,
        )

    def n_runs(self) -> int:
        """How many runs it means."""
        return sum(1 for _ in runs(self.protocol()))

    def expected_seconds(self, records: Sequence[Record]) -> float | None:
        """How long it will take, from the times of other runs; None where there are none."""
        return seconds_left(list(runs(self.protocol())), records, self.at_once)


def model_title(name: str) -> str:
    """For widgets."""
    return TITLES.get(name, name)
