"""Networks from images to expression against untrained ones, other patients and linear models, on the same folds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.images.expression import ExpressionCohort
from genomap_core.data.images.networks import HEADS, ExpressionConfig
from genomap_core.data.images.statistics import image_statistics
from genomap_core.data.message import plural
from genomap_core.errors import InputError
from genomap_core.progress import OnProgress, ignore
from genomap_core.workflows.comparison.runner import Answer, Clock, Entry, Fold, fold_file, run_entries
from genomap_core.workflows.expression.linear import RidgeFit, out_of_fold, ridge_predict
from genomap_core.workflows.expression.result import ExpressionResult, summarise
from genomap_core.workflows.expression.statistics import Refit, rows_of_each
from genomap_core.workflows.fusion.controls import permute_within

Rows = tuple[np.ndarray, np.ndarray]
"""Row numbers of one fold: trained on, tested on."""


def shuffled(cohort: ExpressionCohort, seed: int) -> ExpressionCohort:
    """Every patient with the expression of one drawn by chance, of the same cohort (of the same section).

    A row of expression stays as it is, so that genes hang together as before; only whose it is gets lost.
    """
    source = permute_within(cohort.n_samples, rows_of_each(cohort.within), seed)
    return replace(cohort, expression=cohort.expression[source])


TITLES: dict[str, str] = {
    "random": "Same network, random weights",
    "exchanged": "Trained on expression of other patients",
    "ridge": "Ridge on simple features",
    "ridge_cnn": "Ridge on frozen CNN features",
    "mean": "Mean of the training patients",
}
"""Name of a run -> title, of those that are called the same whatever the network; see :func:`title`."""
ABLATIONS: dict[str, dict[str, Any]] = {
    "full": {"paths": "both"},
    "statistics": {"paths": "statistics"},
    "transformer": {"paths": "transformer"},
    "layers_0": {"paths": "both", "n_layers": 0},
    "layers_2": {"paths": "both", "n_layers": 2},
}
"""Name of a run -> how its network differs from the first one; the untrained encoder with ridge is ``ridge_cnn``."""


def title(name: str, paths: str, n_layers: int) -> str:
    """Of a run whose first network has these paths and so many layers."""
    if name in TITLES:
        return TITLES[name]
    changed = ABLATIONS.get(name, {})
    layers = plural(changed.get("n_layers", n_layers), "layer")
    network = {
        "statistics": "CNN",
        "both": f"CNN + transformer of {layers}",
        "transformer": f"CNN + transformer of {layers}, no way round it",
    }[changed.get("paths", paths)]
    return f"{network}, genomap head" if name == "map" else network


@dataclass(frozen=True, slots=True)
class ExpressionCompareConfig:
    """What is compared, and how."""

    heads: tuple[str, ...] = tuple(HEADS)
    """The first one's predictions are looked at gene by gene"""
    controls: bool = True
    """Patients with the expression of others, and the network with the transformer beside it, or without"""
    ablations: bool = False
    """All networks of :data:`ABLATIONS`"""
    per_cohort: bool = False
    """A network for each cohort instead of one for all"""
    n_folds: int = 5
    n_permutations: int = 200
    """Each is taught to the models anew; chance is pooled over the genes"""
    seed: int = 0
    training: ExpressionConfig = field(default_factory=ExpressionConfig)

    def __post_init__(self) -> None:
        if not self.heads or any(head not in HEADS for head in self.heads):
            raise InputError(f"`heads` must name one or more of {', '.join(HEADS)}, got {self.heads}.")
        if self.n_folds < 2 or self.n_permutations < 19:
            raise InputError("`n_folds` must be >= 2 and `n_permutations` >= 19.")


