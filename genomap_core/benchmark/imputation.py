"""Rivals that need no map: missing values filled from components or correlated genes, then a linear model."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from genomap_core.data.fill import LowRankFill
from genomap_core.data.preprocess import Preprocessor
from genomap_core.training.logistic import TunedLogistic

_COMPONENTS = 20
_GENES = 5


class Fill(Protocol):
    """Standardised rows ``(n, q)`` with NaN -> the same without."""

    def apply(self, Z: np.ndarray) -> np.ndarray: ...


class NearestGenes:
    """A missing value is what its 5 most correlated measured features predict, weighted by their correlation."""

    def __init__(self, Z: np.ndarray) -> None:
        S = np.nan_to_num(np.arcsinh(Z))
        self.mean, scale = S.mean(axis=0), S.std(axis=0)
        self.scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
        unit = (S - self.mean) / self.scale
        self.correlation = unit.T @ unit / len(S)

    def apply(self, Z: np.ndarray) -> np.ndarray:
        missing = np.isnan(Z)
        unit = ((np.arcsinh(Z) - self.mean) / self.scale).astype(np.float32)
        for pattern in np.unique(missing, axis=0):
            known, gone = np.flatnonzero(~pattern), np.flatnonzero(pattern)
            rows = np.flatnonzero((missing == pattern).all(axis=1))
            if not len(gone):
                continue
            near = self.correlation[np.ix_(gone, known)]
            if len(known) > _GENES:
                best = np.argpartition(-np.abs(near), _GENES - 1, axis=1)[:, :_GENES]
            else:
                best = np.broadcast_to(np.arange(len(known)), near.shape)
            slopes = np.take_along_axis(near, best, axis=1)
            weight = np.abs(slopes) / np.abs(slopes).sum(axis=1, keepdims=True).clip(1e-9)
            guess = (unit[rows][:, known[best]] * slopes * weight).sum(axis=2) if len(known) else 0.0
            unit[np.ix_(rows, gone)] = guess
        return np.where(missing, np.sinh(unit * self.scale + self.mean), Z).astype(np.float32)


def _components(Z: np.ndarray) -> Fill:
    return LowRankFill.fit(Z, max_rank=_COMPONENTS, noise_rank=_COMPONENTS, common=1.0)


FILLS = {"pca": _components, "genes": NearestGenes, "lowrank": LowRankFill.fit}
"""``pca``: ridge regression on 20 principal components; ``genes``; ``lowrank``: as the map classifier does it."""


class FilledPreprocessor(Preprocessor):
    """The library's preprocessing with another fill of missing values; parameters as there.

    ``way``: one of :data:`FILLS`.
    """

    def __init__(self, max_features: int = 4096, way: str = "pca") -> None:
        super().__init__(max_features=max_features)
        self.way = way

    def fit(self, X: Any, y: Any = None) -> FilledPreprocessor:
        """Learn from a raw table ``(n, p)``."""
        super().fit(X, y)
        self.fill_: Any = FILLS[self.way](self.standardised(X, holed=True))
        return self


def imputing_pipeline(random_state: int = 0, way: str = "pca", max_features: int = 4096) -> Pipeline:
    """Logistic regression behind a fill of missing values; for whole rows the library's own, on its widest features."""
    return Pipeline(
        [
            ("preprocess", FilledPreprocessor(max_features, way)),
            ("squash", FunctionTransformer(np.arcsinh, feature_names_out="one-to-one")),
            ("model", TunedLogistic(random_state=random_state)),
        ]
    )
