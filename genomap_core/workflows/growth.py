"""PhysNet and the image networks beside it on the same folds: scores with intervals, robustness, density, cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.degrade import CONDITIONS, degrade
from genomap_core.data.image_cohort import ImageCohort
from genomap_core.errors import InputError
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.workflows.growth_scores import GrowthResult, NetworkRun, mask_dice, run_file, summarise
from genomap_core.workflows.meter import measure

if TYPE_CHECKING:
    from genomap_core.training.growth import GrowthClassifier, GrowthTraining, Knowledge

BASELINES = ("resnet18", "resnet18_matched", "mobilenet_v2", "vgg16", "vgg19")
_OPTIONS = (
    *("n_folds", "seed", "width", "stem_stride", "stage", "upscale", "n_steps", "fields"),
    *("max_epochs", "batch_size", "learning_rate", "robustness"),
)


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
        stem_stride=config.stem_stride,
        physics=PhysicsConfig(n_steps=config.n_steps, stage=config.stage, upscale=config.upscale, fields=config.fields),
        max_epochs=config.max_epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=config.seed,
        device=config.device,
    )


def knowledge_of(cohort: ImageCohort, training: GrowthTraining) -> Knowledge:
    """What the cohort knows besides its classes, in cells of the growth model."""
    from genomap_core.training.growth import Knowledge

    log_ratio = None
    if cohort.lengths is not None:
        stride = training.stem_stride * 2 ** (training.physics.stage - 1)
        log_ratio = 2 * np.log(cohort.lengths * training.physics.upscale / stride)
    return Knowledge(masks=cohort.masks, tumour=cohort.tumour, log_ratio=log_ratio)


def image_folds(cohort: ImageCohort, n_folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
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
    cohort: ImageCohort,
    config: GrowthCompareConfig = GrowthCompareConfig(),
    on_progress: OnProgress = ignore,
    keep: Path | None = None,
) -> GrowthResult:
    """Every network on the same folds; test images, their copies and their patients are never trained on.

    With the folder ``keep`` each network's run is written when it is done, and one that is there is not made again.

    Raises
    ------
    InputError
        ``keep`` holds runs of other images or options.
    """
    folds = image_folds(cohort, config.n_folds, config.seed)
    work = [(name, share) for share in config.shares for name in config.networks]
    about = json.loads(json.dumps({"digest": cohort.digest} | {k: getattr(config, k) for k in _OPTIONS}))
    runs: list[NetworkRun] = []
    for k, (name, share) in enumerate(work):

        def tell(p: Progress, k: int = k, name: str = name) -> None:
            on_progress(Progress(f"{name}: {p.stage}", k * len(folds) + p.step, len(work) * len(folds), p.values))

        path = None if keep is None else keep / run_file(name, share)
        if path is not None and path.is_file():
            run, made_of = NetworkRun.load(path)
            if made_of != about:
                raise InputError(f"{path} holds a run on other images or options: choose another folder.")
        else:
            run = _run(name, share, cohort, config, folds, tell)
            if path is not None:
                run.save(path, about)
        runs.append(run)
    return summarise(cohort, runs, config)


@dataclass
class _Collected:
    """Out-of-fold values of one network while its folds are worked through."""

    proba: np.ndarray
    degraded: dict[str, np.ndarray] = field(default_factory=dict)
    dice: np.ndarray | None = None
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    peak_mb: float = 0.0
    parameters: int = 0


def _run(
    name: str,
    share: float,
    cohort: ImageCohort,
    config: GrowthCompareConfig,
    folds: list[tuple[np.ndarray, np.ndarray]],
    tell: OnProgress,
) -> NetworkRun:
    from genomap_core.training.growth import GrowthClassifier

    n, n_classes = len(cohort.y), len(cohort.classes)
    got = _Collected(np.full((n, n_classes), np.nan))
    knowledge = knowledge_of(cohort, training_of(config, name))
    for k, (train, test) in enumerate(folds):
        rows = share_of(train, cohort.y, cohort.groups, share, config.seed + k)

        def epoch(p: Progress, k: int = k) -> None:
            tell(Progress(f"fold {k + 1} of {len(folds)}", k, len(folds), p.values))

        model = GrowthClassifier(replace(training_of(config, name), seed=config.seed + k), epoch)
        with measure() as fitting:
            model.fit(cohort.images[rows], cohort.y[rows], n_classes, knowledge.take(rows))
        with measure() as predicting:
            got.proba[test] = model.predict_proba(cohort.images[test])
        got.fit_seconds += fitting.seconds
        got.predict_seconds += predicting.seconds
        got.peak_mb = max(got.peak_mb, fitting.peak_mb)
        got.parameters = sum(p.numel() for p in model.modules_[0].parameters())
        if share == config.shares[0]:
            _examine(model, cohort, test, config, got)
    return NetworkRun(
        name=name,
        share=share,
        proba=got.proba,
        degraded=got.degraded,
        dice=got.dice,
        parameters=got.parameters,
        fit_seconds=got.fit_seconds,
        images_per_second=n / max(got.predict_seconds, 1e-9),
        peak_mb=got.peak_mb,
    )


def _examine(
    model: GrowthClassifier, cohort: ImageCohort, test: np.ndarray, config: GrowthCompareConfig, got: _Collected
) -> None:
    """Robustness and density of the fold's test images."""
    images = cohort.images[test]
    for key, condition, level in conditions() if config.robustness else ():
        into = got.degraded.setdefault(key, np.full_like(got.proba, np.nan))
        into[test] = model.predict_proba(degrade(images, condition, level, config.seed))
    if cohort.masks is not None and model.config.network.startswith("physnet"):
        if got.dice is None:
            got.dice = np.full(len(cohort.y), np.nan)
        got.dice[test] = mask_dice(model.observe(images).frames[:, -1], cohort.masks[test])


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
