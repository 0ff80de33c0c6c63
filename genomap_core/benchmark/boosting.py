"""Gradient boosted trees whose depth and number are chosen on inner folds, by the ``lightgbm`` package."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from genomap_core.training.split import Fold, inner_folds, usable


class TunedLightGBM(ClassifierMixin, BaseEstimator):
    """Boosted trees: depth and number of the lowest inner log-loss (early stopping), then fitted on all rows.

    Parameters
    ----------
    depths
        Largest depths tried.
    max_trees, patience
        Rounds at most, and rounds without a better inner log-loss before a fold stops.
    learning_rate
        Weight of a tree.
    n_columns
        Features drawn for each tree, at most 80 % of them.
    n_folds
        Inner folds.
    class_weight
        None: every row weighs the same; "balanced": every class does.

    References
    ----------
    Ke et al., NeurIPS 2017.
    """

    def __init__(
        self,
        depths: tuple[int, ...] = (2, 5),
        max_trees: int = 200,
        patience: int = 10,
        learning_rate: float = 0.1,
        n_columns: int = 300,
        n_folds: int = 3,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.depths = depths
        self.max_trees = max_trees
        self.patience = patience
        self.learning_rate = learning_rate
        self.n_columns = n_columns
        self.n_folds = n_folds
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> TunedLightGBM:
        """``X (n, p)`` finite, ``y (n,)``; rows of one of ``groups`` never part in the inner folds."""
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"The number of classes has to be greater than one; got {len(self.classes_)} class.")
        weights = compute_sample_weight(self.class_weight, codes)
        splits = usable(inner_folds(codes, groups, self.n_folds, self.random_state), codes)
        tried = [(*self._inner(depth, X, codes, weights, splits), depth) for depth in self.depths if splits]
        _, self.n_trees_, self.depth_ = min(tried) if tried else (0.0, 30, self.depths[0])
        parameters = self._parameters(X, self.depth_)
        self.booster_ = _train(parameters, _data(X, codes, weights), self.n_trees_)
        return self

    def _inner(
        self, depth: int, X: np.ndarray, codes: np.ndarray, weights: np.ndarray, splits: list[Fold]
    ) -> tuple[float, int]:
        """Mean held-out log-loss at this depth, and the mean number of trees at which the folds were best."""
        import lightgbm

        losses, trees = 0.0, []
        for train, test in splits:
            data = _data(X[train], codes[train], weights[train])
            held_out = _data(X[test], codes[test], weights[test], data)
            stop = lightgbm.early_stopping(self.patience, verbose=False)
            booster = _train(self._parameters(X[train], depth), data, self.max_trees, held_out, [stop])
            trees.append(max(1, booster.best_iteration))
            losses += len(test) * next(iter(booster.best_score["held_out"].values()))
        return losses, round(float(np.mean(trees)))

    def _parameters(self, X: np.ndarray, depth: int) -> dict[str, Any]:
        n, p = X.shape
        k = len(self.classes_)
        return {
            "objective": "binary" if k == 2 else "multiclass",
            **({} if k == 2 else {"num_class": k}),
            "learning_rate": self.learning_rate,
            "max_depth": depth,
            "num_leaves": min(31, 2**depth),
            "min_data_in_leaf": int(np.clip(n // 20, 1, 20)),  # the package's 20 forbids every split of a small cohort
            "min_data_in_bin": 1 if n < 100 else 3,
            "min_sum_hessian_in_leaf": 1e-3,
            "max_bin": 63,
            "feature_fraction": float(np.clip(self.n_columns / p, 0.01, 0.8)),
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "feature_pre_filter": False,
            "force_col_wise": True,
            "deterministic": True,
            "seed": self.random_state % 2**31,
            "num_threads": int(os.environ.get("OMP_NUM_THREADS", "0") or 0),
            "verbosity": -1,
        }

    def predict_proba(self, X: Any) -> np.ndarray:
        """``(m, k)``, in the order of ``classes_``."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float32)
        proba = np.asarray(self.booster_.predict(X))
        return np.column_stack([1 - proba, proba]) if proba.ndim == 1 else proba

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class: ``(m,)``."""
        return self.classes_[self.predict_proba(X).argmax(1)]


def _data(X: np.ndarray, codes: np.ndarray, weights: np.ndarray, reference: Any = None) -> Any:
    import lightgbm

    return lightgbm.Dataset(X, codes, weight=weights, reference=reference, free_raw_data=False)


def _train(parameters: dict[str, Any], data: Any, n_trees: int, held_out: Any = None, callbacks: Any = None) -> Any:
    import lightgbm

    more = {} if held_out is None else {"valid_sets": [held_out], "valid_names": ["held_out"], "callbacks": callbacks}
    return lightgbm.train(parameters, data, n_trees, **more)
