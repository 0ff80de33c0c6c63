"""The map networks on raw tables: preprocessing, layout and classifier as one scikit-learn pipeline each.

Everything that is learned is a step, so that a fold's test rows never reach it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from genomap_core.data.preprocess import Preprocessor, refuse_infinite
from genomap_core.layout import GenomapTransformer
from genomap_core.progress import OnProgress
from genomap_core.training.classifier import MapClassifier
from genomap_core.training.linear_start import start_rows
from genomap_core.training.rows import RowMaps

_LAYOUT_ROWS = 10_000  # a correlation of theirs is right within 0.01
_BLOCK = 4096  # sparse rows that are answered together: whole batches of the network


class MapPipeline(Pipeline):
    """Preprocessing, layout and network; of a sparse table ``(n, p)`` only some rows are ever dense.

    The layout of many rows is learned on some of them, drawn by chance.
    """

    def fit(self, X: Any, y: Any = None, *, network__groups: Any = None) -> Self:
        """Learn from a raw table, NaN where a value is missing, dense or CSR; ``groups`` as the network takes them."""
        preprocess, layout, network = (step for _, step in self.steps)
        preprocess.fit(X, y)
        rows = start_rows(_num_samples(X), 0, _LAYOUT_ROWS)
        if sp.issparse(X):
            layout.fit(preprocess.transform(X[rows]))
            maps: Any = RowMaps(X, self[:-1].transform, np.arange(X.shape[0]))
        else:
            table = preprocess.transform(X)
            maps = layout.fit(_safe_indexing(table, rows)).transform(table)
            del table
        network.fit(maps, y, groups=network__groups)
        return self

    def predict_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Probabilities ``(n, k)`` of raw rows."""
        return self._answered(super().predict_proba, X, params)

    def predict(self, X: Any, **params: Any) -> np.ndarray:
        """The likeliest class of each raw row, ``(n,)``."""
        return self._answered(super().predict, X, params)

    @staticmethod
    def _answered(answer: Any, X: Any, params: dict[str, Any]) -> np.ndarray:
        if not sp.issparse(X) or X.shape[0] <= _BLOCK:
            return np.asarray(answer(X, **params))
        X = X.tocsr()
        refuse_infinite(X)  # names the row
        return np.concatenate([answer(X[k : k + _BLOCK], **params) for k in range(0, X.shape[0], _BLOCK)])


def genomap_pipeline(
    *,
    grid: str | tuple[int, int] = "auto",
    solver: str = "ot",
    distance: str = "correlation",
    channels: Sequence[int] | np.ndarray | None = None,
    max_features: int = 4096,
    selection: str = "variance",
    max_epochs: int = 40,
    patience: int = 10,
    n_seeds: int = 2,
    noise: float = 0.5,
    mixup: float = 0.4,
    class_weight: str | Mapping[Any, float] | None = None,
    network: str = "mapcnn",
    network_options: Mapping[str, float | int | bool] | None = None,
    expect_missing: bool = True,
    device: str = "auto",
    checkpoint_dir: str | Path | None = None,
    random_state: int = 0,
    on_progress: OnProgress | None = None,
) -> MapPipeline:
    """Raw table ``(n, p)`` -> genomap -> map network.

    Steps are called ``preprocess``, ``genomap`` and ``network``; ``fit(X, y, network__groups=groups)`` keeps groups
    together in the inner split. ``channels`` ``(p,)`` are codes of omics types, which need ``selection="none"``: the
    preprocessing must then keep every feature. ``expect_missing``: missing values are filled from the row's measured
    ones, and what the model then keeps of its accuracy is measured on inner folds; otherwise they are medians.
    """
    fill = "lowrank" if expect_missing else None
    network_step = MapClassifier(
        network,
        network_options=network_options,
        missing=fill,
        max_epochs=max_epochs,
        patience=patience,
        n_seeds=n_seeds,
        noise=noise,
        mixup=mixup,
        class_weight=class_weight,
        device=device,
        checkpoint_dir=checkpoint_dir,
        random_state=random_state,
        on_progress=on_progress,
    )
    layout_step = GenomapTransformer(
        solver=solver, grid=grid, distance=distance, channels=channels, random_state=random_state
    )
    preprocess = Preprocessor(max_features=max_features, selection=selection, fill=fill or "median")
    return MapPipeline([("preprocess", preprocess), ("genomap", layout_step), ("network", network_step)])


def genonet_pipeline(
    *,
    grid: str | tuple[int, int] = "auto",
    solver: str = "ot",
    max_features: int = 4096,
    max_epochs: int = 100,
    device: str = "auto",
    checkpoint_dir: str | Path | None = None,
    random_state: int = 0,
    on_progress: OnProgress | None = None,
) -> MapPipeline:
    """The published network on the same maps: one network, weighted classes, no augmentation."""
    return genomap_pipeline(
        grid=grid,
        solver=solver,
        max_features=max_features,
        max_epochs=max_epochs,
        patience=20,
        n_seeds=1,
        noise=0.0,
        mixup=0.0,
        class_weight="balanced",
        network="genonet",
        expect_missing=False,
        device=device,
        checkpoint_dir=checkpoint_dir,
        random_state=random_state,
        on_progress=on_progress,
    )
