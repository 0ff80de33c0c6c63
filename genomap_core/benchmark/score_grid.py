"""The comparable scores of one condition: data set x run x model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.benchmark import statistics as st
from genomap_core.benchmark.reading import StudyRecords
from genomap_core.benchmark.records import LOWER_IS_BETTER, METRICS
from genomap_core.errors import InputError


@dataclass(frozen=True, eq=False)
class Cells:
    """Scores of one condition: the runs that every model has a record of, so that all are compared on the same folds.

    Parameters
    ----------
    sets, models
        N and k names.
    values
        Data set -> ``(J, k)``: a row a fold and seed, NaN where a run failed.
    test_share
        Data set -> n_test / n_train.
    """

    sets: tuple[str, ...]
    models: tuple[str, ...]
    values: dict[str, np.ndarray]
    test_share: dict[str, float]

    def means(self) -> np.ndarray:
        """``(N, k)`` mean scores; NaN for a model with a failed run on that set.

        Rounded to 6 decimals, so that equal scores tie: stored records are 32-bit floats.
        """
        found = np.array([self.values[s].mean(0) for s in self.sets]).reshape(len(self.sets), len(self.models))
        return found.round(6)

    @property
    def n_runs(self) -> int:
        """Of each model."""
        return sum(len(rows) for rows in self.values.values())

    def interval(self, dataset: str, model: str) -> st.Interval:
        """Mean score of a model on a set, with its corrected resampled t interval."""
        return st.corrected_interval(self.values[dataset][:, self.models.index(model)], self.test_share[dataset])


def signed(metric: str) -> float:
    """1, or -1 for a metric of which less is better."""
    if metric not in METRICS:
        raise InputError(f"Unknown metric {metric!r}: choose one of {', '.join(METRICS)}.")
    return -1.0 if metric in LOWER_IS_BETTER else 1.0


def cells(study: StudyRecords, condition: str, metric: str) -> Cells:
    """The comparable scores of one condition."""
    signed(metric)
    table = study.table[study.table["condition"] == condition]
    if table.empty:
        raise InputError(
            f"No run of condition {condition!r}: there is {', '.join(sorted(set(study.table.condition)))}."
        )
    models = tuple(m for m in dict.fromkeys(_order(study)) if (table["model"] == m).any())
    places = ["dataset", "seed", "fold"]
    recorded = table.pivot(index=places, columns="model", values="status").reindex(columns=models)
    scores = table.pivot(index=places, columns="model", values=metric).reindex(columns=models)
    common = scores[recorded.notna().all(axis=1)]
    sizes = table[["dataset", "n_test", "n_train"]].dropna()
    ratios = (sizes["n_test"].astype(float) / sizes["n_train"].astype(float)).groupby(sizes["dataset"]).mean()
    values = {str(name): part.to_numpy(np.float64) for name, part in common.groupby(level="dataset", sort=True)}
    share = {name: float(ratios.get(name, 0.25)) for name in values}
    return Cells(tuple(values), models, values, share)


def _order(study: StudyRecords) -> list[str]:
    return [*study.header.get("models", []), *sorted(set(study.table["model"]))]
