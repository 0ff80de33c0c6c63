"""Logistic regression whose penalty is chosen on inner folds, at the cost of the rows and not of the features."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from genomap_core.errors import InputError
from genomap_core.training.split import Fold, inner_folds, usable

_STRENGTHS = np.logspace(-1, 5, 9)
"""Inverse penalties tried, for rows of mean squared length 1."""


class TunedLogistic(ClassifierMixin, BaseEstimator):
    """Multinomial logistic regression with a ridge penalty; ``C`` has the least cross-entropy on inner folds.

    The penalty doesn't change under rotation: rows are rotated onto the ``r <= min(n, p)`` directions they span, which
    is exact, so that 20,000 features cost no more than ``n``.

    Parameters
    ----------
    n_folds
        Inner folds, by class, and by group if ``groups`` are given to ``fit``.
    class_weight
        As in scikit-learn.
    random_state
        Of the inner folds.

    Attributes
    ----------
    C_ : float
        Chosen inverse penalty, in scikit-learn's meaning for the features as given.
    coef_, intercept_ : (k, p) and (k,) arrays (one row for two classes)
    """

    def __init__(self, n_folds: int = 5, class_weight: Any = None, random_state: int = 0) -> None:
        self.n_folds = n_folds
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on ``(n, p)`` without NaN."""
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32))
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError("A classifier needs rows of two classes at least: the training rows have one class.")
        centre = X.mean(axis=0, dtype=np.float64)
        rotated, back = rotate(X - centre)
        size = float(np.sqrt((rotated**2).sum(axis=1).mean())) or 1.0
        rotated /= size
        folds = usable(inner_folds(codes, groups, self.n_folds, self.random_state), codes)
        strength = self._best_strength(rotated, codes, folds)
        self.C_ = strength / size**2
        model = self._fit_one(self._model(strength).set_params(tol=1e-8, max_iter=5000), rotated, codes)
        self.coef_ = (model.coef_ @ back) / size
        self.intercept_ = model.intercept_ - self.coef_ @ centre
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Log odds ``(n,)`` of the second of two classes, or logits ``(n, k)``."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        scores = X @ self.coef_.T + self.intercept_
        return scores.ravel() if scores.shape[1] == 1 else scores

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities ``(n, k)``, columns as in ``classes_``."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row, ``(n,)``."""
        scores = self.decision_function(X)
        winners = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[winners]

    def _best_strength(self, rows: np.ndarray, codes: np.ndarray, folds: list[Fold]) -> float:
        losses = np.zeros(len(_STRENGTHS))
        for train, test in folds:
            model = self._model(1.0)
            for k, strength in enumerate(_STRENGTHS):  # each starts where the weaker penalty before it ended
                self._fit_one(model.set_params(C=strength), rows[train], codes[train])
                losses[k] += _cross_entropy(model, rows[test], codes[test])
        return float(_STRENGTHS[int(np.argmin(losses))]) if folds else 1.0

    def _model(self, strength: float) -> LogisticRegression:
        return LogisticRegression(C=strength, warm_start=True, max_iter=300, tol=1e-5, class_weight=self.class_weight)

    @staticmethod
    def _fit_one(model: LogisticRegression, rows: np.ndarray, codes: np.ndarray) -> LogisticRegression:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the weakest penalties end at the iteration limit
            return model.fit(rows, codes)


def rotate(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred rows in a basis of the space they span: ``(n, p)`` -> ``(n, r)`` and the basis ``(r, p)``."""
    n, p = X.shape
    if p <= n:
        return X.astype(np.float64), np.eye(p)
    values, vectors = np.linalg.eigh(X @ X.T)
    kept = values > values[-1] * n * np.finfo(np.float64).eps
    if not kept.any():
        return np.zeros((n, 1)), np.zeros((1, p))
    sizes = np.sqrt(values[kept])
    return vectors[:, kept] * sizes, (vectors[:, kept] / sizes).T @ X


def _cross_entropy(model: LogisticRegression, rows: np.ndarray, codes: np.ndarray) -> float:
    """Summed over the rows; a class unknown to the model counts as probability 1e-6."""
    probability = np.full((len(rows), max(int(codes.max()), int(model.classes_.max())) + 1), 1e-6)
    probability[:, model.classes_] = model.predict_proba(rows)
    return -float(np.log(np.maximum(probability[np.arange(len(rows)), codes], 1e-6)).sum())
