"""The map networks on raw tables: preprocessing, layout and classifier as one scikit-learn pipeline each.

Everything that is learned is a step, so that a fold's test rows never reach it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from genomap_core.data.preprocess import Preprocessor
from genomap_core.layout import GenomapTransformer
from genomap_core.progress import OnProgress
from genomap_core.training.classifier import MapClassifier


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
) -> Pipeline:
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
    return Pipeline([("preprocess", preprocess), ("genomap", layout_step), ("network", network_step)])


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
) -> Pipeline:
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
