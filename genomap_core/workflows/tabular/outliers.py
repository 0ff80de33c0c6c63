"""Is this patient like those a model was trained on? Distance on the map to the nearest training patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_NEAREST = 5
MOST_ROWS = 2000
"""Training patients compared with each other; of more, evenly chosen ones."""
FALSE_ALARM_RATE = 0.05


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far a patient lies from the training patients, beside how far those lie from each other."""

    distance: float
    """Root-mean-square difference over the features, in standard deviations, to the nearest training patients"""
    limit: float
    """What 95 % of the training patients stay below, each measured against the others"""
    share_beyond: float
    """Share of training patients that lie further out than this one"""

    @property
    def unlike(self) -> bool:
        """True for one in twenty patients of the same kind: that is the false-alarm rate."""
        return self.distance > self.limit


def likeness(z_train: np.ndarray, z: np.ndarray, n_nearest: int = N_NEAREST) -> Likeness:
    """Compare ``z (p,)`` with ``z_train (n, p)``, standardised values, by the mean distance to the nearest neighbours.

    The limit is conformal: the ``ceil((n + 1) * 0.95)``-th smallest of the training patients' own leave-one-out
    distances (Vovk, Gammerman and Shafer, 2005), infinite where there are fewer than 19.
    """
    own, new = _distances(z_train, np.asarray(z)[None], n_nearest)
    return Likeness(float(new[0]), _limit(own), float((own > new[0]).mean()))


def unlike_rows(z: np.ndarray, fold_of_row: np.ndarray, n_nearest: int = N_NEAREST) -> np.ndarray:
    """``(n,)`` bool: which patients of ``z (n, p)`` are unlike the patients of the other folds.

    Among patients of one kind their share is the false-alarm rate.
    """
    flagged = np.zeros(len(z), bool)
    for fold in np.unique(fold_of_row):
        rows = fold_of_row == fold
        own, new = _distances(z[~rows], z[rows], n_nearest)
        flagged[rows] = new > _limit(own)
    return flagged


def _distances(z_train: np.ndarray, z: np.ndarray, n_nearest: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean distance to the nearest training patients: of these, each without itself; and of ``z (m, p)``."""
    rows = np.unique(np.linspace(0, len(z_train) - 1, min(len(z_train), MOST_ROWS)).astype(int))
    train, asked = np.asarray(z_train[rows], np.float64), np.asarray(z, np.float64)
    k, p = min(n_nearest, len(train) - 1), train.shape[1]
    norms = (train**2).sum(1)
    own = np.maximum(norms[:, None] + norms[None] - 2 * train @ train.T, 0)
    np.fill_diagonal(own, np.inf)
    new = np.maximum((asked**2).sum(1)[:, None] + norms[None] - 2 * asked @ train.T, 0)
    nearest_own, nearest_new = (np.sqrt(np.sort(d, axis=1)[:, :k] / p).mean(1) for d in (own, new))
    return nearest_own, nearest_new


def _limit(own: np.ndarray) -> float:
    rank = int(np.ceil((len(own) + 1) * (1 - FALSE_ALARM_RATE)))
    return float(np.sort(own)[rank - 1]) if rank <= len(own) else float("inf")
