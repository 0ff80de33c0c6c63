"""What a comparison of fusion networks leaves: the runs, their scores with intervals, and the fusion gain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.images.patients import PatientImages
from genomap_core.workflows.comparison.scores import Score, lead_over_each, score_table
from genomap_core.workflows.comparison.store import read_run, write_run

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "brier")
GAINS = ("balanced_accuracy", "roc_auc")
_PLAIN = ("name", "parameters", "fit_seconds", "peak_mb")
_ARRAYS = ("proba", "fold_of_row", "types")


@dataclass(frozen=True, eq=False)
class FusionRun:
    """One variant, control or baseline over all folds."""

    name: str
    proba: np.ndarray
    """``(n, C)``, every row by a model that saw neither it nor its group"""
    parameters: int
    fit_seconds: float
    peak_mb: float
    fold_of_row: np.ndarray | None = None
    """``(n,)`` int, whose network answered"""
    types: np.ndarray | None = None
    """``(n, k, C)`` Shapley value of each type of data for the probability of each class, where it was explained"""

    def save(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write as one ``.npz``; ``about``: what the run was made of."""
        arrays = {k: a for k in _ARRAYS if (a := getattr(self, k)) is not None}
        write_run(path, {k: getattr(self, k) for k in _PLAIN} | {"about": dict(about)}, arrays)

    @classmethod
    def load(cls, path: Path) -> tuple[FusionRun, dict[str, Any]]:
        """Read what :meth:`save` wrote: the run, and what it was made of."""
        header, arrays = read_run(path)
        fields: dict[str, Any] = {k: header[k] for k in _PLAIN} | {k: arrays.get(k) for k in _ARRAYS}
        return cls(**fields), header["about"]


def run_file(name: str) -> str:
    """File name of a run; anything but letters and digits in it is written as a number."""
    return f"fusion-{''.join(c if c.isascii() and (c.isalnum() or c in '_-') else f'.{ord(c):x}' for c in name)}.npz"


def fold_file(fold: int) -> str:
    """File name of the first run's network of one fold."""
    return f"fold-{fold}.safetensors"


@dataclass(frozen=True, eq=False)
class FusionResult:
    """All runs on the same folds."""

    config: dict[str, Any]
    name: str
    """Of the cohort"""
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    omics_names: tuple[str, ...]
    y: np.ndarray
    groups: np.ndarray | None
    runs: tuple[FusionRun, ...]
    scores: dict[str, dict[str, Score]]
    """Run -> metric -> score with interval"""
    gain: dict[str, dict[str, Score]]
    """Run -> metric -> score of the first run minus its own, paired by patient (by group where groups exist)"""
    digest: str

    @property
    def champion(self) -> str:
        """The run that the others are held against: images and omics stacked, or all omics types."""
        return self.runs[0].name

    @property
    def has_images(self) -> bool:
        return bool(self.channels)

    @property
    def types(self) -> tuple[str, ...]:
        """The types of data whose share in an answer is told: the image, where there is one, and each omics type."""
        return (*(("image",) if self.channels else ()), *self.omics_names)

    @property
    def type_values(self) -> np.ndarray | None:
        """What each type of data does for each class in its own patients: ``(k, C)``, NaN for a class without any.

        Mean Shapley value for the class's probability; None where the first run was not explained.
        """
        values = self.runs[0].types
        if values is None:
            return None
        of_class = [values[self.y == c, :, c] for c in range(len(self.classes))]
        return np.stack([v.mean(0) if len(v) else np.full(len(self.types), np.nan) for v in of_class], axis=1)

    def save(self, folder: Path) -> None:
        """Write ``fusion.json`` and ``fusion.npz``, and each run that is not there yet."""
        for run in self.runs:
            if not (folder / run_file(run.name)).exists():
                run.save(folder / run_file(run.name), {"digest": self.digest})
        header: dict[str, Any] = {k: getattr(self, k) for k in ("config", "name", "classes", "channels", "omics_names")}
        header |= {"digest": self.digest, "runs": [run.name for run in self.runs]}
        for table in ("scores", "gain"):
            header[table] = {m: {k: asdict(s) for k, s in row.items()} for m, row in getattr(self, table).items()}
        groups = {} if self.groups is None else {"groups": self.groups}
        np.savez(folder / "fusion.npz", y=self.y, **groups)  # type: ignore[arg-type]
        (folder / "fusion.json").write_text(json.dumps(header))

    @classmethod
    def load(cls, folder: Path) -> FusionResult:
        """Read what :meth:`save` wrote."""
        header = json.loads((folder / "fusion.json").read_text())
        with np.load(folder / "fusion.npz", allow_pickle=False) as f:
            arrays = dict(f)
        runs = tuple(FusionRun.load(folder / run_file(name))[0] for name in header.pop("runs"))
        tables: dict[str, Any] = {
            t: {m: {k: Score(**s) for k, s in row.items()} for m, row in header.pop(t).items()}
            for t in ("scores", "gain")
        }
        names: dict[str, Any] = {k: tuple(header.pop(k)) for k in ("classes", "channels", "omics_names")}
        return cls(**header, **names, **tables, runs=runs, y=arrays["y"], groups=arrays.get("groups"))


def summarise(cohort: PatientImages, runs: list[FusionRun], config: dict[str, Any], seed: int) -> FusionResult:
    """Scores of the runs, and what the first leads the others by."""
    table = cohort.table
    assert table.y is not None
    y, groups = table.y, table.groups
    probas = {run.name: run.proba for run in runs}
    leads = {m: lead_over_each(m, y, probas, runs[0].name, groups, seed=seed) for m in GAINS}
    return FusionResult(
        config=config,
        name=cohort.name,
        classes=table.classes,
        channels=cohort.channels,
        omics_names=table.omics_names,
        y=y,
        groups=groups,
        runs=tuple(runs),
        scores=score_table(y, probas, groups, METRICS, seed=seed),
        gain={run.name: {m: leads[m][run.name] for m in GAINS} for run in runs[1:]},
        digest=cohort.digest,
    )
