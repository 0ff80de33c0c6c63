"""A learner that lives on the map: missing values come from neighbouring cells, and convolutions alone answer."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from genomap_core.data.fill import fill_on_map
from genomap_core.data.preprocess import Preprocessor
from genomap_core.layout import GenomapTransformer, Layout
from genomap_core.training.classifier import MapClassifier


class MapLearner(ClassifierMixin, BaseEstimator):
    """The map network without its linear path, behind a fill on the map, trained on rows with features missing.

    Nothing but the layout says which features belong together, so that a random one shows what the layout is worth.

    Parameters
    ----------
    solver, layout_seed
        Of the layout; None: ``random_state``.
    layout
        Of the table's columns, to use as it is, such as a reference map's; there must be ``max_features`` at most.
    max_features, max_epochs, device, random_state
        As in :func:`genomap_core.training.genomap_pipeline`.
    """

    def __init__(
        self,
        solver: str = "ot",
        layout_seed: int | None = None,
        layout: Layout | None = None,
        max_features: int = 4096,
        max_epochs: int = 40,
        device: str = "auto",
        random_state: int = 0,
    ) -> None:
        self.solver = solver
        self.layout_seed = layout_seed
        self.layout = layout
        self.max_features = max_features
        self.max_epochs = max_epochs
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Learn from a raw table ``(n, p)``, NaN where a value is missing."""
        self.preprocessor_ = Preprocessor(max_features=self.max_features).fit(X)
        seed = self.random_state if self.layout_seed is None else self.layout_seed
        layout = GenomapTransformer(solver=self.solver, random_state=seed, layout=self.layout)
        self.layout_ = layout.fit(self.preprocessor_.transform(X)).layout_
        self.has_feature_ = self.layout_.to_maps(np.ones((1, self.layout_.n_features), np.float32))[0] > 0
        self.network_ = MapClassifier(
            network_options={"linear": False},
            missing="map",
            lose_features=True,
            max_epochs=self.max_epochs,
            device=self.device,
            random_state=self.random_state,
        ).fit(self._maps(X), y, groups)
        self.classes_ = self.network_.classes_
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """``(n, k)``, columns as in ``classes_``."""
        check_is_fitted(self)
        return self.network_.predict_proba(self._maps(X))

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row, ``(n,)``."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _maps(self, X: Any) -> np.ndarray:
        holed = self.preprocessor_.standardised(X, holed=True)
        return fill_on_map(np.asarray(self.layout_.to_maps(holed), np.float32), self.has_feature_)
