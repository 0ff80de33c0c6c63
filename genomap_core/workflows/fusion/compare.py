"""Images + omics in one network against each alone, its controls and linear models, on the same folds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.data.images.networks import VARIANTS
from genomap_core.data.images.patients import PatientImages
from genomap_core.progress import OnProgress, ignore
from genomap_core.workflows.comparison.folds import make_folds
from genomap_core.workflows.comparison.result import fold_codes
from genomap_core.workflows.comparison.runner import Answer, Clock, Entry, Fold, Run, run_entries
from genomap_core.workflows.fusion.adaptive import ADAPTIVE, Pool, inner_answers, pooled_answers
from genomap_core.workflows.fusion.adaptive_model import load_adaptive, part_files
from genomap_core.workflows.fusion.controls import (
    ARTEFACTS,
    BASELINES,
    CONTROLS,
    parts_of,
    planned,
    pooled,
    title,
)
from genomap_core.workflows.fusion.linear import logistic_proba
from genomap_core.workflows.fusion.scores import FusionResult, summarise
from genomap_core.workflows.fusion.words import verdict

if TYPE_CHECKING:
    from genomap_core.training.fusion import FusionConfig

__all__ = ["FusionCompareConfig", "FusionResult", "compare_fusion", "fusion_of", "verdict"]

_TRAINING = (
    *("backbone", "width", "hidden", "linear", "epochs", "batch_size", "learning_rate"),
    *("channel_dropout", "spread", "max_features", "n_seeds"),
)


@dataclass(frozen=True, slots=True)
class FusionCompareConfig:
    """What is compared, and how. The training options are the same for every network."""

    variants: tuple[str, ...] = tuple(VARIANTS)
    """The first is held against the others. Without images: all omics types, and each alone."""
    controls: bool = True
    baselines: bool = True
    adaptive: bool = True
    """The runs combined by weights learned on inner folds; takes three folds and more trainings"""
    n_folds: int = 5
    seed: int = 0
    backbone: str = "small"
    width: int = 16
    hidden: int = 64
    linear: bool = True
    epochs: int = 40
    batch_size: int = 16
    learning_rate: float = 2e-3
    channel_dropout: float = 0.4
    spread: str = "block"
    max_features: int = 1024
    n_seeds: int = 1
    device: str = "auto"


QUICK = FusionCompareConfig(
    variants=("stacked", "image", "omics"), controls=False, adaptive=False, n_folds=2, epochs=15
)
"""A first look: images, omics and both, beside the linear models. Without controls no gain is claimed."""

_START, _EPOCH, _LINEAR = 6.0, 1.4e-3, 6e-3
"""Processor seconds: of a worker's start; of 64 x 64 pixels in one epoch of the small network; of a linear model's row.
"""


def expected_seconds(cohort: PatientImages, config: FusionCompareConfig) -> float | None:
    """Of a comparison on two quiet cores, right within a factor of about 3; None for networks that need a GPU."""
    if config.backbone != "small":
        return None
    names = planned(cohort, config.variants, config.controls, config.baselines)
    k, n = config.n_folds, cohort.n_samples
    pixels = cohort.images.shape[2] * cohort.images.shape[3] if cohort.channels else cohort.table.n_features
    epoch = _EPOCH * pixels / 4096 * config.epochs * config.n_seeds

    def seconds(name: str, rows: float) -> float:
        return rows * (_LINEAR if name in BASELINES else epoch)

    total = _START + sum(seconds(name, n * (k - 1)) for name in names)
    if config.adaptive and k > 2:
        total += sum(seconds(name, n * (k - 1) * (k - 2) / 2) for name in pooled(names))
    return total


def fusion_of(config: FusionCompareConfig, name: str, fold: int = 0, images: bool = True) -> FusionConfig:
    """The training options of one run, on a cohort with or without images."""
    from genomap_core.training.fusion import FusionConfig

    variant = config.variants[0] if name in CONTROLS and images else name
    return FusionConfig(
        variant=variant if variant in VARIANTS else "omics",
        solver="random" if name == "shuffled_layout" else "ot",
        seed=config.seed + fold,
        device=config.device,
        **{option: getattr(config, option) for option in _TRAINING},
    )


def compare_fusion(
    cohort: PatientImages,
    config: FusionCompareConfig = FusionCompareConfig(),
    on_progress: OnProgress = ignore,
    keep: Path | None = None,
) -> FusionResult:
    """Every variant, control and baseline on the same folds; a test patient and all of the same group are never
    trained on.

    With the folder ``keep`` each run is written when it is done, and taken again; see
    :func:`~genomap_core.workflows.comparison.runner.run_entries`. So is the first run's network of every fold, with the
    other parts of adaptive fusion and the control for artefacts, and what each type of data did for the patients that
    they never saw.

    Raises
    ------
    InputError
        No labels, a class smaller than the number of folds, ``keep`` holds runs of another cohort, or no run has an
        answer.
    """
    folds = make_folds(cohort.table, config.n_folds, config.seed)
    names = planned(cohort, config.variants, config.controls, config.baselines)
    adaptive = pooled(names) if config.adaptive and config.n_folds > 2 else ()
    kept = {name: keep for name in (names[0], *adaptive, ARTEFACTS) if name in names}
    entries = [_entry(name, cohort, config, kept.get(name), first=k == 0) for k, name in enumerate(names)]
    about = {"digest": cohort.digest, "n_folds": config.n_folds, "seed": config.seed}
    runs = run_entries(entries, folds, about, keep, on_progress, "fusion")
    given = {run.name: run.proba for run in runs if run.name in adaptive and run.proba is not None}
    if len(given) > 1:
        runs += _adaptive(cohort, config, given, folds, about, keep, on_progress)
    return summarise(cohort, runs, folds, json.loads(json.dumps(asdict(config))), config.seed)


def _adaptive(
    cohort: PatientImages,
    config: FusionCompareConfig,
    given: Mapping[str, np.ndarray],
    folds: list[tuple[np.ndarray, np.ndarray]],
    about: Mapping[str, Any],
    keep: Path | None,
    on_progress: OnProgress,
) -> tuple[Run, ...]:
    """Adaptive fusion of the runs whose out-of-fold answers are ``given``; none where fewer than two parts answer."""
    tests, y = [test for _, test in folds], np.asarray(cohort.table.y)
    entries = [
        Entry(
            f"inner-{name}",
            f"{title(name)}, for the weights",
            inner_answers(partial(_ask, name, cohort, config), tests, len(cohort.table.classes)),
            _options(name, config) | {"inner": True},
        )
        for name in given
    ]
    inner = run_entries(entries, folds, about, keep, on_progress, "fusion")
    good = [run for run in inner if run.status == "ok"]
    parts = [run.name.removeprefix("inner-") for run in good]
    if len(parts) < 2:
        return ()
    answer = pooled_answers(
        {name: run.values["inner"] for name, run in zip(parts, good, strict=True)},
        given,
        y,
        fold_codes(folds, cohort.n_samples),
        sum(run.fit_seconds for run in good),
        None if keep is None else _explainer(keep, parts, cohort, config),
    )
    options = {"parts": {name: _options(name, config) for name in parts}}
    return run_entries([Entry(ADAPTIVE, title(ADAPTIVE), answer, options)], folds, about, keep, on_progress, "fusion")


def _explainer(
    keep: Path, parts: Sequence[str], cohort: PatientImages, config: FusionCompareConfig
) -> Callable[[Fold, Pool], np.ndarray] | None:
    """What each type of data does in adaptive fusion for the patients of a fold; None where a part's model is not
    kept."""
    first = planned(cohort, config.variants, False, False)[0]
    if not all(p.is_file() for k in range(config.n_folds) for p in part_files(keep, parts, k, first).values()):
        return None

    def explain(fold: Fold, pool: Pool) -> np.ndarray:
        from genomap_core.explain.fusion import type_values

        model = load_adaptive(keep, parts, fold.index, first, pool)
        return type_values(model, model.first.inputs(cohort.take(fold.test)))

    return explain


def _ask(
    name: str,
    cohort: PatientImages,
    config: FusionCompareConfig,
    train_rows: np.ndarray,
    test_rows: np.ndarray,
    seed: int,
    clock: Clock,
    on_progress: OnProgress,
) -> np.ndarray:
    """One run's answers for rows of an inner fold."""
    train, test = parts_of(name, cohort, train_rows, test_rows, config.seed + seed)
    if name in BASELINES:
        with clock.training():
            return logistic_proba(name, train, test, config.max_features, config.seed + seed)[0]
    from genomap_core.training.fusion import FusionClassifier

    with clock.training():
        model = FusionClassifier(fusion_of(config, name, seed, bool(cohort.channels)), on_progress).fit(train)
    with clock.predicting():
        return model.predict_proba(test)


