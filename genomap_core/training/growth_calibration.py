"""Probabilities that mean what they say: a temperature, and an offset for "no tumour", fitted on held-out images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from genomap_core.errors import InputError


@dataclass(frozen=True, slots=True)
class Calibration:
    """``softmax(log p / temperature + offset)``, the offset for one class only."""

    temperature: float = 1.0
    offset: float = 0.0
    """Added to the logarithm of class ``of``: below 0 it is said less often."""
    of: int = 0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise InputError(f"`temperature` must be > 0, got {self.temperature}.")

    def __call__(self, proba: np.ndarray) -> np.ndarray:
        """``(n, C)`` -> the same, calibrated."""
        logits = np.log(np.maximum(proba, 1e-12)) / self.temperature
        logits[:, self.of] += self.offset
        return np.asarray(softmax(logits, axis=1))


def fit_calibration(proba: np.ndarray, y: np.ndarray, of: int, most: float = np.inf) -> Calibration:
    """Temperature (Guo et al., ICML 2017) and offset of class ``of`` with the least cross-entropy; classes weigh alike.

    ``proba (n, C)`` and ``y (n,)`` belong to images that no weight was fitted on. ``most``: the largest offset; 0 where
    saying class ``of`` too often is the worse error.
    """
    logits = np.log(np.maximum(proba, 1e-12))
    weight = 1 / np.bincount(y, minlength=proba.shape[1])[y]

    def loss(x: np.ndarray) -> float:
        scaled = logits * np.exp(-x[0])
        scaled[:, of] += min(x[1], most)
        return float(-(weight * log_softmax(scaled, axis=1)[np.arange(len(y)), y]).sum() / weight.sum())

    best = minimize(loss, np.zeros(2), method="Nelder-Mead").x
    return Calibration(float(np.exp(best[0])), float(min(best[1], most)), of)
