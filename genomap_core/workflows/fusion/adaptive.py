"""Adaptive fusion: what the parts say, combined by weights that are learned on patients whom the parts never saw.

A part is a model that is compared anyway: images alone, omics alone, both stacked, the linear models. For the patients
of fold k the weights come from inner predictions: of every patient in another fold j, by the part trained without both
folds. One training serves the weights of k and of j, so K folds take K (K - 1) / 2 more trainings of each part.

The answer is a logarithmic opinion pool (Genest & Zidek, Statistical Science 1:114, 1986), a weight a part and class:
``p(c) ~ exp(t sum_m w_mc log p_m(c))``, weights of a class not below 0 and 1 in sum. They are drawn towards the best
single part, the more the less a left-out inner fold is served by leaving it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from genomap_core.progress import OnProgress
from genomap_core.workflows.comparison.runner import Answer, Clock, Fold

ADAPTIVE = "adaptive"
PENALTIES = (0.01, 0.1, 1.0, 10.0)
"""Of the squared distance of the weights from the best single part's."""
_LEAST = 1e-6
"""Least probability: no part can forbid a class."""

Ask = Callable[[np.ndarray, np.ndarray, int, Clock, OnProgress], np.ndarray]
"""Training rows, test rows, seed -> ``(n_test, C)`` of one part."""


@dataclass(frozen=True, eq=False)
class Pool:
    """How parts are combined; ``M`` parts, ``C`` classes."""

    weights: np.ndarray
    """``(M, C)``, not below 0, 1 in sum over the parts"""
    sharpness: np.ndarray
    """``(M,)`` what each part's log-probabilities are multiplied by before: below 1 for a part that is too sure"""
    temper: float
    best: int = -1
    """The best single part, where it was just learned"""

    def proba(self, parts: np.ndarray) -> np.ndarray:
        """Probabilities of the parts ``(M, n, C)`` -> ``(n, C)``."""
        return softmax(self.logits(np.log(np.maximum(parts, _LEAST))), axis=1)

    def logits(self, logs: np.ndarray) -> np.ndarray:
        """Log-probabilities of the parts ``(M, n, C)`` -> ``(n, C)``, those of the pool but for a constant a row."""
        pooled = (self.weights[:, None] * _tempered(logs, self.sharpness)).sum(axis=0)
        return np.asarray(self.temper * pooled)

    def arrays(self, n: int) -> dict[str, np.ndarray]:
        """The same for each of ``n`` rows that it answered."""
        parts = {"weights": self.weights, "sharpness": self.sharpness, "temper": np.array(self.temper)}
        return {name: np.repeat(value[None], n, axis=0) for name, value in parts.items()}

    @classmethod
    def of_row(cls, values: Mapping[str, np.ndarray], row: int) -> Pool:
        """Of :meth:`arrays`, the one that answered a row."""
        return cls(values["weights"][row], values["sharpness"][row], float(values["temper"][row]))


def inner_answers(ask: Ask, folds: Sequence[np.ndarray], n_classes: int) -> Callable[[Fold, Clock, OnProgress], Answer]:
    """A part's predictions for learning the weights: ``inner (b, K, C)`` of the rows of fold k, NaN at k itself.

    Entry ``[i, j]`` is said by the part that saw neither the fold of row i nor fold j. ``folds``: test rows of each.
    """
    made: dict[tuple[int, int], np.ndarray] = {}

    def fit_predict(fold: Fold, clock: Clock, on_progress: OnProgress) -> Answer:
        found = np.full((len(fold.test), len(folds), n_classes), np.nan)
        for j in (j for j in range(len(folds)) if j != fold.index):
            pair = (min(fold.index, j), max(fold.index, j))
            if pair not in made:
                out = np.concatenate([folds[k] for k in pair])
                rest = np.setdiff1d(np.concatenate(folds), out)
                made[pair] = np.zeros((1 + int(np.concatenate(folds).max()), n_classes))
                made[pair][out] = ask(rest, out, pair[0] * len(folds) + pair[1], clock, on_progress)
            found[:, j] = made[pair][fold.test]
        return Answer({"inner": found})

    return fit_predict


def pooled_answers(
    inner: Mapping[str, np.ndarray],
    outer: Mapping[str, np.ndarray],
    y: np.ndarray,
    fold_of_row: np.ndarray,
    inner_seconds: float = 0.0,
    explain: Callable[[Fold, Pool], np.ndarray] | None = None,
) -> Callable[[Fold, Clock, OnProgress], Answer]:
    """Adaptive fusion of one fold: ``proba (b, C)``, and the pool it was answered with, see :meth:`Pool.arrays`.

    ``inner``: of each part ``(n, K, C)`` of :func:`inner_answers`, which took ``inner_seconds`` to train;
    ``outer``: out-of-fold answers ``(n, C)`` of these parts; ``explain``: makes ``types (b, k, C)``.
    """

    def fit_predict(fold: Fold, clock: Clock, on_progress: OnProgress) -> Answer:
        if fold.index == 0:
            clock.fit_seconds += inner_seconds
        with clock.training():
            seen = np.stack([values[fold.train, fold.index] for values in inner.values()])
            pool = learn_pool(seen, y[fold.train], fold_of_row[fold.train])
        with clock.predicting():
            proba = pool.proba(np.stack([outer[name][fold.test] for name in inner]))
        facts = {"parameters": pool.weights.size + len(inner) + 1, "parts": list(inner)}
        values = {"proba": proba, **pool.arrays(len(fold.test))}
        return Answer(values if explain is None else values | {"types": explain(fold, pool)}, facts)

    return fit_predict


