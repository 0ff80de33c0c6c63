"""What a comparison of models from images to expression leaves: predictions, statistics of every gene, figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from genomap_core.data.images.expression import ExpressionCohort
from genomap_core.errors import InputError
from genomap_core.layout.build import make_layout
from genomap_core.store import load_arrays
from genomap_core.workflows.comparison.result import Comparison, Table, scores_of
from genomap_core.workflows.comparison.runner import DAMAGED, Run, find_run, first_answer
from genomap_core.workflows.comparison.scores import Score, resample_patients
from genomap_core.workflows.expression.statistics import (
    GeneStatistics,
    Refit,
    centred,
    gene_statistics,
    pearson_each,
    refitted_null,
)

_ARRAYS = ("truth", "cohort", "within", "fold_of_row", "cells")
_FACTS = ("unit", "genes", "sample_ids", "cohort_names", "grid", "n_units")
_RESAMPLES = 200


class ExpressionResult(Comparison):
    """All runs on the same folds. A run's ``predicted (n, g)`` float32; ``n_units``: patients or groups, which
    intervals are over."""

    kind: ClassVar[str] = "expression"

    @property
    def unit(self) -> str:
        return str(self.facts["unit"])

    @property
    def genes(self) -> tuple[str, ...]:
        return tuple(self.facts["genes"])

    @property
    def sample_ids(self) -> tuple[str, ...]:
        return tuple(self.facts["sample_ids"])

    @property
    def cohort_names(self) -> tuple[str, ...]:
        return tuple(self.facts["cohort_names"])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the map of all patients' expression; see :attr:`cells`."""
        height, width = self.facts["grid"]
        return int(height), int(width)

    @property
    def n_units(self) -> int:
        return int(self.facts["n_units"])

    @property
    def truth(self) -> np.ndarray:
        """``(n, g)``"""
        return self.arrays["truth"]

    @property
    def cohort(self) -> np.ndarray:
        """``(n,)`` codes into :attr:`cohort_names`."""
        return self.arrays["cohort"]

    @property
    def within(self) -> np.ndarray:
        """``(n,)`` codes of the patients exchanged for each other: of one test fold and cohort (and section)."""
        return self.arrays["within"]

    @property
    def cells(self) -> np.ndarray:
        """``(g, 2)`` where each gene lies on the map."""
        return self.arrays["cells"]

    @property
    def mean_r(self) -> Table:
        """Cohort -> run -> mean over the genes of Pearson's r, with the interval of other patients (groups)."""
        return self.tables["mean_r"]

    @property
    def lead(self) -> Table:
        """Cohort -> run -> mean r of the first network minus its own, paired."""
        return self.tables["lead"]

    @cached_property
    def statistics(self) -> dict[str, dict[str, GeneStatistics]]:
        """Cohort -> network, and the better linear model -> every gene."""
        return {
            cohort: {
                name: GeneStatistics(**{f: _plain(self.arrays[f"{c}/{name}/{f}"]) for f in _STATISTICS})
                for name in names
            }
            for c, (cohort, names) in enumerate(self.facts["statistics"].items())
        }

    @property
    def champion(self) -> Run:
        """The network whose predictions are looked at gene by gene."""
        return first_answer(self.runs)

    @cached_property
    def best_ridge(self) -> str:
        """The linear model that the networks are held against: the better one, which favours the linear models."""
        return _best_ridge(self.runs, self.truth, self.within)

    @classmethod
    def _load_earlier(cls, folder: Path) -> Self:
        header = json.loads((folder / "expression.json").read_text())
        _, arrays = load_arrays(folder / "expression-result.npz", DAMAGED)
        return cls(
            **{key: header[key] for key in ("name", "digest", "config")},
            facts={key: header[key] for key in (*_FACTS, "statistics")},
            tables={table: scores_of(header[table]) for table in ("mean_r", "lead")},
            arrays=arrays,
            runs=tuple(Run.load(find_run(folder, name, cls.kind))[0] for name in header["runs"]),
        )


_STATISTICS = tuple(f.name for f in fields(GeneStatistics))


def _plain(array: np.ndarray) -> Any:
    return array.item() if array.ndim == 0 else array