def compare_expression(
    cohort: ExpressionCohort,
    config: ExpressionCompareConfig = ExpressionCompareConfig(),
    on_progress: OnProgress = ignore,
    keep: Path | None = None,
) -> ExpressionResult:
    """Every run on the same folds; a test patient and all of the same group are never trained on.

    With the folder ``keep`` each run is written when it is done, and taken again; see
    :func:`~genomap_core.workflows.comparison.runner.run_entries`. So is the first run's network of every fold.

    Raises
    ------
    InputError
        Fewer than two groups of patients, ``keep`` holds runs of another cohort, or a run that the statistics need
        has no answer.
    """
    config = replace(config, training=config.training.seeing(cohort.has_images))
    fold_of_row = expression_folds(cohort, config.n_folds, config.seed)
    folds = [(np.flatnonzero(fold_of_row != k), np.flatnonzero(fold_of_row == k)) for k in range(fold_of_row.max() + 1)]
    names = planned(cohort, config)
    kept = {name: keep for name in (names[0], ARTEFACTS) if name in names}
    entries = [_entry(name, cohort, config, kept.get(name), first=name == names[0]) for name in names]
    about = {"digest": cohort.digest, "n_folds": config.n_folds, "seed": config.seed, "per_cohort": config.per_cohort}
    runs = run_entries(entries, folds, about, keep, on_progress, "expression")
    made_with = asdict(config) | {"options": asdict(cohort.options)}
    refits = {name: partial(_ridge_refit, name, cohort, config, folds) for name in ("ridge", "ridge_cnn")}
    return summarise(cohort, fold_of_row, runs, json.loads(json.dumps(made_with)), refits)


def _ridge_refit(name: str, cohort: ExpressionCohort, config: ExpressionCompareConfig, folds: Sequence[Rows]) -> Refit:
    """The linear model of this name as a function of the expression that it is taught, penalties chosen anew."""
    parts = []
    for own in _apart(cohort, config):
        for train, test in ((train[own[train]], test[own[test]]) for train, test in folds):
            groups = None if cohort.source.table.groups is None else cohort.source.table.groups[train]
            if len(test):
                seen = _features(name, cohort.take(train), cohort.take(test), config)
                parts.append((train, test, RidgeFit(*seen, groups)))
    return partial(out_of_fold, parts)


def _apart(cohort: ExpressionCohort, config: ExpressionCompareConfig) -> list[np.ndarray]:
    """Which rows ``(n,)`` bool have a model of their own: those of each cohort, or all."""
    return [cohort.cohort == c for c in range(len(cohort.cohort_names))] if config.per_cohort else [cohort.cohort >= 0]


def planned(cohort: ExpressionCohort, config: ExpressionCompareConfig) -> tuple[str, ...]:
    """The runs of a comparison, in their order."""
    frozen = ("ridge_cnn",) if cohort.has_images else ()
    controls = ("exchanged", *_ablations(cohort, config)) if config.controls else _ablations(cohort, config)
    return (*config.heads, "random", *controls, "ridge", *frozen, "mean")


def _ablations(cohort: ExpressionCohort, config: ExpressionCompareConfig) -> tuple[str, ...]:
    """Networks beside the first one: at least that with the transformer, or without."""
    paths = config.training.seeing(cohort.has_images).paths
    own, other = ("full", "statistics") if paths == "both" else (paths, "full")
    if config.ablations:
        return tuple(name for name in ABLATIONS if name != own)
    return (other,) if config.controls else ()


