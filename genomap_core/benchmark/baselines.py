"""Pipelines of the baselines that only the study needs, each tuned on inner folds of its training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from genomap_core.benchmark.boosting import TunedLightGBM
from genomap_core.benchmark.linear_svm import TunedSVM
from genomap_core.data.preprocess import Preprocessor


def svm_pipeline(random_state: int = 0, squash: bool = True, **options: Any) -> Pipeline:
    """Linear support vector machine on every feature; C by inner folds.

    ``squash``: features pass through ``arcsinh``, as they do before the library's logistic regression and network.
    """
    steps: list[tuple[str, Any]] = [("preprocess", Preprocessor(selection="none"))]
    if squash:
        steps.append(("squash", FunctionTransformer(np.arcsinh, feature_names_out="one-to-one")))
    return Pipeline([*steps, ("classifier", TunedSVM(random_state=random_state, **options))])


def lightgbm_pipeline(random_state: int = 0, max_features: int = 4096, **options: Any) -> Pipeline:
    """Gradient boosted trees; depth and number of trees by inner folds."""
    return Pipeline(
        [
            ("preprocess", Preprocessor(max_features=max_features, scale=False)),
            ("classifier", TunedLightGBM(random_state=random_state, **options)),
        ]
    )


def mlp_pipeline(random_state: int = 0, max_features: int = 4096, **options: Any) -> Pipeline:
    """A plain multilayer perceptron: one hidden layer, medians for missing values, nothing tuned."""
    network = MLPClassifier((64,), **{"alpha": 1.0, "max_iter": 500, **options}, random_state=random_state)
    return Pipeline(
        [
            ("preprocess", Preprocessor(max_features=max_features)),
            ("squash", FunctionTransformer(np.arcsinh, feature_names_out="one-to-one")),
            ("classifier", network),
        ]
    )


def prior_pipeline(random_state: int = 0) -> Pipeline:
    """Class frequencies of the training rows: what chance gives."""
    chance = DummyClassifier(strategy="prior", random_state=random_state)
    return Pipeline([("preprocess", Preprocessor(max_features=1)), ("classifier", chance)])