def _options(name: str, config: FusionCompareConfig) -> dict[str, Any]:
    """What the answers of a run depend on beside the folds."""
    if name in BASELINES:
        return {"max_features": config.max_features}
    return asdict(fusion_of(config, name)) | {"device": ""}


def _entry(name: str, cohort: PatientImages, config: FusionCompareConfig, keep: Path | None, first: bool) -> Entry:
    """One run; ``keep``: where every fold's model is written, to explain the patients that it never saw."""

    def fit_predict(fold: Fold, clock: Clock, on_progress: OnProgress) -> Answer:
        seed = config.seed + fold.index
        train, test = parts_of(name, cohort, fold.train, fold.test, seed)
        path = None if keep is None else part_files(keep, [name], fold.index, name if first else "")[name]
        if name in BASELINES:
            with clock.training():
                proba, parameters = logistic_proba(name, train, test, config.max_features, seed, path)
            return Answer({"proba": proba}, {"parameters": parameters})
        from genomap_core.explain.background import fusion_background
        from genomap_core.explain.fusion import type_values
        from genomap_core.training.fusion import FusionClassifier
        from genomap_core.training.fusion_bundle import save_fusion

        with clock.training():
            model = FusionClassifier(fusion_of(config, name, fold.index, bool(cohort.channels)), on_progress).fit(train)
        with clock.predicting():
            values = {"proba": model.predict_proba(test)}
        if path is not None:
            save_fusion(path, model, provenance={"cohort": test.name}, half=not first)
        if path is not None and first:
            values["types"] = type_values(model, model.inputs(test))
        if path is not None and (first or name == ARTEFACTS) and cohort.channels:
            values["background"] = fusion_background(model.modules_, model.inputs(test))
        return Answer(values, {"parameters": model.n_parameters})

    return Entry(name, title(name), fit_predict, _options(name, config))
