"""One run's outcome as a value, and many of them as a table. A failure is an outcome like any other."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from genomap_core.benchmark.protocol import Condition, Run
from genomap_core.errors import InputError

PACKAGES = ("genomap-studio", "numpy", "scipy", "scikit-learn", "torch", "tabpfn", "lightgbm", "POT")


@cache
def describe_machine() -> str:
    """Such as ``Linux x86_64, Intel Xeon (2 cores, 8 GB)``."""
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{platform.system()} {platform.machine()}, {_processor()} ({os.cpu_count()} cores, {memory} GiB)"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or "unknown processor"


@cache
def describe_versions() -> dict[str, str]:
    """Python and the packages that decide figures -> version; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            if package == "genomap-studio":
                found[package] = "source"
    return found


STATUSES: dict[str, str] = {
    "ok": "ran to its end",
    "oom": "beyond the memory limit",
    "timeout": "beyond the time limit",
    "refused": "the model or the protocol doesn't take such data",
    "crash": "ended by an error or a signal",
}
METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "brier", "log_loss")
LOWER_IS_BETTER = frozenset({"brier", "log_loss"})


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one run.

    ``message`` says why it is not ``ok``. Scores are None where the run failed or a metric is not defined. Memory is
    the growth of the process during the run, in MB (10^6 bytes), ``gpu_mb`` the peak that torch held on the GPU.
    ``label`` names what answered, weights with their hash; ``versions`` is JSON.
    """

    dataset: str
    condition: str
    model: str
    seed: int
    fold: int
    status: str
    message: str = ""
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    macro_f1: float | None = None
    roc_auc: float | None = None
    brier: float | None = None
    log_loss: float | None = None
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    peak_mb: float | None = None
    gpu_mb: float | None = None
    n_train: int | None = None
    n_test: int | None = None
    n_features: int | None = None
    n_classes: int | None = None
    device: str = ""
    label: str = ""
    weights_sha256: str = ""
    data_sha256: str = ""
    memory_limit_mb: float | None = None
    time_limit_s: float | None = None
    machine: str = ""
    versions: str = "{}"
    finished: float = 0.0

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise InputError(f"{self.name}: `status` must be one of {', '.join(STATUSES)}, got {self.status!r}.")
        if self.status == "ok" and self.accuracy is None:
            raise InputError(f"{self.name}: a run that is ok has an accuracy.")

    @property
    def name(self) -> str:
        """Of the run."""
        return self.run.name

    @property
    def run(self) -> Run:
        """The run of this record."""
        return Run(self.dataset, Condition(self.condition), self.model, self.seed, self.fold)

    def to_json(self) -> dict[str, Any]:
        """Plain values; a metric that is not a number becomes None."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Record:
        """The reverse; :class:`InputError` says which field is missing, unknown or of a wrong type."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"unknown fields: {', '.join(sorted(unknown))}")
        for f in fields(cls):
            if f.name not in values:
                raise InputError(f"the field `{f.name}` is missing")
            if not isinstance(values[f.name], _PYTHON[str(f.type)]) or isinstance(values[f.name], bool):
                raise InputError(f"`{f.name}` has the wrong type ({type(values[f.name]).__name__})")
        return cls(**values)


_PYTHON: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "float | None": (float, int, type(None)),
    "int | None": (int, type(None)),
}
COLUMNS = tuple(f.name for f in fields(Record))


def failed(run: Run, status: str, message: str, **more: Any) -> Record:
    """The record of a run that gave no scores."""
    return Record(run.dataset, run.condition.name, run.model, run.seed, run.fold, status, message, **more)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of records in the types that :func:`to_table` gives; whole numbers with gaps as ``Int32``."""
    frame = frame.copy()
    for f in fields(Record):
        kind = str(f.type)
        if kind.startswith("float"):
            frame[f.name] = frame[f.name].astype("float64")
        elif kind.startswith("int"):
            frame[f.name] = frame[f.name].astype("Int32" if "None" in kind else "int32")
        else:
            frame[f.name] = frame[f.name].astype(object)
    return frame


def to_table(records: Iterable[Record]) -> pd.DataFrame:
    """One row a record, sorted by name; missing figures are NaN."""
    frame = typed(pd.DataFrame([r.to_json() for r in records], columns=list(COLUMNS)))
    return frame.sort_values(["dataset", "condition", "model", "seed", "fold"], ignore_index=True)


def versions_of(frame: pd.DataFrame) -> list[dict[str, str]]:
    """The distinct sets of versions in a table."""
    return [json.loads(text) for text in sorted(set(frame["versions"]))]
