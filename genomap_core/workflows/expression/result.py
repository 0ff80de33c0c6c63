"""What a comparison of models from images to expression leaves: predictions, statistics of every gene, figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.images.expression import ExpressionCohort
from genomap_core.files import write_atomically
from genomap_core.layout.build import make_layout
from genomap_core.workflows.comparison.scores import Score, resample_patients
from genomap_core.workflows.comparison.store import read_run, write_run
from genomap_core.workflows.expression.correlations import centred, pearson_each
from genomap_core.workflows.expression.statistics import GeneStatistics, gene_statistics

_PLAIN = ("name", "parameters", "fit_seconds", "peak_mb")
_ARRAYS = ("truth", "cohort", "within", "fold_of_row", "cells")
_RESAMPLES = 200
RESULT = "expression.json"


@dataclass(frozen=True, eq=False)
class ExpressionRun:
    """One network, control or baseline over all folds."""

    name: str
    predicted: np.ndarray
    """``(n, g)`` float32, every row by a model that saw neither it nor its group"""
    parameters: int
    fit_seconds: float
    peak_mb: float

    def save(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write as one ``.npz``; ``about``: what the run was made of."""
        header = {k: getattr(self, k) for k in _PLAIN} | {"about": dict(about)}
        write_run(path, header, {"predicted": self.predicted})

    @classmethod
    def load(cls, path: Path) -> tuple[ExpressionRun, dict[str, Any]]:
        """Read what :meth:`save` wrote: the run, and what it was made of."""
        header, arrays = read_run(path)
        return cls(**{k: header[k] for k in _PLAIN}, predicted=arrays["predicted"]), header["about"]


def run_file(name: str) -> str:
    """File name of a run."""
    return f"expression-{name}.npz"


def fold_file(fold: int) -> str:
    """File name of the first run's network of one fold."""
    return f"fold-{fold}.safetensors"


@dataclass(frozen=True, eq=False)
class ExpressionResult:
    """All runs on the same folds.

    ``truth (n, g)``; ``cohort (n,)`` codes into ``cohort_names``; ``within (n,)`` codes of the patients that were
    exchanged for each other, of one test fold and cohort (and section); ``fold_of_row (n,)``; ``cells (g, 2)``, where
    each gene lies on the map of all patients' expression, and the map's ``grid``; ``n_units``: patients or groups,
    which intervals are over.
    """

    name: str
    unit: str
    genes: tuple[str, ...]
    sample_ids: tuple[str, ...]
    cohort_names: tuple[str, ...]
    config: dict[str, Any]
    digest: str
    truth: np.ndarray
    cohort: np.ndarray
    within: np.ndarray
    fold_of_row: np.ndarray
    cells: np.ndarray
    grid: tuple[int, int]
    n_units: int
    runs: tuple[ExpressionRun, ...]
    statistics: dict[str, dict[str, GeneStatistics]]
    """Cohort -> network -> every gene"""
    mean_r: dict[str, dict[str, Score]]
    """Cohort -> run -> mean over the genes of Pearson's r, with the interval of other patients (groups)"""
    lead: dict[str, dict[str, Score]]
    """Cohort -> run -> mean r of the first network minus its own, paired"""

    @property
    def champion(self) -> ExpressionRun:
        """The network whose predictions are looked at gene by gene."""
        return self.runs[0]

    def run(self, name: str) -> ExpressionRun:
        """One by its name."""
        return next(run for run in self.runs if run.name == name)

    @property
    def best_ridge(self) -> str:
        """The linear model that the networks are held against: the better one, which favours the linear models."""
        return _best_ridge(self.runs, self.truth, self.within)

    def save(self, folder: Path) -> None:
        """Write ``expression.json`` and ``expression-result.npz``, and each run that is not there yet."""
        for run in self.runs:
            if not (folder / run_file(run.name)).exists():
                run.save(folder / run_file(run.name), {"digest": self.digest})
        names = ("name", "unit", "genes", "sample_ids", "cohort_names", "config", "digest", "grid", "n_units")
        header: dict[str, Any] = {k: getattr(self, k) for k in names} | {"runs": [run.name for run in self.runs]}
        for table in ("mean_r", "lead"):
            header[table] = {c: {k: asdict(s) for k, s in row.items()} for c, row in getattr(self, table).items()}
        header["statistics"] = {c: list(row) for c, row in self.statistics.items()}
        arrays = {k: getattr(self, k) for k in _ARRAYS}
        for c, cohort in enumerate(self.statistics):
            for name, found in self.statistics[cohort].items():
                arrays |= {f"{c}/{name}/{f.name}": np.asarray(getattr(found, f.name)) for f in fields(found)}
        write_run(folder / "expression-result.npz", {}, arrays)
        write_atomically(folder / RESULT, json.dumps(header).encode())

    @classmethod
    def load(cls, folder: Path) -> ExpressionResult:
        """Read what :meth:`save` wrote."""
        header = json.loads((folder / RESULT).read_text())
        _, arrays = read_run(folder / "expression-result.npz")
        header["runs"] = tuple(ExpressionRun.load(folder / run_file(name))[0] for name in header["runs"])
        for table in ("mean_r", "lead"):
            header[table] = {c: {k: Score(**s) for k, s in row.items()} for c, row in header[table].items()}
        header["statistics"] = {
            cohort: {
                name: GeneStatistics(**{f.name: _plain(arrays[f"{c}/{name}/{f.name}"]) for f in fields(GeneStatistics)})
                for name in names
            }
            for c, (cohort, names) in enumerate(header["statistics"].items())
        }
        header |= {k: tuple(header[k]) for k in ("genes", "sample_ids", "cohort_names", "grid")}
        return cls(**header | {k: arrays[k] for k in _ARRAYS})


