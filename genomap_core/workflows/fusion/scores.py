"""What a comparison of fusion networks leaves: the runs, their scores with intervals, and the fusion gain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from genomap_core.data.images.patients import PatientImages
from genomap_core.workflows.comparison.result import Comparison, Table, fold_codes, scores_of
from genomap_core.workflows.comparison.runner import Run, find_run, first_answer
from genomap_core.workflows.comparison.scores import (
    Score,
    interval,
    lead_over_each,
    resample_patients,
    score_table,
)
from genomap_core.workflows.fusion.adaptive import ADAPTIVE
from genomap_core.workflows.growth.scores import calibration_error

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "brier")
GAINS = ("balanced_accuracy", "roc_auc")


class FusionResult(Comparison):
    """All runs on the same folds. A run's ``types (n, k, C)``: the Shapley value of each type of data for the
    probability of each class, where it was explained."""

    kind: ClassVar[str] = "fusion"

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(self.facts["channels"])

    @property
    def omics_names(self) -> tuple[str, ...]:
        return tuple(self.facts["omics_names"])

    @property
    def gain(self) -> Table:
        """Run -> metric -> score of the first run minus its own, paired by patient (by group where groups exist)."""
        return self.tables["gain"]

    @property
    def champion(self) -> str:
        """The run that the others are held against: images and omics stacked, or all omics types."""
        return first_answer(self.runs).name

    @property
    def has_images(self) -> bool:
        return bool(self.channels)

    @property
    def types(self) -> tuple[str, ...]:
        """The types of data whose share in an answer is told: the image, where there is one, and each omics type."""
        return (*(("image",) if self.channels else ()), *self.omics_names)

    @property
    def explained(self) -> tuple[str, ...]:
        """The runs whose answers were explained: the first, and adaptive fusion where its parts were kept."""
        return tuple(run.name for run in self.runs if "types" in run.values)

    def type_values(self, name: str) -> np.ndarray:
        """What each type of data does in a run for each class in its own patients: ``(k, C)``, NaN for a class without
        any. Mean Shapley value for the class's probability."""
        values = self.run(name).values["types"]
        of_class = [values[self.y == c, :, c] for c in range(len(self.classes))]
        return np.stack([v.mean(0) if len(v) else np.full(len(self.types), np.nan) for v in of_class], axis=1)

    @property
    def ahead(self) -> dict[str, Score]:
        """Run -> balanced accuracy of adaptive fusion minus its own, paired; empty where it was not compared."""
        return {name: row["balanced_accuracy"] for name, row in self.tables.get("adaptive", {}).items()}

    @property
    def part_weights(self) -> tuple[tuple[str, ...], np.ndarray] | None:
        """The parts of adaptive fusion, and their weights by class ``(M, C)``, mean over the patients."""
        run = next((run for run in self.runs if "weights" in run.values), None)
        return None if run is None else (tuple(run.facts["parts"]), run.values["weights"].mean(axis=0))

    @classmethod
    def _from_earlier(cls, folder: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        runs = tuple(Run.load(find_run(folder, name, cls.kind))[0] for name in header["runs"])
        fold_of_row = runs[0].values.get("fold_of_row")
        if fold_of_row is not None:
            arrays["fold_of_row"] = fold_of_row
        return cls(
            **{key: header[key] for key in ("name", "digest", "config")},
            facts={key: header[key] for key in ("classes", "channels", "omics_names")},
            tables={table: scores_of(header[table]) for table in ("scores", "gain")},
            arrays=arrays,
            runs=runs,
        )


def summarise(
    cohort: PatientImages,
    runs: Sequence[Run],
    folds: list[tuple[np.ndarray, np.ndarray]],
    config: dict[str, Any],
    seed: int,
) -> FusionResult:
    """Scores of the runs that have an answer, and what the first leads the others by."""
    table = cohort.table
    assert table.y is not None
    probas = {run.name: run.proba for run in runs if run.proba is not None}
    first = first_answer(runs).name
    leads = {m: lead_over_each(m, table.y, probas, first, table.groups, seed=seed) for m in GAINS}
    scores = score_table(table.y, probas, table.groups, METRICS, seed=seed)
    rows = resample_patients(table.y, table.groups, 200, seed)
    for name, proba in probas.items():
        scores[name]["calibration"] = interval(partial(_calibration, table.y, proba), rows, len(table.y))
    tables = {"scores": scores, "gain": {name: {m: leads[m][name] for m in GAINS} for name in probas if name != first}}
    if ADAPTIVE in probas:
        found = lead_over_each(GAINS[0], table.y, probas, ADAPTIVE, table.groups, seed=seed)
        tables["adaptive"] = {name: {GAINS[0]: lead} for name, lead in found.items()}
    arrays = {"y": table.y, "fold_of_row": fold_codes(folds, cohort.n_samples)}
    return FusionResult(
        name=cohort.name,
        digest=cohort.digest,
        config=config,
        facts={
            "classes": list(table.classes),
            "channels": list(cohort.channels),
            "omics_names": list(table.omics_names),
        },
        arrays=arrays if table.groups is None else arrays | {"groups": table.groups},
        tables=tables,
        runs=tuple(runs),
    )


def _calibration(y: np.ndarray, proba: np.ndarray, rows: np.ndarray) -> float:
    return calibration_error(y[rows], proba[rows])
