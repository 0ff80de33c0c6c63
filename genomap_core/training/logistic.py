"""Logistic regression whose penalty is chosen on inner folds, at the cost of the samples and not of the features."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from genomap_core.training.split import inner_folds


class TunedLogistic(ClassifierMixin, BaseEstimator):
    """Multinomial logistic regression, ridge penalty, ``C`` by inner cross-entropy.

    A ridge penalty doesn't change under rotation: the rows are first rotated onto their own ``r <= min(n, p)``
    dimensions, which is exact, and 20,000 features cost no more than n.
    """

    def __init__(self, n_values=8, n_folds=5, class_weight=None, random_state=0):
        self.n_values = n_values
        self.n_folds = n_folds
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X, y, groups=None):
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32))
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.centre_ = X.mean(axis=0, dtype=np.float64)
        U, s, Vt = rotate(X - self.centre_)
        Z = U * s
        unit = np.sqrt((Z**2).sum(axis=1).mean()) or 1.0
        Z = Z / unit
        Cs = np.logspace(-1, 5, self.n_values)
        losses = np.zeros(len(Cs))
        for train, test in inner_folds(codes, groups, self.n_folds, self.random_state):
            model = self._model()
            for k, C in enumerate(Cs):
                model.set_params(C=C)
                self._fit(model, Z[train], codes[train])
                losses[k] += log_loss(codes[test], full_proba(model, Z[test], len(self.classes_)), labels=np.arange(len(self.classes_)), normalize=False)
        self.C_ = float(Cs[int(np.argmin(losses))])
        self.losses_ = losses / len(X)
        model = self._fit(self._model().set_params(C=self.C_), Z, codes)
        self.coef_ = model.coef_ @ Vt / unit
        self.intercept_ = model.intercept_
        return self

    def _model(self):
        return LogisticRegression(warm_start=True, max_iter=300, tol=1e-4, class_weight=self.class_weight)

    def _fit(self, model, Z, codes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(Z, codes)

    def decision_function(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        d = (X - self.centre_) @ self.coef_.T + self.intercept_
        return d.ravel() if d.shape[1] == 1 else d

    def predict_proba(self, X):
        d = self.decision_function(X)
        if d.ndim == 1:
            p = 1 / (1 + np.exp(-d))
            return np.column_stack([1 - p, p])
        e = np.exp(d - d.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def full_proba(model, Z, n_classes):
    P = np.full((len(Z), n_classes), 1e-6)
    P[:, model.classes_] = model.predict_proba(Z)
    return P / P.sum(axis=1, keepdims=True)


def rotate(X):
    n, p = X.shape
    if n >= p:
        return np.linalg.svd(X, full_matrices=False)
    values, U = np.linalg.eigh(X @ X.T)
    keep = values > values.max() * 1e-10
    s = np.sqrt(values[keep])
    U = U[:, keep]
    return U, s, (U / s).T @ X