def expression_folds(cohort: ExpressionCohort, n_folds: int, seed: int) -> np.ndarray:
    """``(n,)`` int64, the fold in which each row is tested: whole groups, cohorts spread evenly.

    As many folds as there are groups, or a quarter as many as rows, where these are fewer.

    Raises
    ------
    InputError
        All rows are of one group.
    """
    groups = cohort.source.table.groups
    units = np.arange(cohort.n_samples) if groups is None else np.unique(groups, return_inverse=True)[1]
    first = np.unique(units, return_index=True)[1]
    n_folds = min(n_folds, len(first), cohort.n_samples // 4)
    if n_folds < 2:
        raise InputError(f"{cohort.name}: all rows are of one patient or group: a second one is needed to test on.")
    rng, fold_of_unit = np.random.default_rng(seed), np.zeros(len(first), np.int64)
    order = rng.permutation(len(first))
    order = order[np.argsort(cohort.cohort[first][order], kind="stable")]  # cohorts one after the other
    fold_of_unit[order] = np.arange(len(first)) % n_folds
    return fold_of_unit[units]


def _entry(
    name: str, cohort: ExpressionCohort, config: ExpressionCompareConfig, keep: Path | None, first: bool
) -> Entry:
    """One run; ``keep``: where its networks are written, those of the first cohort where each has one of its own."""
    shown = shuffled(cohort, config.seed) if name == "exchanged" else cohort
    parts = _apart(cohort, config)
    keeps_head = name in HEADS and cohort.n_samples <= MOST_ROWS

    def fit_predict(fold: Fold, clock: Clock, on_progress: OnProgress) -> Answer:
        predicted = np.full((len(fold.test), len(cohort.genes)), np.nan, np.float32)
        head = np.zeros((len(fold.test), cohort.n_samples), np.float32)
        background = np.full((len(fold.test), 2), np.nan)
        parameters = 0
        for k, own in enumerate(parts):
            train, here = fold.train[own[fold.train]], own[fold.test]
            if here.any():
                where = None if keep is None or k else keep / fold_file(fold.index, "" if first else name)
                rows = shown.take(train), shown.take(fold.test[here])
                found = _answer(name, *rows, config, fold.index, clock, on_progress, where)
                predicted[here], parameters = found.predicted, found.parameters
                if keeps_head and found.head is not None:
                    head[np.ix_(here, train)] = found.head
                if found.background is not None:
                    background[np.flatnonzero(here)[: len(found.background)]] = found.background
        values = {"predicted": predicted} | ({"head": head} if keeps_head else {})
        values |= {} if np.isnan(background).all() else {"background": background}
        return Answer(values, {"parameters": parameters})

    called = title(name, config.training.paths, config.training.n_layers)
    return Entry(name, called, fit_predict, _options(name, config))


def _options(name: str, config: ExpressionCompareConfig) -> dict[str, Any]:
    """What the run depends on beside the folds: a linear model on plain numbers, and a mean, on nothing."""
    if name in ("ridge", "mean"):
        return {}
    head = name if name in HEADS else config.heads[0]
    training = replace(config.training, device="", **ABLATIONS.get(name, {}))
    return {"training": asdict(training), "head": head}


ARTEFACTS = "exchanged"
"""The run whose networks tell what an attribution to images is worth."""
_LOOKED_AT = 50
"""Patients of a fold whose attribution is looked for on empty background."""
MOST_ROWS = 4000
"""Of a cohort whose networks' heads can be fitted again: ``(n, n)`` numbers are kept for it, 64 MB."""


@dataclass(frozen=True, eq=False)
class _Found:
    """What a model says of the test patients ``(m, g)``, and how many numbers it learned."""

    predicted: np.ndarray
    parameters: int
    head: np.ndarray | None = None
    """Of a network, ``(m, n_train)``, see :meth:`ExpressionRegressor.frozen_head`"""
    background: np.ndarray | None = None
    """Of a network that is kept, ``(up to 50, 2)``, see :func:`~genomap_core.explain.background.expression_background`
    """


def _answer(
    name: str,
    train: ExpressionCohort,
    test: ExpressionCohort,
    config: ExpressionCompareConfig,
    fold: int,
    clock: Clock,
    on_progress: OnProgress,
    path: Path | None,
) -> _Found:
    """One model of one fold; a network is kept in ``path``."""
    if name == "mean":
        return _Found(train.expression.mean(axis=0), len(train.genes))
    if name.startswith("ridge"):
        with clock.training():
            seen, new = _features(name, train, test, config)
            found = ridge_predict(seen, train.expression, new, train.source.table.groups)
        return _Found(found, (seen.shape[1] + 1) * len(train.genes))
    from genomap_core.training.expression import ExpressionRegressor
    from genomap_core.training.expression_bundle import save_expression

    head = name if name in HEADS else config.heads[0]
    training = replace(config.training, head=head, seed=config.seed + fold, **ABLATIONS.get(name, {}))
    with clock.training():
        model = ExpressionRegressor(training, on_progress).fit(train, learn=name != "random")
    background = None
    if path is not None:
        save_expression(path, model, provenance={"cohort": train.name}, half=True)
    if path is not None and test.has_images:
        from genomap_core.explain.background import expression_background

        background = expression_background(model.module_, model.inputs(test)[:_LOOKED_AT])
    with clock.predicting():
        predicted = model.predict(test)
    refitted = name in HEADS and train.n_samples + test.n_samples <= MOST_ROWS
    return _Found(predicted, model.n_parameters, model.frozen_head(train, test) if refitted else None, background)


def _features(
    name: str, train: ExpressionCohort, test: ExpressionCohort, config: ExpressionCompareConfig
) -> tuple[np.ndarray, np.ndarray]:
    """What a linear model sees of training and test patients, ``(n, q)`` each."""
    if name == "ridge_cnn":
        from genomap_core.training.expression import frozen_features

        return frozen_features(train, config.training), frozen_features(test, config.training)
    if train.has_images:
        return image_statistics(train.source.images), image_statistics(test.source.images)
    from genomap_core.training.fusion_inputs import fit_scaling

    scaling = fit_scaling(train.source, train.source.table.n_features)
    return np.arcsinh(scaling.table(train.source)), np.arcsinh(scaling.table(test.source))
