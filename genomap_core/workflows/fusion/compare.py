"""Images + omics in one network against each alone, its controls and linear models, on the same folds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.images.networks import VARIANTS
from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import InputError
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.workflows.comparison.folds import make_folds
from genomap_core.workflows.comparison.resources import measure
from genomap_core.workflows.fusion.controls import BASELINES, CONTROLS, logistic_proba, parts_of, planned, title
from genomap_core.workflows.fusion.scores import FusionResult, FusionRun, fold_file, run_file, summarise
from genomap_core.workflows.fusion.verdict import verdict

if TYPE_CHECKING:
    from genomap_core.training.fusion import FusionClassifier, FusionConfig

__all__ = ["FusionCompareConfig", "FusionResult", "compare_fusion", "fusion_of", "verdict"]

_TRAINING = (
    *("backbone", "width", "hidden", "linear", "epochs", "batch_size", "learning_rate"),
    *("channel_dropout", "spread", "max_features", "n_seeds"),
)
_Tell = Callable[[int, Progress], None]
_OPTIONS = ("n_folds", "seed", *_TRAINING)


@dataclass(frozen=True, slots=True)
class FusionCompareConfig:
    """What is compared, and how. The training options are the same for every network."""

    variants: tuple[str, ...] = tuple(VARIANTS)
    """The first is held against the others. Without images: all omics types, and each alone."""
    controls: bool = True
    baselines: bool = True
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
    """Every variant, control and baseline on the same folds; a test patient and his group are never trained on.

    With the folder ``keep`` each run is written when it is done, and one that is there is not made again. So is the
    first run's network of every fold, and what each type of data did for the patients that it never saw.

    Raises
    ------
    InputError
        No labels, a class smaller than the number of folds, or ``keep`` holds runs of another cohort or options.
    """
    folds = make_folds(cohort.table, config.n_folds, config.seed)
    names = planned(cohort, config.variants, config.controls, config.baselines)
    about = json.loads(json.dumps({"digest": cohort.digest} | {k: getattr(config, k) for k in _OPTIONS}))
    runs = []
    for k, name in enumerate(names):

        def tell(fold: int, p: Progress, k: int = k, name: str = name) -> None:
            stage = f"{title(name)}, fold {fold + 1} of {len(folds)}. Trainings done"
            on_progress(Progress(stage, k * len(folds) + fold, len(names) * len(folds), p.values))

        path = None if keep is None else keep / run_file(name)
        if path is not None and path.is_file():
            run, made_of = FusionRun.load(path)
            if made_of != about:
                raise InputError(f"{path} holds a run on another cohort or options: choose another folder.")
        else:
            run = _Runner(cohort, config, folds, keep if k == 0 else None).run(name, tell)
            if path is not None:
                run.save(path, about)
        runs.append(run)
    on_progress(Progress("intervals", len(names) * len(folds), len(names) * len(folds)))
    return summarise(cohort, runs, json.loads(json.dumps(asdict(config))), config.seed)


@dataclass(frozen=True, eq=False)
class _Runner:
    """Runs on the folds of one cohort."""

    cohort: PatientImages
    config: FusionCompareConfig
    folds: list[tuple[np.ndarray, np.ndarray]]
    keep: Path | None
    """Where every fold's network is written, to explain the patients that it never saw; None: nowhere"""

    def run(self, name: str, tell: _Tell) -> FusionRun:
        n, n_classes = self.cohort.n_samples, len(self.cohort.table.classes)
        proba = np.full((n, n_classes), np.nan)
        types: dict[int, np.ndarray] = {}
        fold_of_row = np.zeros(n, np.int64)
        seconds = peak = 0.0
        parameters = 0
        for k, (train, test) in enumerate(self.folds):
            parts = parts_of(name, self.cohort, train, test, self.config.seed + k)
            fold_of_row[test] = k
            tell(k, Progress("fold", k, len(self.folds)))
            with measure() as meter:
                proba[test], parameters, model = self._answer(name, *parts, k, tell)
            seconds, peak = seconds + meter.seconds, max(peak, meter.peak_mb)
            if self.keep is not None and model is not None:
                types |= zip(test.tolist(), _explained(model, parts[1], self.keep / fold_file(k)), strict=True)
        explained = np.stack([types[i] for i in range(n)]) if types else None
        return FusionRun(name, proba, parameters, seconds, peak, fold_of_row, explained)

    def _answer(
        self, name: str, train: PatientImages, test: PatientImages, k: int, tell: _Tell
    ) -> tuple[np.ndarray, int, FusionClassifier | None]:
        """Probabilities of the test patients, how many numbers were learned, and the network if it is one."""
        if name in BASELINES:
            return *logistic_proba(name, train, test, self.config.max_features, self.config.seed + k), None
        from genomap_core.training.fusion import FusionClassifier

        training = fusion_of(self.config, name, k, bool(self.cohort.channels))
        model = FusionClassifier(training, lambda p: tell(k, p)).fit(train)
        return model.predict_proba(test), model.n_parameters, model


def _explained(model: FusionClassifier, test: PatientImages, path: Path) -> np.ndarray:
    """Write the network, and say what each type of data does for its test patients: ``(n_test, k, C)``."""
    from genomap_core.explain.fusion import type_values
    from genomap_core.training.fusion_bundle import save_fusion

    save_fusion(path, model, provenance={"cohort": test.name})
    return type_values(model, model.inputs(test))
