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
    rows = np.unique(np.linspace(0, len(z_train) - 1, min(len(z_train), MOST_ROWS)).astype(int))
    train, p = np.asarray(z_train[rows], np.float64), z_train.shape[1]
    k = min(n_nearest, len(train) - 1)
    norms = (train**2).sum(1)
    squared = np.maximum(norms[:, None] + norms[None] - 2 * train @ train.T, 0)
    np.fill_diagonal(squared, np.inf)
    own = np.sqrt(np.sort(squared, axis=1)[:, :k] / p).mean(1)
    new = np.sort(((train - np.asarray(z, np.float64)) ** 2).sum(1))[:k]
    distance = float(np.sqrt(new / p).mean())
    rank = int(np.ceil((len(own) + 1) * (1 - FALSE_ALARM_RATE)))
    limit = float(np.sort(own)[rank - 1]) if rank <= len(own) else float("inf")
    return Likeness(distance, limit, float((own > distance).mean()))