def _plain(array: np.ndarray) -> Any:
    return array.item() if array.ndim == 0 else array


def summarise(
    cohort: ExpressionCohort,
    fold_of_row: np.ndarray,
    runs: list[ExpressionRun],
    config: dict[str, Any],
    n_permutations: int,
) -> ExpressionResult:
    """Statistics of every gene, for each cohort by itself, and the mean r of each run with its interval.

    Correlations are of values less their mean in a test fold (and cohort, and section): where training patients are
    high, those left out are low, so that plainly pooled, even the training mean correlates with the truth, negatively.
    Permutations too stay within a fold, whose predictions are one model's.
    """
    truth, source = cohort.expression, cohort.source
    within = np.unique(np.stack([cohort.within, fold_of_row]), axis=1, return_inverse=True)[1].astype(np.int64)
    by_name = {run.name: run.predicted for run in runs}
    ridge = by_name[_best_ridge(tuple(runs), truth, within)]
    statistics: dict[str, dict[str, GeneStatistics]] = {}
    mean_r: dict[str, dict[str, Score]] = {}
    lead: dict[str, dict[str, Score]] = {}
    for code, name in enumerate(cohort.cohort_names):
        own = np.flatnonzero(cohort.cohort == code)
        places = None if source.places is None else source.places[own]
        statistics[name] = {
            head: gene_statistics(
                truth[own],
                by_name[head][own],
                by_name["random"][own],
                ridge[own],
                cohort=within[own],
                places=places,
                n_permutations=n_permutations,
            )
            for head in config["heads"]
        }
        groups = None if source.table.groups is None else source.table.groups[own]
        mean_r[name], lead[name] = _means(truth[own], {k: p[own] for k, p in by_name.items()}, within[own], groups)
    layout = make_layout(truth, feature_names=cohort.genes)
    return ExpressionResult(
        name=cohort.name,
        unit=cohort.unit,
        genes=cohort.genes,
        sample_ids=source.table.sample_ids,
        cohort_names=cohort.cohort_names,
        config=config,
        digest=cohort.digest,
        truth=truth,
        cohort=cohort.cohort,
        within=within,
        fold_of_row=fold_of_row,
        cells=layout.positions,
        grid=layout.shape,
        n_units=len(truth) if source.table.groups is None else len(np.unique(source.table.groups)),
        runs=tuple(runs),
        statistics=statistics,
        mean_r=mean_r,
        lead=lead,
    )


def _best_ridge(runs: tuple[ExpressionRun, ...], truth: np.ndarray, within: np.ndarray) -> str:
    found = {run.name: _mean_r(truth, run.predicted, within) for run in runs if run.name.startswith("ridge")}
    return max(found, key=found.__getitem__)


def _mean_r(truth: np.ndarray, predicted: np.ndarray, within: np.ndarray) -> float:
    return float(pearson_each(centred(truth, within), centred(predicted, within)).mean())


def _means(
    truth: np.ndarray, predicted: dict[str, np.ndarray], within: np.ndarray, groups: np.ndarray | None
) -> tuple[dict[str, Score], dict[str, Score]]:
    """Mean r of each run, and what the first leads it by; the same patients (groups) are drawn for all."""
    rows = resample_patients(within if groups is None else np.zeros(len(truth)), groups, _RESAMPLES, 0)
    everyone = np.arange(len(truth))
    drawn = {
        name: np.array([_mean_r(truth[r], p[r], within[r]) for r in (everyone, *rows)]) for name, p in predicted.items()
    }

    def score(values: np.ndarray) -> Score:
        low, high = np.percentile(values[1:], [2.5, 97.5])
        return Score(float(values[0]), float(low), float(high))

    first = next(iter(drawn.values()))
    return {k: score(v) for k, v in drawn.items()}, {k: score(first - v) for k, v in list(drawn.items())[1:]}
