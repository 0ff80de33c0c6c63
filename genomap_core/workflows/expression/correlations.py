"""Correlations column by column and their tests: is one different from zero, is one larger than the other?

Tests hold them against SciPy, against published examples and against simulation.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, stdtr
from scipy.stats import false_discovery_control, rankdata

_CLOSE_TO_ONE = 1 - 1e-12


def pearson_each(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's r of every column of ``a (n, g)`` with the same column of ``b (n, g)``: ``(g,)``; 0 for a constant."""
    return np.clip((unit_columns(a) * unit_columns(b)).sum(0), -1, 1)


def spearman_each(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's rho of every column, ties at their average rank: ``(g,)``; 0 for a constant column."""
    return pearson_each(rankdata(a, axis=0), rankdata(b, axis=0))


def rmse_each(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Root mean squared error of every column ``(n, g)``, in the units of the values: ``(g,)``."""
    return np.sqrt(np.mean((np.asarray(truth, np.float64) - predicted) ** 2, axis=0))


def unit_columns(values: np.ndarray) -> np.ndarray:
    """Columns ``(n, g)`` of zero mean and unit length, float64; a constant column is zero."""
    moved = centred(values, np.zeros(len(values), np.int64))
    length = np.sqrt((moved**2).sum(0))
    return moved / np.where(length > 0, length, 1)


def centred(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """``(n, g)`` float64 less the mean of the rows of the same code ``(n,)``, column by column.

    Differences between cohorts are gone then: what is left to predict are differences within them. What is constant
    within a cohort becomes exactly zero.
    """
    moved = np.array(values, np.float64)
    for rows in rows_of_each(codes):
        moved[rows] -= moved[rows][0]
        moved[rows] -= moved[rows].mean(0)
    return moved


def rows_of_each(codes: np.ndarray) -> list[np.ndarray]:
    """The rows of every code that occurs."""
    return [np.flatnonzero(codes == code) for code in np.unique(codes)]


def pearson_p(r: np.ndarray, n: int) -> np.ndarray:
    """Two-sided p of correlations ``r`` of ``n`` independent pairs, by Student's t with n - 2 degrees of freedom."""
    r = np.clip(r, -_CLOSE_TO_ONE, _CLOSE_TO_ONE)
    return 2 * stdtr(n - 2, -np.abs(r) * np.sqrt((n - 2) / (1 - r**2)))


def fisher_interval(r: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the 95 % interval of correlations ``r`` of ``n`` pairs (Fisher, 1921)."""
    z, half = _fisher(r), 1.959963984540054 / np.sqrt(n - 3)
    return np.tanh(z - half), np.tanh(z + half)


def steiger_p(r_first: np.ndarray, r_second: np.ndarray, r_between: np.ndarray, n: int) -> np.ndarray:
    """One-sided p that the first of two predictions correlates more with the same outcome than the second.

    Dunn and Clark's z with the mean of both correlations in its covariance (Steiger, Psychological Bulletin 87:245,
    1980, equation 14). Predictions that are alike in all give 0.5.

    Parameters
    ----------
    r_first, r_second
        Correlation of each prediction with the outcome.
    r_between
        Correlation of the two predictions.
    n
        Patients.
    """
    squared = np.minimum(((r_first + r_second) / 2) ** 2, _CLOSE_TO_ONE)
    shared = r_between * (1 - 2 * squared) - squared * (1 - 2 * squared - np.square(r_between)) / 2
    covariance = np.minimum(shared / (1 - squared) ** 2, _CLOSE_TO_ONE)
    z = (_fisher(r_first) - _fisher(r_second)) * np.sqrt((n - 3) / (2 - 2 * covariance))
    return ndtr(-z)


def _fisher(r: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(r, -_CLOSE_TO_ONE, _CLOSE_TO_ONE))


def false_discovery_rate(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values: the smallest false discovery rate at which each is called (Benjamini and Hochberg, 1995)."""
    return false_discovery_control(p)
