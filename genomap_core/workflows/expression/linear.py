"""Ridge regression of every gene on plain numbers: what a network from image to expression must beat."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

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
    scaler = StandardScaler().fit(X)
    if groups is not None and len(np.unique(groups)) >= 3:
        penalty = PENALTIES[_error_of_groups(X, Y, np.asarray(groups)).argmin(0)]
    else:
        penalty = RidgeCV(PENALTIES, alpha_per_target=True).fit(scaler.transform(X), Y).alpha_
    return _fit_predict(scaler.transform(X), Y, scaler.transform(new), penalty)


def _fit_predict(X: np.ndarray, Y: np.ndarray, new: np.ndarray, penalty: np.ndarray | float) -> np.ndarray:
    """``(m, g)`` from standardised columns, with one penalty for all genes or one each."""
    found = Ridge(penalty, solver="svd").fit(X, Y).predict(new)
    return found.reshape(len(new), -1)  # of a single gene scikit-learn gives a vector


def _error_of_groups(X: np.ndarray, Y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """``(penalties, g)``: sum of squared errors of whole groups left out."""
    total = np.zeros((len(PENALTIES), Y.shape[1]))
    for rest, left in GroupKFold(min(_INNER_FOLDS, len(np.unique(groups)))).split(X, groups=groups):
        scaler = StandardScaler().fit(X[rest])
        seen, new = scaler.transform(X[rest]), scaler.transform(X[left])
        for k, penalty in enumerate(PENALTIES):
            total[k] += ((Y[left] - _fit_predict(seen, Y[rest], new, penalty)) ** 2).sum(0)
    return total
