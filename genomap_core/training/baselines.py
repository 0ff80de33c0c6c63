"""The baselines on raw tables, as one scikit-learn pipeline each; without torch, so that they answer first."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from genomap_core.data.preprocess import Preprocessor
from genomap_core.training.logistic import TunedLogistic


class LinearPipeline(Pipeline):
    """A pipeline of `Preprocessor`, a cell-wise ``arcsinh`` or nothing, and a linear classifier; with its gradients."""

    @property
    def reference_row_(self) -> np.ndarray:
        """``(p,)`` the mean training row, from which attributions count; 0 after standardisation."""
        preprocess = self.named_steps["preprocess"]
        row = np.array(preprocess.median_, np.float64)
        row[preprocess.kept_] = preprocess.mean_
        return row

    def input_gradients(self, X: np.ndarray, index: int, *, log_odds: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Log-odds (or probability) of a class for raw rows ``(m, p)``, and its gradient: ``(m,)``, ``(m, p)``."""
        preprocess, model = self.named_steps["preprocess"], self.named_steps["model"]
        z = preprocess.transform(X).astype(np.float64)
        squash = "squash" in self.named_steps
        slope = (1 / np.sqrt(1 + z**2) if squash else 1.0) / preprocess.scale_
        scores = (np.arcsinh(z) if squash else z) @ model.coef_.T + model.intercept_
        weight = model.coef_
        if len(weight) == 1:
            scores, weight = np.column_stack([0 * scores, scores]), np.vstack([0 * weight, weight])
        proba = softmax(scores, axis=1)
        others = np.delete(scores, index, axis=1)
        odds = scores[:, index] - logsumexp(others, axis=1)
        towards = weight[index] - softmax(others, axis=1) @ np.delete(weight, index, axis=0)
        size = np.ones(len(z)) if log_odds else proba[:, index] * (1 - proba[:, index])
        gradient = np.zeros(np.shape(X))
        gradient[:, preprocess.kept_] = size[:, None] * towards * slope
        return odds if log_odds else proba[:, index], gradient


def logistic_pipeline(*, squash: bool = True, class_weight: Any = None, random_state: int = 0) -> LinearPipeline:
    """Logistic regression on every feature, its penalty chosen on inner folds.

    ``squash``: features pass through ``arcsinh`` as in the map network, so that the two differ in the model only.
    """
    steps: list[tuple[str, Any]] = [("preprocess", Preprocessor(selection="none"))]
    if squash:
        steps.append(("squash", FunctionTransformer(np.arcsinh, feature_names_out="one-to-one")))
    return LinearPipeline([*steps, ("model", TunedLogistic(class_weight=class_weight, random_state=random_state))])


def forest_pipeline(
    *, n_trees: int = 500, class_weight: Any = None, random_state: int = 0, n_jobs: int = 1
) -> Pipeline:
    """Random forest on every feature."""
    forest = RandomForestClassifier(
        n_estimators=n_trees, class_weight=class_weight, random_state=random_state, n_jobs=n_jobs
    )
    return Pipeline([("preprocess", Preprocessor(selection="none", scale=False)), ("model", forest)])
