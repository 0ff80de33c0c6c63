"""What a comparison of image networks leaves: the runs, their scores with intervals, the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from genomap_core.data.images.labelled import LabelledImages
from genomap_core.workflows.comparison.result import Comparison, Table, fold_codes, scores_of
from genomap_core.workflows.comparison.runner import Run, first_answer
from genomap_core.workflows.comparison.scores import (
    Score,
    interval,
    paired_difference,
    resample_patients,
    score,
    score_table,
)

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "brier")
ENSEMBLE = "ensemble"
"""Soft vote: the mean probability of the baselines, growth models left out."""
VISIBLE = 0.16


class GrowthResult(Comparison):
    """All networks on the same folds.

    A run's ``proba (n, C)``: every row by a network that saw neither it nor its copies; ``degraded/CONDITION (n, C)``:
    on degraded test images, training as before; ``dice (n,)``: of the 16 % contour against the mask, NaN without one.
    """

    kind: ClassVar[str] = "growth"

    @property
    def lead(self) -> dict[str, Score]:
        """Baseline -> macro F1 of PhysNet minus macro F1 of the baseline, paired by image group."""
        return self.tables["single"].get("lead", {})

    @property
    def dice(self) -> dict[str, Score]:
        """Network -> mean Dice of the 16 % contour."""
        return self.tables["single"].get("dice", {})

    @property
    def robustness(self) -> Table:
        """Network -> condition -> macro F1."""
        return self.tables["robustness"]

    @property
    def few(self) -> Table:
        """Network -> share of the training images -> macro F1."""
        return self.tables["few"]

    @classmethod
    def _from_earlier(cls, folder: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        tables = {name: scores_of(header[name]) for name in ("scores", "robustness", "few")}
        tables["single"] = scores_of({name: header[name] for name in ("lead", "dice")})
        runs = []
        for file in header["runs"]:
            run = Run.load(folder / file)[0]
            facts = run.facts | {"network": run.name}
            seconds = len(run.values["proba"]) / run.facts["images_per_second"]
            name = run_name(run.name, run.facts["share"])
            runs.append(replace(run, name=name, facts=facts, predict_seconds=seconds))
        return cls(
            digest=header["digest"],
            config=header["config"],
            facts={"classes": header["classes"]},
            arrays=arrays,
            tables=tables,
            runs=tuple(runs),
        )


def run_name(network: str, share: float) -> str:
    """Name of the run of a network trained on a share of the images."""
    return f"{network}-{share:g}"


def summarise(
    cohort: LabelledImages, runs: Sequence[Run], folds: list[tuple[np.ndarray, np.ndarray]], config: Any
) -> GrowthResult:
    """Scores, leads and robustness of the runs that have an answer, the soft vote of the baselines added."""
    y, groups = cohort.y, cohort.groups
    first = first_answer(runs).facts["share"]
    answered = [run for run in runs if run.status == "ok"]
    full = {run.facts["network"]: run for run in answered if run.facts["share"] == first}
    probas = {name: run.values["proba"] for name, run in full.items()}
    degraded = {name: _degraded(run) for name, run in full.items()}
    voters = [name for name in probas if not name.startswith("physnet") and not name.endswith("_matched")]
    if len(voters) > 1:
        probas[ENSEMBLE] = np.mean([probas[v] for v in voters], axis=0)
        degraded[ENSEMBLE] = {k: np.mean([degraded[v][k] for v in voters], axis=0) for k in degraded[voters[0]]}
    rows = resample_patients(y, groups, 500, config.seed)

    def f1(p: np.ndarray) -> Score:
        return interval(lambda i: score("macro_f1", y[i], p[i]), rows, len(y))

    scores = score_table(y, probas, groups, METRICS, seed=config.seed)
    for name, p in probas.items():
        scores[name]["calibration"] = interval(lambda i, p=p: calibration_error(y[i], p[i]), rows, len(y))  # type: ignore[misc]
    lead = {}
    champion = next((name for name in probas if name.startswith("physnet")), None)
    if champion is not None:
        for name in probas:
            if name != champion:
                lead[name] = paired_difference("macro_f1", y, probas[champion], probas[name], groups, seed=config.seed)
    few: dict[str, dict[str, Score]] = {}
    for run in answered:
        few.setdefault(run.facts["network"], {})[f"{run.facts['share']:.0%}"] = f1(run.values["proba"])
    dice = {}
    for name, run in full.items():
        values = run.values.get("dice")
        if values is not None and np.isfinite(values).any():
            dice[name] = interval(lambda i, v=values: float(np.nanmean(v[i])), rows, len(y))  # type: ignore[misc]
    arrays = {"y": y, "fold_of_row": fold_codes(folds, len(y))}
    return GrowthResult(
        name=cohort.name,
        digest=cohort.digest,
        config=json.loads(json.dumps(asdict(config))),
        facts={"classes": list(cohort.classes)},
        arrays=arrays if groups is None else arrays | {"groups": groups},
        tables={
            "scores": scores,
            "robustness": {name: {k: f1(p) for k, p in by.items()} for name, by in degraded.items() if by},
            "few": few,
            "single": {"lead": lead, "dice": dice},
        },
        runs=tuple(runs),
    )


def _degraded(run: Run) -> dict[str, np.ndarray]:
    """Condition -> probabilities on degraded images."""
    prefix = "degraded/"
    return {name.removeprefix(prefix): value for name, value in run.values.items() if name.startswith(prefix)}


def calibration_error(y: np.ndarray, proba: np.ndarray, n_bins: int = 10) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over bins of confidence (Guo, 2017)."""
    confidence, right = proba.max(1), proba.argmax(1) == y
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = [(bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean()) for b in np.unique(bins)]
    return float(sum(gaps))


def mask_dice(density: np.ndarray, masks: np.ndarray, level: float = VISIBLE) -> np.ndarray:
    """Dice of ``density >= level`` ``(n, h, w)``, resampled, against masks ``(n, s, s)``: ``(n,)``; NaN without one."""
    from scipy import ndimage

    out = np.full(len(masks), np.nan)
    for i, (u, mask) in enumerate(zip(density, masks)):
        if np.isfinite(mask).all():
            zoom = [a / b for a, b in zip(mask.shape, u.shape)]
            inside = ndimage.zoom(u, zoom, order=1, grid_mode=True, mode="nearest") >= level
            truth = mask >= 0.5
            total = inside.sum() + truth.sum()
            out[i] = 1.0 if total == 0 else 2 * (inside & truth).sum() / total
    return out
