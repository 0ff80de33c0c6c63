"""Images + omics in one network against each alone, its controls and linear models, on the same folds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.images.networks import VARIANTS
from genomap_core.data.images.patients import PatientImages
from genomap_core.progress import OnProgress, ignore
from genomap_core.workflows.comparison.folds import make_folds
from genomap_core.workflows.comparison.runner import Answer, Clock, Entry, Fold, fold_file, run_entries
from genomap_core.workflows.fusion.controls import BASELINES, CONTROLS, logistic_proba, parts_of, planned, title
from genomap_core.workflows.fusion.scores import FusionResult, summarise
from genomap_core.workflows.fusion.words import verdict

if TYPE_CHECKING:
    from genomap_core.training.fusion import FusionClassifier, FusionConfig

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
    """Every variant, control and baseline on the same folds; a test patient and all of the same group are never
    trained on.

    With the folder ``keep`` each run is written when it is done, and taken again; see
    :func:`~genomap_core.workflows.comparison.runner.run_entries`. So is the first run's network of every fold, and what
    each type of data did for the patients that it never saw.

    Raises
    ------
    InputError
        No labels, a class smaller than the number of folds, ``keep`` holds runs of another cohort, or no run has an
        answer.
    """
    folds = make_folds(cohort.table, config.n_folds, config.seed)
    names = planned(cohort, config.variants, config.controls, config.baselines)
    entries = [_entry(name, cohort, config, keep if k == 0 else None) for k, name in enumerate(names)]
    about = {"digest": cohort.digest, "n_folds": config.n_folds, "seed": config.seed}
    runs = run_entries(entries, folds, about, keep, on_progress, "fusion")
    return summarise(cohort, runs, folds, json.loads(json.dumps(asdict(config))), config.seed)


def _entry(name: str, cohort: PatientImages, config: FusionCompareConfig, keep: Path | None) -> Entry:
    """One run; ``keep``: where every fold's network is written, to explain the patients that it never saw."""
    linear = name in BASELINES

    def fit_predict(fold: Fold, clock: Clock, on_progress: OnProgress) -> Answer:
        seed = config.seed + fold.index
        train, test = parts_of(name, cohort, fold.train, fold.test, seed)
        if linear:
            with clock.training():
                proba, parameters = logistic_proba(name, train, test, config.max_features, seed)
            return Answer({"proba": proba}, {"parameters": parameters})
        from genomap_core.training.fusion import FusionClassifier

        with clock.training():
            model = FusionClassifier(fusion_of(config, name, fold.index, bool(cohort.channels)), on_progress).fit(train)
        with clock.predicting():
            values = {"proba": model.predict_proba(test)}
        if keep is not None:
            values["types"] = _explained(model, test, keep / fold_file(fold.index))
        return Answer(values, {"parameters": model.n_parameters})

    options = {"max_features": config.max_features} if linear else asdict(fusion_of(config, name)) | {"device": ""}
    return Entry(name, title(name), fit_predict, options)


def _explained(model: FusionClassifier, test: PatientImages, path: Path) -> np.ndarray:
    """Write the network, and say what each type of data does for its test patients: ``(n_test, k, C)``."""
    from genomap_core.explain.fusion import type_values
    from genomap_core.training.fusion_bundle import save_fusion

    save_fusion(path, model, provenance={"cohort": test.name})
    return type_values(model, model.inputs(test))
