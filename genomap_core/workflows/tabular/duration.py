"""How long models take to learn, said before the start: from shapes alone, right within a factor of about 3."""

from __future__ import annotations

from genomap_core.data.dataset import Dataset
from genomap_core.pfn import choose_weights, expected_seconds
from genomap_core.pfn.description import Weights
from genomap_core.workflows.tabular import beside
from genomap_core.workflows.tabular.compare import NETWORKS, CompareConfig

_EPOCHS = 22
"""Of one network, as inner folds mostly choose."""
_EPOCH_ROWS = 2500
_EPOCHS_OF_MANY = 40
"""Of more rows than an epoch sees: each brings new ones, so that networks learn until the usual limit."""
_PASSES = 4.4
"""Networks trained for one classifier, in passes over its rows: three on four fifths of them, two on all."""


def network_seconds(n: int, q: int, max_epochs: int | None = None) -> float:
    """One map classifier on ``n`` rows and ``q`` features on the map: passes over the table, places, linear model,
    convolutions."""
    usual = _EPOCHS_OF_MANY if n > _EPOCH_ROWS else _EPOCHS
    epochs = usual if max_epochs is None else min(usual, max_epochs)
    steps = max(1.0, min(n, _EPOCH_ROWS) / min(256, max(32, n / 25)))
    convolutions = _PASSES * epochs * (min(n, _EPOCH_ROWS) * q * 1e-7 + 0.006 * steps)
    linear = 5e-9 * min(n, 1000) ** 2 * (q + min(n, 1000)) + 0.3
    return 0.5 + 1e-7 * n * q + 2.5e-4 * q + linear + convolutions


def comparison_seconds(n: int, p: int, n_classes: int, config: CompareConfig) -> dict[str, float]:
    """Model -> seconds of a comparison on ``n`` samples and ``p`` features, all folds, on two quiet cores."""
    rows = n * (config.n_folds - 1) / config.n_folds
    return {name: config.n_folds * _fold_seconds(name, rows, p, n_classes, config) for name in config.models}


def elapsed_seconds(dataset: Dataset, config: CompareConfig) -> float:
    """Of a whole comparison that keeps its results: the sum over the models, less what is done beside others."""
    seconds = comparison_seconds(dataset.n_samples, dataset.n_features, len(dataset.classes), config)
    if not beside.chosen(dataset, config):
        return sum(seconds.values())
    control = seconds.pop(beside.CONTROL)
    return max(sum(seconds.values()), seconds.get("logistic", 0.0) + control)


def _fold_seconds(name: str, n: float, p: int, n_classes: int, config: CompareConfig) -> float:
    rows = round(n)
    if name in NETWORKS:
        return network_seconds(rows, min(p, config.max_features), config.max_epochs)
    if name == "pfn":
        return _pfn_seconds(rows, p, n_classes, choose_weights(config.weights), config.n_estimators)
    if name == "forest":
        return 500 * (1e-3 + 4e-7 * n * p**0.5)
    spanned = min(n, p)
    return 0.1 + 46 * (3e-3 + 2.5e-8 * n * spanned * n_classes) + 2e-10 * n * n * p


def _pfn_seconds(n: int, p: int, n_classes: int, weights: Weights, n_estimators: int | None) -> float:
    estimators, kept = n_estimators or weights.estimators(n), weights.limits.selected
    if weights.quick:
        inputs = (n_classes, p if p <= weights.limits.features else n_classes + kept)
        answers = sum(expected_seconds(weights, n, q, max(1, estimators // 2)) for q in inputs)
        return answers + 2 * 11 * (2e-10 * n * min(n, p) * p + 4e-9 * n * p)
    if p <= weights.limits.features:
        return expected_seconds(weights, n, p, estimators)
    trial = expected_seconds(weights, n, kept, min(2, estimators))
    return 2 * 3 * trial + 4 * 2.5e-4 * min(p, 2048) + expected_seconds(weights, n, kept, estimators)


def in_words(seconds: float) -> str:
    """``about 40 s`` or ``about 3 min``, rounded as such an estimate deserves."""
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
