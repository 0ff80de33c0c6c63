"""Inner splits of the training rows: by class, and never through a group."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

Fold = tuple[np.ndarray, np.ndarray]
"""Row numbers to train on, and to validate on."""


def inner_folds(y: np.ndarray, groups: np.ndarray | None, n_folds: int, seed: int) -> list[Fold]:
    """Folds stratified by class codes ``y``; rows of one group stay together.

    Fewer folds than asked for where no class, or not enough groups, could fill them. A class smaller than the number
    of folds is missing from some of them. None where nothing can be split: every class has one row, or there is one
    group.
    """
    if np.bincount(y).max() < 2 or (groups is not None and len(np.unique(groups)) < 2):
        return []
    rows = np.zeros(len(y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of small classes, said above
        if groups is None:
            n_folds = max(2, min(n_folds, int(np.bincount(y).max())))
            return list(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(rows, y))
        n_folds = max(2, min(n_folds, len(np.unique(groups)), int(np.bincount(y).max())))
        return list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(rows, y, groups))


def usable(folds: list[Fold], y: np.ndarray) -> list[Fold]:
    """The folds that leave at least two classes to train on and one row to validate on."""
    return [(train, test) for train, test in folds if len(test) and len(np.unique(y[train])) > 1]
