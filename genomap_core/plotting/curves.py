"""Points of the curves that the figures draw; plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def one_against_rest(y: np.ndarray, proba: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray, float]:
    """False and true positive rates and the area under them.

    Two classes: the second against the first. More: the mean of the curves of each class against the rest, over the
    classes that occur. Rows with NaN are left out; a curve that is not defined is NaN.
    """
    from sklearn.metrics import auc, roc_curve

    known = ~np.isnan(proba).any(axis=1)
    y, proba = y[known], proba[known]
    positives = [c for c in ((1,) if n_classes == 2 else range(n_classes)) if 0 < (y == c).sum() < len(y)]
    if not positives:
        return np.array([0.0, 1.0]), np.array([np.nan, np.nan]), float("nan")
    curves = [roc_curve(y == c, proba[:, c])[:2] for c in positives]
    if len(curves) == 1:
        fpr, tpr = curves[0]
        return fpr, tpr, float(auc(fpr, tpr))
    area = float(np.mean([auc(f, t) for f, t in curves]))
    grid = np.linspace(0, 1, 201)
    mean = np.mean([np.interp(grid, f, t) for f, t in curves], axis=0)
    return np.concatenate([[0.0], grid]), np.concatenate([[0.0], mean]), area


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """Patients grouped by how sure the model was: arrays over the bins that hold anybody."""

    confidence: np.ndarray
    """Mean of the highest probability."""
    right: np.ndarray
    """Share whose predicted class was the true one."""
    low: np.ndarray
    high: np.ndarray
    """Wilson's 95 % interval of `right`."""
    count: np.ndarray


def reliability_bins(y: np.ndarray, proba: np.ndarray, n_bins: int = 10) -> ReliabilityBins:
    """Group ``(n, C)`` probabilities by their highest one in `n_bins` equal steps of [0, 1]."""
    known = ~np.isnan(proba).any(axis=1)
    sure, hit = proba[known].max(axis=1), proba[known].argmax(axis=1) == y[known]
    group = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    used = np.unique(group)
    count = np.array([(group == g).sum() for g in used], int)
    right = np.array([hit[group == g].mean() for g in used])
    confidence = np.array([sure[group == g].mean() for g in used])
    low, high = wilson(right, count)
    return ReliabilityBins(confidence, right, low, high, count)


def wilson(share: np.ndarray, count: np.ndarray, z: float = 1.959964) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's (1927) score interval of a share of `count` trials."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return np.minimum(middle - half, share), np.maximum(middle + half, share)
