"""How steady a model's answer for one patient is, as noise grows and as features are lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.perturb import Perturbation, perturb

NOISE = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)
"""Levels, in standard deviations of each feature."""
KEPT = (1.0, 0.8, 0.5, 0.2, 0.1, 0.05)
"""Shares of the features that stay."""
DRAWS = 6
"""Of the noise, and of the features lost."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Probabilities of one class along one axis: ``at (k,)``; ``mean``, ``low``, ``high`` ``(k,)`` over the draws."""

    at: tuple[float, ...]
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def disturbed_rows(dataset: Dataset, row: int, scale: np.ndarray, seed: int = 0) -> np.ndarray:
    """The patient under every level of both axes and every draw: ``((len(NOISE) + len(KEPT)) DRAWS, p)`` raw rows.

    What a smaller share keeps a larger one keeps too, and levels differ in amplitude only. ``scale (p,)``: standard
    deviation of each feature.
    """
    x = dataset.X[[row]]
    asked = [(level, 1.0) for level in NOISE] + [(0.0, share) for share in KEPT]
    return np.vstack(
        [
            perturb(x, np.array([row]), scale, Perturbation(level, keep, seed + draw))
            for level, keep in asked
            for draw in range(DRAWS)
        ]
    )


def curves_of(proba: np.ndarray, target: int) -> tuple[Curve, Curve]:
    """Of noise and of features kept, from the probabilities ``(m, C)`` of :func:`disturbed_rows`."""
    values = proba[:, target].reshape(-1, DRAWS)
    return _curve(NOISE, values[: len(NOISE)]), _curve(KEPT, values[len(NOISE) :])


def _curve(at: tuple[float, ...], values: np.ndarray) -> Curve:
    return Curve(at, values.mean(axis=1), values.min(axis=1), values.max(axis=1))
