"""Scores of class probabilities, with bootstrap intervals. Tests hold every metric against scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from genomap_core.data.message import decimals, with_interval

METRICS: dict[str, str] = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "roc_auc": "ROC-AUC",
    "brier": "Brier score",
    "log_loss": "Log-loss",
}
"""Name -> title. Brier and log-loss: lower is better."""
TITLES: dict[str, str] = {**METRICS, "calibration": "Calibration error"}
"""Also of what is not a metric of single rows."""


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def decimals(self) -> int:
        """As many as the interval carries."""
        return decimals(self.low, self.high)

    def __str__(self) -> str:
        return format(self, "")

    def __format__(self, sign: str) -> str:
        """``0.87 (0.84 to 0.90)``, to :attr:`decimals`; ``+`` writes the signs of differences."""
        return with_interval(self.value, self.low, self.high, sign)


def score(name: str, y: np.ndarray, proba: np.ndarray) -> float:
    """One metric of ``proba (n, C)`` against the codes ``y (n,)``.

    ROC-AUC is the macro mean of one class against the rest. Brier is the mean squared distance between the
    probabilities and the one-hot truth, in [0, 2] (Brier, 1950). NaN where a metric is not defined (one class only).
    """
    guess, classes = proba.argmax(1), np.arange(proba.shape[1])
    present = np.unique(y)
    if name == "accuracy":
        return float((guess == y).mean())
    if name == "balanced_accuracy":
        return float(np.mean([(guess[y == c] == c).mean() for c in present]))
    if name == "macro_f1":
        return float(np.mean([_f1(y == c, guess == c) for c in present]))
    if name == "brier":
        return float(((proba - np.eye(len(classes))[y]) ** 2).sum(1).mean())
    if name == "log_loss":
        return float(-np.log(np.clip(proba[np.arange(len(y)), y], 1e-15, 1)).mean())
    if name == "roc_auc":
        if len(present) < 2:
            return float("nan")
        one_vs_rest = present[1:] if len(classes) == 2 else present
        return float(np.mean([_auc(y == c, proba[:, c]) for c in one_vs_rest]))
    raise ValueError(f"Unknown metric {name!r}: choose one of {', '.join(METRICS)}.")


def _f1(truth: np.ndarray, guess: np.ndarray) -> float:
    """Twice the hits over those there are and those named; scikit-learn's checks take 2 ms, too slow for 10,000."""
    return 2 * np.count_nonzero(truth & guess) / (np.count_nonzero(truth) + np.count_nonzero(guess))


def _auc(positive: np.ndarray, values: np.ndarray) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic; scikit-learn's and SciPy's checks are slow for 10,000."""
    n1 = int(positive.sum())
    n0 = len(positive) - n1
    ordered, own = np.sort(values), values[positive]
    ranks = 0.5 * (np.searchsorted(ordered, own, "left") + np.searchsorted(ordered, own, "right") + 1)
    return float((ranks.sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def resample_patients(y: np.ndarray, groups: np.ndarray | None, n_resamples: int, seed: int) -> list[np.ndarray]:
    """Bootstrap row indices, drawn within each class; whole groups are drawn where groups exist."""
    rng = np.random.default_rng(seed)
    if groups is None:
        strata = [np.flatnonzero(y == c) for c in np.unique(y)]
        return [np.concatenate([rng.choice(s, len(s)) for s in strata]) for _ in range(n_resamples)]
    rows_of = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    return [
        np.concatenate([rows_of[k] for k in rng.integers(0, len(rows_of), len(rows_of))]) for _ in range(n_resamples)
    ]


def interval(
    statistic: Callable[[np.ndarray], float], resamples: list[np.ndarray], n: int, level: float = 0.95
) -> Score:
    """``statistic(rows)`` on all ``n`` rows, with its bootstrap percentile interval (Efron, 1979)."""
    drawn = np.array([statistic(rows) for rows in resamples])
    drawn = drawn[np.isfinite(drawn)]
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail]) if len(drawn) else (np.nan, np.nan)
    return Score(statistic(np.arange(n)), float(low), float(high))


def score_table(
    y: np.ndarray,
    probas: dict[str, np.ndarray],
    groups: np.ndarray | None = None,
    metrics: tuple[str, ...] = ("accuracy", "balanced_accuracy", "roc_auc", "brier"),
    n_resamples: int = 500,
    seed: int = 0,
) -> dict[str, dict[str, Score]]:
    """Model -> metric -> score, from out-of-fold probabilities; the same patients are resampled for every model.

    The interval says how far the figure would move with other patients of the same kind, the fitted models given;
    it does not hold the variation of training on other patients.
    """
    rows = resample_patients(y, groups, n_resamples, seed)
    return {
        model: {m: _widened(m, y, p, interval(partial(_on_rows, m, y, p), rows, len(y)), seed) for m in metrics}
        for model, p in probas.items()
    }


def _widened(metric: str, y: np.ndarray, proba: np.ndarray, found: Score, seed: int) -> Score:
    """Shares of right answers: also as wide as their Jeffreys interval, of all or of each class (Brown et al., 2001).

    Without it a model that made no error in 36 patients would be given the interval 1 to 1.
    """
    if metric not in ("accuracy", "balanced_accuracy"):
        return found
    right = proba.argmax(1) == y
    parts = [right] if metric == "accuracy" else [right[y == c] for c in np.unique(y)]
    rng = np.random.default_rng(seed)
    shares = [rng.beta(r.sum() + 0.5, (~r).sum() + 0.5, 4000) for r in parts]
    low, high = np.percentile(np.mean(shares, axis=0), [2.5, 97.5])
    return Score(found.value, min(found.low, float(low)), max(found.high, float(high)))


def _on_rows(name: str, y: np.ndarray, proba: np.ndarray, rows: np.ndarray) -> float:
    return score(name, y[rows], proba[rows])


def paired_difference(
    metric: str,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    groups: np.ndarray | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """``score(a) - score(b)`` on the same resampled patients: an interval off zero is a difference."""
    rows = resample_patients(y, groups, n_resamples, seed)
    return interval(lambda i: score(metric, y[i], a[i]) - score(metric, y[i], b[i]), rows, len(y))


def lead_over_each(
    metric: str,
    y: np.ndarray,
    probas: dict[str, np.ndarray],
    first: str,
    groups: np.ndarray | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:
    """Other model -> :func:`paired_difference` of ``first`` and it; every model is scored once on each resample."""
    rows = [*resample_patients(y, groups, n_resamples, seed), np.arange(len(y))]
    drawn = {name: np.array([score(metric, y[i], p[i]) for i in rows]) for name, p in probas.items()}
    found = {}
    for name in probas:
        if name != first:
            differences = drawn[first] - drawn[name]
            finite = differences[:-1][np.isfinite(differences[:-1])]
            low, high = np.percentile(finite, [2.5, 97.5]) if len(finite) else (np.nan, np.nan)
            found[name] = Score(float(differences[-1]), float(low), float(high))
    return found