def summarise(
    cohort: ExpressionCohort,
    fold_of_row: np.ndarray,
    runs: Sequence[Run],
    config: dict[str, Any],
    linear_refits: Mapping[str, Callable[[], Refit]],
) -> ExpressionResult:
    """Statistics of every gene, for each cohort by itself, and the mean r of each run with its interval.

    Correlations are of values less their mean in a test fold (and cohort, and section): where training patients are
    high, those left out are low, so that plainly pooled, even the training mean correlates with the truth, negatively.
    ``linear_refits``: run -> makes the linear model of that name, see :func:`refitted_null`.
    """
    truth, source = cohort.expression, cohort.source
    within = np.unique(np.stack([cohort.within, fold_of_row]), axis=1, return_inverse=True)[1].astype(np.int64)
    by_name = {run.name: run.predicted for run in runs if run.status == "ok"}
    heads = [head for head in config["heads"] if head in by_name]
    needed = {"trained network": heads, "untrained network": by_name.keys() & {"random"}, "linear model": _linear(runs)}
    for kind, there in needed.items():
        if not there:
            raise InputError(f"The statistics of every gene need a {kind}, and none has an answer: {_failures(runs)}")
    best = _best_ridge(runs, truth, within)
    nulls = _nulls(cohort, within, [*heads, best], {run.name: run for run in runs}, config, linear_refits)
    statistics: dict[str, dict[str, GeneStatistics]] = {}
    mean_r: dict[str, dict[str, Score]] = {}
    lead: dict[str, dict[str, Score]] = {}
    for code, name in enumerate(cohort.cohort_names):
        own = np.flatnonzero(cohort.cohort == code)
        statistics[name] = {
            model: gene_statistics(
                truth[own],
                by_name[model][own],
                by_name["random"][own],
                by_name[best][own],
                null=nulls[model][code],
                cohort=within[own],
            )
            for model in nulls
        }
        groups = None if source.table.groups is None else source.table.groups[own]
        mean_r[name], lead[name] = _means(truth[own], {k: p[own] for k, p in by_name.items()}, within[own], groups)
    layout = make_layout(truth, feature_names=cohort.genes)
    arrays = {
        "truth": truth,
        "cohort": cohort.cohort,
        "within": within,
        "fold_of_row": fold_of_row,
        "cells": layout.positions,
    }
    for c, by_head in enumerate(statistics.values()):
        for head, found in by_head.items():
            arrays |= {f"{c}/{head}/{f}": np.asarray(getattr(found, f)) for f in _STATISTICS}
    return ExpressionResult(
        name=cohort.name,
        digest=cohort.digest,
        config=config,
        facts={
            "unit": cohort.unit,
            "genes": list(cohort.genes),
            "sample_ids": list(source.table.sample_ids),
            "cohort_names": list(cohort.cohort_names),
            "grid": list(layout.shape),
            "n_units": len(truth) if source.table.groups is None else len(np.unique(source.table.groups)),
            "statistics": {name: list(by_head) for name, by_head in statistics.items()},
        },
        arrays=arrays,
        tables={"mean_r": mean_r, "lead": lead},
        runs=tuple(runs),
    )


def _nulls(
    cohort: ExpressionCohort,
    within: np.ndarray,
    models: Sequence[str],
    runs: Mapping[str, Run],
    config: dict[str, Any],
    linear_refits: Mapping[str, Callable[[], Refit]],
) -> dict[str, np.ndarray]:
    """Model -> what chance gives it, ``(cohorts, b, g)``: the linear model refitted, a network with its head refitted.

    A network whose head was not kept is held against the first one whose head was, and without any against the linear
    model's chance.
    """
    refits: dict[str, Refit] = {}
    for model in models:
        if model in linear_refits:
            refits[model] = linear_refits[model]()
        elif "head" in runs[model].values:
            refits[model] = partial(np.matmul, runs[model].values["head"])
    stand_in = next((model for model in models if model in refits), models[-1])
    found = {}
    for model in refits:
        codes = (cohort.cohort, within, cohort.within)
        found[model] = refitted_null(
            cohort.expression, refits[model], *codes, config["n_permutations"], config["seed"], cohort.source.places
        )
    return {model: found.get(model, found[stand_in]) for model in models}


def _linear(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.name.startswith("ridge") and run.status == "ok"]


def _failures(runs: Sequence[Run]) -> str:
    return "; ".join(f"{run.label}: {run.message}" for run in runs if run.status != "ok")


def _best_ridge(runs: Sequence[Run], truth: np.ndarray, within: np.ndarray) -> str:
    found = {run.name: _mean_r(truth, run.predicted, within) for run in _linear(runs)}
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
