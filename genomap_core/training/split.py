"""Inner splits of the training rows: by class, and never through a group."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold


def inner_folds(
    y: np.ndarray, groups: np.ndarray | None, n_folds: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """``(train, test)`` row numbers of each fold. Classes smaller than ``n_folds`` are missing from some folds."""
    n_folds = min(n_folds, len(y) if groups is None else len(np.unique(groups)))
    counts = np.bincount(y)
    if groups is None:
        n_folds = max(2, min(n_folds, int(counts.max())))
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        yield from folds.split(np.zeros(len(y)), y)
    else:
        yield from StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(np.zeros(len(y)), y, groups)


