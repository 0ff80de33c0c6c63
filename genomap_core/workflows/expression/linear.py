"""Ridge regression of many genes at once, and the same fitted again to expression that chance has given away.

Everything of the features is worked out once; a further column of expression costs a matrix product. So hundreds of
permutations, each with its own fit and its own penalty for every gene, take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from genomap_core.errors import InputError

PENALTIES = np.logspace(-1, 7, 17)
"""Of the squared weights of standardised columns; the largest leaves little but the mean."""
_INNER_FOLDS = 5
_COLUMNS = 20_000
"""Columns fitted at a time: 160 patients' take 26 MB."""


@dataclass(frozen=True, eq=False)
class _Decomposed:
    """Standardised columns ``X (n, q) = U S V'``, and what is predicted for other rows ``new (m, q)``: ``new V``."""

    U: np.ndarray
    S: np.ndarray
    turned: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, new: np.ndarray) -> _Decomposed:
        scaler = StandardScaler().fit(X)
        U, S, Vt = np.linalg.svd(scaler.transform(X), full_matrices=False)
        kept = np.greater(S, 1e-10 * max(float(S[0]), 1.0))
        return cls(U[:, kept], S[kept], scaler.transform(new) @ Vt[kept].T)

    def predict(self, along: np.ndarray, penalty: np.ndarray | float) -> np.ndarray:
        """``(m, g)`` from ``along = U'Y (k, g)``; one penalty, or one a column."""
        weight = self.S[:, None] / (self.S[:, None] ** 2 + penalty)
        return self.turned @ (weight * along)


class RidgeFit:
    """Ridge regression of any expression of the same rows, each column with a penalty of its own.

    The penalty is the one of :data:`PENALTIES` with the least error on left-out training rows: each row left out in
    turn, in closed form (Allen's PRESS, 1974); or, where rows belong to three groups or more (``groups (n,)``, spots
    of one patient), whole groups left out in up to five folds. Columns of ``train_X (n, q)`` are standardised; answers
    are for ``test_X (m, q)``.

    Raises
    ------
    InputError
        Values that are missing, or fewer than three training rows.
    """

    def __init__(
        self,
        train_X: np.ndarray,
        test_X: np.ndarray,
        groups: np.ndarray | None = None,
        penalties: np.ndarray = PENALTIES,
    ) -> None:
        X, new = (np.asarray(a, np.float64) for a in (train_X, test_X))
        if len(X) < 3:
            raise InputError(f"{len(X)} rows of numbers: give three or more.")
        _finite(X, new)
        self.n, self.penalties = len(X), penalties
        self._all = _Decomposed.of(X, new)
        self._inner: list[tuple[np.ndarray, np.ndarray, _Decomposed]] = []
        if groups is not None and len(np.unique(groups)) >= 3:
            splits = GroupKFold(min(_INNER_FOLDS, len(np.unique(groups)))).split(X, groups=groups)
            self._inner = [(rest, left, _Decomposed.of(X[rest], X[left])) for rest, left in splits]

    def predict(self, Y: np.ndarray) -> np.ndarray:
        """Learn ``Y (n, g)``, answer for the test rows: ``(m, g)`` in the precision of ``Y``."""
        if len(Y) != self.n:
            raise InputError(f"{self.n} rows of numbers and {len(Y)} of expression: give as many of each.")
        _finite(Y)
        found = np.empty((len(self._all.turned), Y.shape[1]), Y.dtype)
        for start in range(0, Y.shape[1], _COLUMNS):
            part = Y[:, start : start + _COLUMNS]
            mean = part.mean(axis=0)
            penalty = self.penalties[(self._group_errors(part) if self._inner else self._row_errors(part)).argmin(0)]
            found[:, start : start + _COLUMNS] = mean + self._all.predict(self._all.U.T @ (part - mean), penalty)
        return found

    def _row_errors(self, Y: np.ndarray) -> np.ndarray:
        """``(penalties, g)``: sum of squared errors of rows left out one by one."""
        U, S = self._all.U, self._all.S
        moved = Y - Y.mean(axis=0)
        along, total = U.T @ moved, []
        for penalty in self.penalties:
            shrink = S**2 / (S**2 + penalty)
            left = 1 - 1 / self.n - U**2 @ shrink
            total.append((((moved - U @ (shrink[:, None] * along)) / left[:, None]) ** 2).sum(axis=0))
        return np.array(total)

    def _group_errors(self, Y: np.ndarray) -> np.ndarray:
        """The same of whole groups left out."""
        total = np.zeros((len(self.penalties), Y.shape[1]))
        for rest, left, known in self._inner:
            mean = Y[rest].mean(axis=0)
            along, missed = known.U.T @ (Y[rest] - mean), Y[left] - mean
            for k, penalty in enumerate(self.penalties):
                total[k] += ((missed - known.predict(along, penalty)) ** 2).sum(axis=0)
        return total


def ridge_predict(
    train_X: np.ndarray, train_Y: np.ndarray, test_X: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """:class:`RidgeFit` of one expression ``(n, g)``: ``(m, g)`` float64."""
    return RidgeFit(train_X, test_X, groups).predict(np.asarray(train_Y, np.float64))


def out_of_fold(parts: Sequence[tuple[np.ndarray, np.ndarray, RidgeFit]], Y: np.ndarray) -> np.ndarray:
    """Learn ``Y (n, g)`` on the training rows of every fold and answer for its test rows: ``(n, g)``.

    ``parts``: training rows, test rows, and the fit of their features.
    """
    found = np.zeros_like(Y)
    for train, test, fit in parts:
        found[test] = fit.predict(Y[train])
    return found


def _finite(*arrays: np.ndarray) -> None:
    if not all(np.isfinite(a).all() for a in arrays):
        raise InputError(
            "Ridge regression can't take missing or infinite values: fill them or leave those columns out."
        )
