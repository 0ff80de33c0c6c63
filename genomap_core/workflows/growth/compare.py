"""PhysNet and the image networks beside it on the same folds: scores with intervals, robustness, density, cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.images.degrade import CONDITIONS, degrade
from genomap_core.data.images.labelled import LabelledImages
from genomap_core.errors import InputError
from genomap_core.progress import OnProgress, ignore
from genomap_core.workflows.comparison.runner import Answer, Clock, Entry, Fold, run_entries
from genomap_core.workflows.growth.scores import GrowthResult, mask_dice, run_name, summarise

if TYPE_CHECKING:
    from genomap_core.training.growth import GrowthClassifier, GrowthTraining, Knowledge

BASELINES = ("resnet18", "resnet18_matched", "mobilenet_v2", "vgg16", "vgg19")


@dataclass(frozen=True, slots=True)
class GrowthCompareConfig:
    """What is compared, and how. The training options are the same for every network."""

    networks: tuple[str, ...] = ("physnet18", *BASELINES)
    n_folds: int = 5
    seed: int = 0
    width: int = 32
    """Channels of the first stage; 64 as published. VGG takes half as many."""
    stem_stride: int = 4
    stage: int = 2
    upscale: int = 2
    n_steps: int = 10
    fields: str = "scalar"
    max_epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 2e-3
    shares: tuple[float, ...] = (1.0,)
    """Shares of each fold's training images; scores are given for each, everything else for the first."""
    robustness: bool = True
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.networks:
            raise InputError("Choose at least one network.")
        if not self.shares or not all(0 < s <= 1 for s in self.shares):
            raise InputError(f"`shares` must lie in (0, 1], got {self.shares}.")


def training_of(config: GrowthCompareConfig, network: str) -> GrowthTraining:
    """The training options of one network."""
    from genomap_core.models.physnet import PhysicsConfig
    from genomap_core.training.growth import GrowthTraining

    return GrowthTraining(
        network=network,
        width=max(4, config.width // 2) if network.startswith("vgg") else config.width,
        stem_stride=2 if "lite" in network else config.stem_stride,
        physics=PhysicsConfig(n_steps=config.n_steps, stage=config.stage, upscale=config.upscale, fields=config.fields),
        max_epochs=config.max_epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=config.seed,
        device=config.device,
    )


def knowledge_of(cohort: LabelledImages, training: GrowthTraining) -> Knowledge:
    """What the cohort knows besides its classes, in cells of the growth model."""
    from genomap_core.training.growth import Knowledge

    log_ratio = None
    if cohort.lengths is not None:
        stride = training.stem_stride * 2 ** (training.physics.stage - 1)
        log_ratio = 2 * np.log(cohort.lengths * training.physics.upscale / stride)
    return Knowledge(masks=cohort.masks, tumour=cohort.tumour, log_ratio=log_ratio)


def image_folds(cohort: LabelledImages, n_folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows, stratified by class; groups (copies, patients) stay whole.

    Raises
    ------
    InputError
        When a class has fewer groups than folds, or there is one class only.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.arange(len(cohort.y)) if cohort.groups is None else cohort.groups
    present = np.unique(cohort.y)
    if len(present) < 2:
        raise InputError(f"{cohort.name}: images of at least two classes are needed.")
    sizes = {cohort.classes[c]: len(np.unique(groups[cohort.y == c])) for c in present}
    small = min(sizes, key=lambda c: sizes[c])
    if n_folds < 2 or sizes[small] < n_folds:
        raise InputError(
            f"{n_folds} folds can't be made: class {small!r} has {sizes[small]} different images or patients. "
            "Choose fewer folds (at least 2) or add images."
        )
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return [(a, b) for a, b in folds.split(np.zeros(len(groups)), cohort.y, groups)]


def compare_growth(
    cohort: LabelledImages,
    config: GrowthCompareConfig = GrowthCompareConfig(),
    on_progress: OnProgress = ignore,
    keep: Path | None = None,
) -> GrowthResult:
    """Every network on the same folds; test images, their copies and their patients are never trained on.

    With the folder ``keep`` each network's run is written when it is done, and taken again; see
    :func:`~genomap_core.workflows.comparison.runner.run_entries`.

    Raises
    ------
    InputError
        ``keep`` holds runs of other images, or no network has an answer.
    """
    folds = image_folds(cohort, config.n_folds, config.seed)
    entries = [_entry(name, share, cohort, config) for share in config.shares for name in config.networks]
    about = {"digest": cohort.digest, "n_folds": config.n_folds, "seed": config.seed}
    return summarise(cohort, run_entries(entries, folds, about, keep, on_progress), folds, config)


def _entry(network: str, share: float, cohort: LabelledImages, config: GrowthCompareConfig) -> Entry:
    """One network trained on a share of the images; the first share's is examined for more than its scores."""
    training = training_of(config, network)
    knowledge = knowledge_of(cohort, training)
    examined = share == config.shares[0]

    def fit_predict(fold: Fold, clock: Clock, on_progress: OnProgress) -> Answer:
        from genomap_core.training.growth import GrowthClassifier

        seed = config.seed + fold.index
        rows = share_of(fold.train, cohort.y, cohort.groups, share, seed)
        model = GrowthClassifier(replace(training, seed=seed), on_progress)
        with clock.training():
            model.fit(cohort.images[rows], cohort.y[rows], len(cohort.classes), knowledge.take(rows))
        with clock.predicting():
            values = {"proba": model.predict_proba(cohort.images[fold.test])}
        if examined:
            values |= _examined(model, cohort, fold.test, config)
        parameters = sum(p.numel() for p in model.modules_[0].parameters())
        return Answer(values, {"network": network, "share": share, "parameters": parameters})

    options = {"training": asdict(training) | {"device": ""}, "share": share}
    if examined:
        options["robustness"] = config.robustness
    return Entry(run_name(network, share), network, fit_predict, options)


def _examined(
    model: GrowthClassifier, cohort: LabelledImages, test: np.ndarray, config: GrowthCompareConfig
) -> dict[str, np.ndarray]:
    """Answers on degraded test images, and Dice of the density's contour where masks exist."""
    images = cohort.images[test]
    values = {
        f"degraded/{key}": model.predict_proba(degrade(images, condition, level, config.seed))
        for key, condition, level in (conditions() if config.robustness else ())
    }
    if cohort.masks is not None and model.config.network.startswith("physnet"):
        values["dice"] = mask_dice(model.observe(images).frames[:, -1], cohort.masks[test])
    return values


def conditions() -> Iterator[tuple[str, str, float]]:
    """Key, condition and level of every robustness test."""
    for condition, levels in CONDITIONS.items():
        for level in levels:
            yield f"{condition} {level:g}", condition, level


def share_of(rows: np.ndarray, y: np.ndarray, groups: np.ndarray | None, share: float, seed: int) -> np.ndarray:
    """A share of the training rows, of each class alike and by whole groups; at least one group a class."""
    if share >= 1:
        return rows
    rng = np.random.default_rng(seed)
    units = rows if groups is None else groups[rows]
    kept: list[int] = []
    for c in np.unique(y[rows]):
        own = np.unique(units[y[rows] == c])
        kept.extend(rng.permutation(own)[: max(1, round(share * len(own)))])
    return rows[np.isin(units, kept)]
