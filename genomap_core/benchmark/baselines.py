"""Pipelines of the baselines that only the study needs, each tuned on inner folds of its training rows."""

from __future__ import annotations

from typing import Any

from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from genomap_core.benchmark.boosting import TunedLightGBM
from genomap_core.benchmark.margins import TunedSVM
from genomap_core.data.preprocess import Preprocessor


def svm_pipeline(random_state: int = 0, max_features: int = 20_000, **options: Any) -> Pipeline:
    """Linear support vector machine; C by inner folds."""
    return _pipeline(TunedSVM(random_state=random_state, **options), max_features)


def lightgbm_pipeline(random_state: int = 0, max_features: int = 4096, **options: Any) -> Pipeline:
    """Gradient boosted trees; depth and number of trees by inner folds."""
    return _pipeline(TunedLightGBM(random_state=random_state, **options), max_features)


def prior_pipeline(random_state: int = 0) -> Pipeline:
    """Class frequencies of the training rows: what chance gives."""
    return _pipeline(DummyClassifier(strategy="prior", random_state=random_state), 1)


def _pipeline(classifier: Any, max_features: int) -> Pipeline:
    return Pipeline([("preprocess", Preprocessor(max_features=max_features)), ("classifier", classifier)])
