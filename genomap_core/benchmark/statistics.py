"""Intervals and tests for scores of repeated cross-validation, and for several models on several data sets."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval; NaN ends where one run says nothing of the spread."""

    mean: float
    low: float
    high: float


def corrected_interval(values: np.ndarray, test_share: float, level: float = 0.95) -> Interval:
    """Corrected resampled t interval of the mean of ``values (J,)``, one a fold and seed.

    Training sets of folds overlap, so the mean's variance is ``s^2 (1 / J + n_test / n_train)``, not ``s^2 / J``.

    Parameters
    ----------
    values
        Scores, or differences of two models on the same folds.
    test_share
        ``n_test / n_train``: 0.25 for five folds.

    References
    ----------
    Nadeau & Bengio, Machine Learning 52:239 (2003); Bouckaert & Frank, PAKDD 2004, for repeated folds.
    """
    values = np.asarray(values, np.float64)
    mean, error, df = _corrected(values, test_share)
    if df < 1:
        return Interval(mean, math.nan, math.nan)
    half = float(stats.t.ppf(0.5 + level / 2, df)) * error
    return Interval(mean, mean - half, mean + half)


def corrected_p(differences: np.ndarray, test_share: float) -> float:
    """Two-sided p of the corrected resampled t-test that two models are alike: ``differences (J,)``; 1 if all are 0."""
    mean, error, df = _corrected(np.asarray(differences, np.float64), test_share)
    if df < 1 or (error == 0 and mean == 0):
        return 1.0
    return 0.0 if error == 0 else float(2 * stats.t.sf(abs(mean) / error, df))


def _corrected(values: np.ndarray, test_share: float) -> tuple[float, float, int]:
    n = len(values)
    if n < 2:
        return float(values.mean()) if n else math.nan, math.nan, n - 1
    return float(values.mean()), float(values.std(ddof=1) * math.sqrt(1 / n + test_share)), n - 1


def ranks(scores: np.ndarray) -> np.ndarray:
    """Rank of each model on each set, 1 for the highest: ``(N, k)`` -> ``(N, k)``; ties share the mean rank.

    NaN is a model that failed: it comes last, after all that ran.
    """
    return stats.rankdata(-np.nan_to_num(scores, nan=-np.inf), axis=1)


def critical_difference(n_models: int, n_sets: int, alpha: float = 0.05) -> float:
    """Mean ranks further apart than this differ (Nemenyi's test): ``q sqrt(k (k + 1) / (6 N))``.

    References
    ----------
    Demsar, JMLR 7:1 (2006).
    """
    q = float(stats.studentized_range.ppf(1 - alpha, n_models, np.inf)) / math.sqrt(2)
    return q * math.sqrt(n_models * (n_models + 1) / (6 * n_sets))


def friedman_p(scores: np.ndarray) -> float:
    """p of Friedman's test that all models are alike: ``(N, k)``, NaN last; NaN for fewer than 3 models or 2 sets."""
    n_sets, n_models = scores.shape
    if n_models < 3 or n_sets < 2:
        return math.nan
    ranked = ranks(scores)
    if (ranked == ranked[:, :1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*ranked.T).pvalue)


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values corrected for their number by Holm's step-down rule (1979): ``(m,)`` -> ``(m,)``."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(np.asarray(p_values)[order] * np.arange(len(order), 0, -1))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def over_sets(differences: np.ndarray, level: float = 0.95) -> tuple[Interval, float]:
    """Two models over data sets, ``differences (N,)`` of their mean scores: t interval, and Wilcoxon's p.

    References
    ----------
    Wilcoxon signed ranks, as Demsar (2006) advises for two models.
    """
    differences = np.asarray(differences, np.float64)
    n = len(differences)
    mean = float(differences.mean()) if n else math.nan
    if n < 2:
        return Interval(mean, math.nan, math.nan), 1.0
    half = float(stats.t.ppf(0.5 + level / 2, n - 1) * differences.std(ddof=1) / math.sqrt(n))
    if not differences.any():
        return Interval(mean, mean, mean), 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # ties: the normal approximation is used
        p = float(stats.wilcoxon(differences, zero_method="zsplit").pvalue)
    return Interval(mean, mean - half, mean + half), p


def mean_p(differences: np.ndarray) -> float:
    """Two-sided p of the t-test that belongs to the interval of :func:`over_sets`: ``differences (N,)``."""
    differences = np.asarray(differences, np.float64)
    if len(differences) < 2 or not differences.any():
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all alike: p is 0
        return float(stats.ttest_1samp(differences, 0.0).pvalue)


def cliques(mean_ranks: np.ndarray, difference: float) -> list[tuple[int, int]]:
    """Largest runs of models, in the order of their ranks, that lie within the critical difference: (first, last)."""
    order = np.sort(np.asarray(mean_ranks, np.float64))
    found: list[tuple[int, int]] = []
    for first in range(len(order)):
        last = int(np.searchsorted(order, order[first] + difference, side="right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