def learn_pool(parts: np.ndarray, y: np.ndarray, fold_of_row: np.ndarray) -> Pool:
    """From predictions for rows that the parts never saw: ``(M, n, C)``, classes ``(n,)``, inner folds ``(n,)``.

    The penalty is the one with the least log-loss (classes weigh alike) on inner folds left out; the best part alone
    is taken unless a pool is better by a standard error of the difference.
    """
    folds = np.unique(fold_of_row)
    losses = np.zeros((len(PENALTIES) + 1, len(y)))
    for fold in folds:
        rest, left = fold_of_row != fold, fold_of_row == fold
        for k, penalty in enumerate((*PENALTIES, np.inf)):
            pool = _fit(parts[:, rest], y[rest], penalty)
            losses[k, left] = -np.log(np.maximum(pool.proba(parts[:, left])[np.arange(left.sum()), y[left]], _LEAST))
    weight = _class_weights(y)
    mean = losses @ weight / len(y)
    k = int(mean[:-1].argmin())
    difference = weight * (losses[-1] - losses[k])
    clear = difference.mean() > difference.std() / np.sqrt(len(y))
    return _fit(parts, y, PENALTIES[k] if clear else np.inf)


def _fit(parts: np.ndarray, y: np.ndarray, penalty: float) -> Pool:
    """Sharpness of each part by itself, then the weights and their common temper."""
    M, _, C = parts.shape
    weight = _class_weights(y)
    sharpness, loss = np.array([_sharpness(part, y, weight) for part in parts]).T
    best = int(loss.argmin())
    if not np.isfinite(penalty):
        return Pool(np.repeat(np.eye(M)[:, [best]], C, axis=1), sharpness, 1.0, best)
    logs = _tempered(np.log(np.maximum(parts, _LEAST)), sharpness)
    start = np.zeros((M, C))
    start[best] = 1.0
    found = minimize(_loss, np.append(start, 0.0), (logs, y, weight, best, penalty), "L-BFGS-B", True)
    return Pool(softmax(found.x[:-1].reshape(M, C), axis=0), sharpness, float(np.exp(found.x[-1])), best)


def _loss(
    x: np.ndarray, logs: np.ndarray, y: np.ndarray, weight: np.ndarray, best: int, penalty: float
) -> tuple[float, np.ndarray]:
    """Weighted log-loss and penalty at ``x``, the logits of the weights and the logarithm of the temper; gradient."""
    M, n, C = logs.shape
    weights, temper = softmax(x[:-1].reshape(M, C), axis=0), np.exp(np.clip(x[-1], -3, 3))
    pooled = (weights[:, None] * logs).sum(axis=0)
    said = log_softmax(temper * pooled, axis=1)
    apart = weights - np.eye(M)[:, [best]]
    value = -(weight * said[np.arange(n), y]).mean() + penalty * (apart**2).sum() / C + 0.01 * x[-1] ** 2
    slope = weight[:, None] * (np.exp(said) - np.eye(C)[y]) / n
    along = temper * (slope[None] * logs).sum(axis=1) + 2 * penalty * apart / C
    of_logits = weights * (along - (weights * along).sum(axis=0))
    return float(value), np.append(of_logits, temper * (slope * pooled).sum() + 0.02 * x[-1])


def _sharpness(part: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """What to multiply one part's log-probabilities by, and its log-loss then."""
    logs = np.log(np.maximum(part, _LEAST))

    def loss(power: float) -> float:
        said = log_softmax(np.exp(power) * logs, axis=1)
        return -float((weight * said[np.arange(len(y)), y]).mean())

    found = minimize_scalar(loss, bounds=(-3, 1.5), method="bounded")
    return float(np.exp(found.x)), float(found.fun)


def _tempered(logs: np.ndarray, sharpness: np.ndarray) -> np.ndarray:
    return log_softmax(sharpness[:, None, None] * np.maximum(logs, np.log(_LEAST)), axis=2)


def _class_weights(y: np.ndarray) -> np.ndarray:
    """``(n,)``, 1 in the mean: classes weigh alike."""
    counts = np.bincount(y)
    return len(y) / (np.count_nonzero(counts) * counts[y])
