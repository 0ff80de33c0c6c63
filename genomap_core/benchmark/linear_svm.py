"""A linear support vector machine whose penalty is chosen, and whose margins become probabilities, on inner folds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from genomap_core.training.logistic import rotate
from genomap_core.training.split import inner_folds, usable

_UNSEEN = -2.0  # margin of a class that an inner fold's training rows don't hold


class TunedSVM(ClassifierMixin, BaseEstimator):
    """Linear SVM (squared hinge, one class against the rest) with the ``C`` of the lowest inner log-loss.

    Margins become probabilities by one number, a temperature fitted on held-out margins of the inner folds: the order
    of the classes stays the machine's own. As for every ridge penalty, the rows are first rotated onto their own
    ``r <= min(n, p)`` dimensions, which changes nothing but the cost.

    Parameters
    ----------
    Cs
        The penalties tried, for rows of mean length 1.
    n_folds
        Inner folds.
    class_weight
        None: every row weighs the same; "balanced": every class does.

    References
    ----------
    Guo et al., ICML 2017 (temperature scaling).
    """

    def __init__(
        self,
        Cs: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0),
        n_folds: int = 5,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.Cs = Cs
        self.n_folds = n_folds
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> TunedSVM:
        """``X (n, p)`` standardised, ``y (n,)``; rows of one of ``groups`` never part in the inner folds."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"The number of classes has to be greater than one; got {len(self.classes_)} class.")
        self.centre_ = X.mean(0)
        Z, basis = rotate(X - self.centre_)
        unit = float(np.sqrt((Z**2).sum(1).mean())) or 1.0
        Z = Z / unit
        self.C_, self.sharpness_ = self._tune(Z, codes, groups)
        machine = self._machine(Z, codes, self.C_)
        self.coef_ = machine.coef_ @ basis / unit
        self.intercept_ = machine.intercept_
        return self

    def _tune(self, Z: np.ndarray, codes: np.ndarray, groups: Any) -> tuple[float, float]:
        """The penalty with the lowest inner log-loss, and the sharpness that gives it."""
        splits = usable(inner_folds(codes, groups, self.n_folds, self.random_state), codes)
        if not splits:
            return 1.0, 1.0
        truth = codes[np.concatenate([test for _, test in splits])]
        tried = []
        for C in self.Cs:
            held_out = np.concatenate([self._held_out(Z, codes, train, test, C) for train, test in splits])
            sharpness, loss = fit_sharpness(held_out, truth)
            tried.append((loss, C, sharpness))
        _, C, sharpness = min(tried)
        return float(C), sharpness

    def _held_out(self, Z: np.ndarray, codes: np.ndarray, train: np.ndarray, test: np.ndarray, C: float) -> np.ndarray:
        machine = self._machine(Z[train], codes[train], C)
        margins = np.full((len(test), len(self.classes_)), _UNSEEN)
        margins[:, machine.classes_] = two_sided(machine.decision_function(Z[test]))
        return margins

    def _machine(self, Z: np.ndarray, codes: np.ndarray, C: float) -> LinearSVC:
        machine = LinearSVC(C=C, class_weight=self.class_weight, random_state=self.random_state, max_iter=1000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return machine.fit(Z, codes)

    def decision_function(self, X: Any) -> np.ndarray:
        """Margins ``(m, k)``, or ``(m,)`` of the second class where there are two."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        margins = (X - self.centre_) @ self.coef_.T + self.intercept_
        return margins[:, 0] if len(self.classes_) == 2 else margins

    def predict_proba(self, X: Any) -> np.ndarray:
        """``(m, k)``, in the order of ``classes_``."""
        return softmax(self.sharpness_ * two_sided(self.decision_function(X)), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The class of the largest margin: ``(m,)``."""
        return self.classes_[two_sided(self.decision_function(X)).argmax(1)]


def two_sided(margins: np.ndarray) -> np.ndarray:
    """Margins with a column a class: ``(m,)`` of two classes -> ``(m, 2)`` with opposite signs."""
    return margins if margins.ndim == 2 else np.column_stack([-margins, margins])


def fit_sharpness(margins: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """The factor on margins ``(n, k)`` whose softmax has the lowest mean log-loss, and that loss."""

    def loss(log_factor: float) -> float:
        return float(-log_softmax(np.exp(log_factor) * margins, axis=1)[np.arange(len(codes)), codes].mean())

    found = minimize_scalar(loss, bounds=(-4.0, 3.0), method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x)), float(found.fun)
