"""Ridge regression of every gene on plain numbers: what a network from image to expression must beat."""

from __future__ import annotations

import numpy as np

from genomap_core.data.images.statistics import image_statistics
from genomap_core.errors import InputError

PENALTIES = np.logspace(-1, 7, 17)
"""Of the squared weights of standardised columns; the largest leaves little but the mean."""
_INNER_FOLDS = 5


def image_features(images: np.ndarray) -> np.ndarray:
    """Intensity and texture of each channel: ``(n, c, H, W)`` -> ``(n, q)`` float64, see ``image_statistics``."""
    return image_statistics(images)


def ridge_predict(
    train_X: np.ndarray, train_Y: np.ndarray, test_X: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """Fit on ``train_X (n, q)`` and ``train_Y (n, g)``, predict for ``test_X (m, q)``: ``(m, g)`` float64.

    Every gene has a penalty of its own, the one of :data:`PENALTIES` with the least error on left-out training rows:
    each row left out in turn, in closed form (Allen's PRESS, 1974); or, where rows belong to three groups or more
    (``groups (n,)``, spots of one patient), whole groups left out in up to five folds. Columns are standardised on the
    training rows; a constant gene is predicted by its mean.

    Raises
    ------
    InputError
        Values that are missing, or fewer than three training rows.
    """
    X, Y, new = (np.asarray(a, np.float64) for a in (train_X, train_Y, test_X))
    if len(X) < 3 or len(X) != len(Y):
        raise InputError(f"{len(X)} rows of numbers and {len(Y)} of expression: give three or more, as many of each.")
    if not all(np.isfinite(a).all() for a in (X, Y, new)):
        raise InputError(
            "Ridge regression can't take missing or infinite values: fill them or leave those columns out."
        )
    ridge = _Ridge(X, Y)
    own = groups is not None and len(np.unique(groups)) >= 3
    error = _error_of_groups(X, Y, np.asarray(groups)) if own else ridge.left_out_error()
    return ridge.predict(new, PENALTIES[error.argmin(0)])


class _Ridge:
    """All penalties from one singular value decomposition ``U diag(s) V'`` of the standardised columns."""

    def __init__(self, X: np.ndarray, Y: np.ndarray) -> None:
        spread = X.std(0)
        self.mean, self.spread = X.mean(0), np.where(spread > 1e-9 * np.abs(X).max(0), spread, 1.0)
        self.level = Y.mean(0)
        self.residual = Y - self.level
        self.U, self.s, self.Vt = np.linalg.svd((X - self.mean) / self.spread, full_matrices=False)
        self.turned = self.U.T @ self.residual

    def left_out_error(self) -> np.ndarray:
        """``(penalties, g)``: sum of squared errors of rows left out one at a time."""
        found = []
        for penalty in PENALTIES:
            kept = self.s**2 / (self.s**2 + penalty)
            leverage = 1 / len(self.U) + self.U**2 @ kept
            left = (self.residual - self.U @ (kept[:, None] * self.turned)) / (1 - leverage)[:, None]
            found.append((left**2).sum(0))
        return np.stack(found)

    def predict(self, X: np.ndarray, penalty: np.ndarray | float) -> np.ndarray:
        """``(m, g)``, with one penalty for all genes or one each."""
        shrunk = self.s[:, None] / (self.s[:, None] ** 2 + penalty)
        return self.level + ((X - self.mean) / self.spread @ self.Vt.T) @ (shrunk * self.turned)


def _error_of_groups(X: np.ndarray, Y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """``(penalties, g)``: sum of squared errors of whole groups left out."""
    from sklearn.model_selection import GroupKFold

    total = np.zeros((len(PENALTIES), Y.shape[1]))
    for rest, left in GroupKFold(min(_INNER_FOLDS, len(np.unique(groups)))).split(X, groups=groups):
        ridge = _Ridge(X[rest], Y[rest])
        for k, penalty in enumerate(PENALTIES):
            total[k] += ((Y[left] - ridge.predict(X[left], penalty)) ** 2).sum(0)
    return total
