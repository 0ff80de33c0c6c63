"""Missing values from what is measured beside them: the most likely row under a Gaussian of low rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.ndimage import gaussian_filter

MAX_RANK = 128
"""Components kept at most."""
_NOISE_RANK = 10  # components taken out before what is left of a feature counts as its noise
_COMMON = 0.1  # of the mean noise in every feature's, so that none counts as measured without error
_BLURS = (1.0, 2.0, 4.0, 8.0, 16.0)  # standard deviations in cells
_LEAST_WEIGHT = 0.01  # of the cells in the window of a blur that must be measured
_MAX_ROWS = 2000  # more tell no more of so few components


def rows_to_learn_from(n: int) -> np.ndarray:
    """All of ``n`` rows, or some evenly spaced ones where there are many."""
    return np.linspace(0, n - 1, min(n, _MAX_ROWS)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class LowRankFill:
    """Factor analysis ``s = mean + z components + e`` with ``z ~ N(0, 1)`` and ``e ~ N(0, noise)``, ``s = arcsinh(x)``.

    Missing values become their expectation given the measured ones of the same row: ridge regression on the components
    (Tipping & Bishop, J. R. Stat. Soc. B 61:611, 1999; a noise of its own for each feature as in factor analysis).
    Values pass through ``arcsinh``, so that no outlier decides what the others are.

    ``mean`` ``(q,)``; ``components`` ``(r, q)`` in standard deviations of their scores; ``noise`` ``(q,)`` above 0.
    """

    mean: np.ndarray
    components: np.ndarray
    noise: np.ndarray

    @classmethod
    def fit(
        cls, Z: np.ndarray, max_rank: int = MAX_RANK, noise_rank: int = _NOISE_RANK, common: float = _COMMON
    ) -> Self:
        """Learn from standardised rows ``(n, q)``; a missing value (NaN) counts as 0, then as that model's guess.

        The noise of a feature is its variance beyond the first ``noise_rank`` components, drawn towards the mean noise
        by ``common`` (0 to 1; with 1 this is probabilistic principal component analysis).
        """
        S = np.arcsinh(Z[rows_to_learn_from(len(Z))])
        missing = np.isnan(S)
        model = cls._of_complete(np.where(missing, np.float32(0), S), max_rank, noise_rank, common)
        return cls._of_complete(model._filled(S, missing), max_rank, noise_rank, common) if missing.any() else model

    @classmethod
    def _of_complete(cls, S: np.ndarray, max_rank: int, noise_rank: int, common: float) -> Self:
        n, q = S.shape
        mean = S.mean(axis=0, dtype=np.float64)
        centred = S - mean
        values, left = np.linalg.eigh(centred @ centred.T if n <= q else centred.T @ centred)
        values, left = values[::-1] / n, left[:, ::-1]
        rank = int((values > 1e-9 * max(values[0], 1e-12)).sum())
        keep = min(rank, max_rank)
        loadings = (left.T[:keep] @ centred) / np.sqrt(n) if n <= q else np.sqrt(values[:keep, None]) * left.T[:keep]
        # Where rows are few their components explain everything: some of them are noise, too.
        n_common = min(noise_rank, max(0, rank - 1), keep)
        unexplained = (centred**2).mean(axis=0) - (loadings[:n_common] ** 2).sum(axis=0)
        noise = (1 - common) * unexplained.clip(0.0) + common * max(float(unexplained.mean()), 1e-3)
        return cls(mean.astype(np.float32), loadings.astype(np.float32), noise.astype(np.float32))

    def apply(self, Z: np.ndarray) -> np.ndarray:
        """Standardised rows ``(n, q)`` with NaN -> float32 without; a row without any value becomes the mean row."""
        missing = np.isnan(Z)
        if not missing.any():
            return Z
        rows = np.flatnonzero(missing.any(axis=1))
        out = Z.astype(np.float32)
        filled = np.sinh(self._filled(np.arcsinh(out[rows]), missing[rows]))
        out[rows] = np.where(missing[rows], filled, out[rows])
        return out

    def _filled(self, S: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Squashed rows; those that lack the same features are solved for together."""
        out = S.astype(np.float64)
        _, first, pattern = np.unique(np.packbits(missing, axis=1), axis=0, return_index=True, return_inverse=True)
        precise = self.components / self.noise
        whole = np.eye(len(self.components)) + (precise @ self.components.T).astype(np.float64)
        for k, example in enumerate(first):
            rows, gone = np.flatnonzero(pattern.ravel() == k), missing[example]
            known = ~gone
            if known.sum() < gone.sum():
                gram = np.eye(len(whole)) + precise[:, known] @ self.components[:, known].T
            else:
                gram = whole - precise[:, gone] @ self.components[:, gone].T
            scores = np.linalg.solve(gram, precise[:, known] @ (out[np.ix_(rows, known)] - self.mean[known]).T)
            out[np.ix_(rows, gone)] = self.mean[gone] + scores.T @ self.components[:, gone]
        return out.astype(np.float32)


def fill_on_map(maps: np.ndarray, has_feature: np.ndarray) -> np.ndarray:
    """Missing cells from their neighbours on the map: normalised Gaussian blurs, the finest that reaches a value.

    ``maps`` ``(n, c, H, W)`` with NaN where a value is missing; ``has_feature`` ``(c, H, W)``: cells that hold one.
    What no blur reaches is 0 (normalised convolution: Knutsson & Westin, CVPR 1993).
    """
    weight = (~np.isnan(maps) & has_feature).astype(np.float32)
    values = np.where(weight > 0, maps, np.float32(0))
    filled, left = values.copy(), np.isnan(maps) & has_feature
    for sigma in _BLURS:
        if not left.any():
            break
        window = gaussian_filter(has_feature.astype(np.float32), (0, sigma, sigma), mode="constant", truncate=3.0)
        reach = gaussian_filter(weight, (0, 0, sigma, sigma), mode="constant", truncate=3.0)
        blurred = gaussian_filter(values, (0, 0, sigma, sigma), mode="constant", truncate=3.0)
        reached = left & (reach > _LEAST_WEIGHT * window)
        filled[reached] = blurred[reached] / reach[reached]
        left &= ~reached
    return filled
