"""From a wide table to the few columns a tabular model takes; learned on the training rows only."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted

Selection = Literal["anova", "variance", "pca", "none"]
SELECTIONS: tuple[Selection, ...] = ("anova", "variance", "pca", "none")


def class_moments(X: np.ndarray | sp.csr_matrix, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, sum and sum of squares of every feature in every class, missing values left out: each ``(k, p)``."""
    one_hot = np.eye(int(codes.max()) + 1)[codes].T
    if isinstance(X, sp.csr_matrix | sp.csr_array):
        centred, squares = X.astype(np.float64), X.multiply(X).astype(np.float64)
        counts = np.repeat(one_hot.sum(1, keepdims=True), X.shape[1], axis=1)
        return counts, np.asarray(one_hot @ centred), np.asarray(one_hot @ squares)
    X = np.asarray(X, np.float64)
    present = ~np.isnan(X)
    # Centred first: sums of squares of large values would lose the differences that matter.
    centre = np.where(present, X, 0).sum(0) / np.maximum(present.sum(0), 1)
    centred = np.where(present, X - centre, 0)
    return one_hot @ present, one_hot @ centred, one_hot @ centred**2


def anova_f(X: np.ndarray | sp.csr_matrix, codes: np.ndarray) -> np.ndarray:
    """F statistic of every feature between classes: ``(n, p)``, ``(n,)`` -> ``(p,)``; 0 for a constant feature.

    Missing values are left out of their feature. Ratio of the variance between class means to that within classes.
    """
    count, total, square = class_moments(X, codes)
    n, k = count.sum(0), (count > 0).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.where(count > 0, total**2 / np.maximum(count, 1), 0).sum(0) - total.sum(0) ** 2 / n
        overall = square.sum(0) - total.sum(0) ** 2 / n
        within = np.maximum(overall - between, 0)
        f = (between / (k - 1)) / (within / (n - k))
    constant = ~(overall > 1e-12 * np.maximum(square.sum(0), 1e-300))
    return np.where(constant | ~(k > 1) | ~(n > k), 0.0, np.nan_to_num(f, nan=0.0, posinf=np.finfo(float).max))


def variances(X: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """Variance of every feature, missing values left out: ``(n, p)`` -> ``(p,)``."""
    count, total, square = class_moments(X, np.zeros(X.shape[0], int))
    n = np.maximum(count[0], 1)
    return np.maximum(square[0] / n - (total[0] / n) ** 2, 0)


def strongest(score: np.ndarray, k: int) -> np.ndarray:
    """Indices of the ``k`` largest scores, ascending; ties go to the earlier feature."""
    return np.sort(np.argsort(-score, kind="stable")[:k])


class FeatureReducer(TransformerMixin, BaseEstimator):
    """Keep the columns that say most, or replace all by their principal components.

    Parameters
    ----------
    method
        "anova": largest F statistic between classes; "variance"; "pca": components of the standardised table;
        "none": all columns.
    n_kept
        How many columns come out, at most.

    Attributes
    ----------
    kept_
        ``(q,)`` indices of the kept columns, ascending; None after "pca".
    n_features_out_
        Columns that come out.
    """

    def __init__(self, method: Selection = "anova", n_kept: int = 20, random_state: int = 0) -> None:
        self.method = method
        self.n_kept = n_kept
        self.random_state = random_state

    def fit(self, X: np.ndarray | sp.csr_matrix, y: np.ndarray) -> FeatureReducer:
        """Learn from training rows ``X`` ``(n, p)`` with NaN where missing, ``y`` ``(n,)`` class codes."""
        if self.method not in SELECTIONS:
            raise ValueError(f"`selection` must be one of {', '.join(SELECTIONS)}, got {self.method!r}.")
        if self.n_kept < 1:
            raise ValueError(f"`n_selected` must be at least 1, got {self.n_kept}.")
        p = int(X.shape[1])
        self.n_features_in_ = p
        self.kept_: np.ndarray | None = None
        if self.method == "pca" and self.n_kept < p:
            self._fit_components(_dense(X))
            return self
        if self.method == "none" or self.n_kept >= p:
            self.kept_ = np.arange(p)
        else:
            self.kept_ = strongest(anova_f(X, y) if self.method == "anova" else variances(X), self.n_kept)
        self.n_features_out_ = len(self.kept_)
        return self

    def transform(self, X: np.ndarray | sp.csr_matrix) -> np.ndarray:
        """Reduce rows: ``(m, p)`` -> ``(m, q)`` float32, dense, NaN kept where a kept column is missing."""
        check_is_fitted(self, "n_features_out_")
        if self.kept_ is not None:
            return _dense(X[:, self.kept_] if len(self.kept_) < X.shape[1] else X)
        return np.asarray(self.components_.transform(self._standardised(_dense(X))), np.float32)

    def _fit_components(self, X: np.ndarray) -> None:
        with np.errstate(invalid="ignore"):
            present = (~np.isnan(X)).any(0)
            self.median_ = np.zeros(X.shape[1], np.float32)
            self.median_[present] = np.nanmedian(X[:, present], axis=0)
        filled = np.where(np.isnan(X), self.median_, X).astype(np.float64)
        self.mean_, scale = filled.mean(0), filled.std(0)
        self.scale_ = np.where(scale > 1e-12, scale, 1.0)
        q = min(self.n_kept, *X.shape)
        # A solver by size: exact for small cohorts, randomised for large ones; the seed makes both repeatable.
        self.components_ = PCA(q, random_state=self.random_state).fit(self._standardised(X))
        self.n_features_out_ = q

    def _standardised(self, X: np.ndarray) -> np.ndarray:
        return (np.where(np.isnan(X), self.median_, X) - self.mean_) / self.scale_


def _dense(X: np.ndarray | sp.csr_matrix) -> np.ndarray:
    return np.asarray(X if isinstance(X, np.ndarray) else X.toarray(), np.float32)
