"""What a comparison of image networks leaves: the runs, their scores with intervals, the table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.images.labelled import LabelledImages
from genomap_core.workflows.comparison.scores import (
    Score,
    interval,
    paired_difference,
    resample_patients,
    score,
    score_table,
)
from genomap_core.workflows.comparison.store import read_run, write_run

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "brier")
ENSEMBLE = "ensemble"
"""Soft vote: the mean probability of the baselines, growth models left out."""
VISIBLE = 0.16
_TABLES = ("scores", "robustness", "few")


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """One network over all folds."""

    name: str
    share: float
    """Of the training images"""
    proba: np.ndarray
    """``(n, C)``, every row by a network that saw neither it nor its copies"""
    degraded: dict[str, np.ndarray]
    """Condition -> ``(n, C)`` on degraded test images; training as before"""
    dice: np.ndarray | None
    """``(n,)`` Dice of the 16 % contour against the mask; NaN without a mask"""
    parameters: int
    fit_seconds: float
    images_per_second: float
    peak_mb: float

    def save(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write as one ``.npz`` (no pickle); ``about``: what the run was made of."""
        header = {k: getattr(self, k) for k in _PLAIN} | {"degraded": list(self.degraded), "about": dict(about)}
        arrays: dict[str, Any] = {"proba": self.proba}
        arrays |= {f"degraded{k}": p for k, p in enumerate(self.degraded.values())}
        if self.dice is not None:
            arrays["dice"] = self.dice
        write_run(path, header, arrays)

    @classmethod
    def load(cls, path: Path) -> tuple[NetworkRun, dict[str, Any]]:
        """Read what :meth:`save` wrote: the run, and what it was made of."""
        header, arrays = read_run(path)
        degraded = {key: arrays[f"degraded{k}"] for k, key in enumerate(header["degraded"])}
        plain = {k: header[k] for k in _PLAIN}
        return cls(**plain, proba=arrays["proba"], degraded=degraded, dice=arrays.get("dice")), header["about"]


def run_file(name: str, share: float) -> str:
    """File name of a run."""
    return f"run-{name}-{share:g}.npz"


_PLAIN = ("name", "share", "parameters", "fit_seconds", "images_per_second", "peak_mb")


@dataclass(frozen=True, eq=False)
class GrowthResult:
    """All networks on the same folds."""

    config: dict[str, Any]
    classes: tuple[str, ...]
    y: np.ndarray
    groups: np.ndarray | None
    runs: tuple[NetworkRun, ...]
    scores: dict[str, dict[str, Score]]
    """Network -> metric -> score with interval; ``calibration`` is the expected calibration error"""
    lead: dict[str, Score]
    """Baseline -> macro F1 of PhysNet minus macro F1 of the baseline, paired by image group"""
    robustness: dict[str, dict[str, Score]]
    """Network -> condition -> macro F1"""
    few: dict[str, dict[str, Score]]
    """Network -> share of the training images -> macro F1"""
    dice: dict[str, Score]
    """Network -> mean Dice of the 16 % contour"""
    digest: str

    def save(self, folder: Path) -> None:
        """Write ``growth.json`` and ``growth.npz``, and each run that is not there yet."""
        header: dict[str, Any] = {
            "config": self.config,
            "classes": self.classes,
            "digest": self.digest,
            "runs": [run_file(r.name, r.share) for r in self.runs],
            "lead": {k: asdict(v) for k, v in self.lead.items()},
            "dice": {k: asdict(v) for k, v in self.dice.items()},
        }
        for name in _TABLES:
            header[name] = {m: {k: asdict(s) for k, s in row.items()} for m, row in getattr(self, name).items()}
        for run in self.runs:
            if not (folder / run_file(run.name, run.share)).exists():
                run.save(folder / run_file(run.name, run.share), {"digest": self.digest})
        groups: dict[str, Any] = {} if self.groups is None else {"groups": self.groups}
        np.savez(folder / "growth.npz", y=self.y, **groups)
        (folder / "growth.json").write_text(json.dumps(header))

    @classmethod
    def load(cls, folder: Path) -> GrowthResult:
        """Read what :meth:`save` wrote."""
        header = json.loads((folder / "growth.json").read_text())
        with np.load(folder / "growth.npz", allow_pickle=False) as f:
            arrays = dict(f)
        tables: dict[str, Any] = {
            name: {m: {k: Score(**s) for k, s in row.items()} for m, row in header[name].items()} for name in _TABLES
        }
        single: dict[str, Any] = {name: {k: Score(**s) for k, s in header[name].items()} for name in ("lead", "dice")}
        return cls(
            config=header["config"],
            classes=tuple(header["classes"]),
            y=arrays["y"],
            groups=arrays.get("groups"),
            runs=tuple(NetworkRun.load(folder / name)[0] for name in header["runs"]),
            digest=header["digest"],
            **tables,
            **single,
        )


def summarise(cohort: LabelledImages, runs: list[NetworkRun], config: Any) -> GrowthResult:
    """Scores, leads and robustness of the runs, the soft vote of the baselines added."""
    y, groups = cohort.y, cohort.groups
    first = config.shares[0]
    full = {r.name: r for r in runs if r.share == first}
    probas = {name: r.proba for name, r in full.items()}
    degraded = {name: dict(r.degraded) for name, r in full.items()}
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
    for run in runs:
        few.setdefault(run.name, {})[f"{run.share:.0%}"] = f1(run.proba)
    dice = {}
    for name, run in full.items():
        if run.dice is not None and np.isfinite(run.dice).any():
            values = run.dice
            dice[name] = interval(lambda i, v=values: float(np.nanmean(v[i])), rows, len(y))  # type: ignore[misc]
    return GrowthResult(
        config=asdict(config),
        classes=cohort.classes,
        y=y,
        groups=groups,
        runs=tuple(runs),
        scores=scores,
        lead=lead,
        robustness={name: {k: f1(p) for k, p in by.items()} for name, by in degraded.items() if by},
        few=few,
        dice=dice,
        digest=cohort.digest,
    )


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
