"""Baselines that only the study needs, each tuned on inner folds: trees, a linear SVM, models behind imputation."""

from __future__ import annotations

import os
import warnings
from typing import Any, Protocol

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from genomap_core.data.fill import LowRankFill
from genomap_core.data.preprocess import Preprocessor
from genomap_core.training.logistic import TunedLogistic, rotate
from genomap_core.training.split import Fold, inner_folds, usable


def _checked(
    model: BaseEstimator, X: Any, y: Any, dtype: Any, finite: bool | str = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, the classes and the rows' codes; ValueError, as scikit-learn asks for it, of a single class."""
    X, y = validate_data(model, X, y, dtype=dtype, ensure_all_finite=finite)
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"The number of classes has to be greater than one; got {len(classes)} class.")
    return X, classes, codes


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
    masked
        Take NaN for missing and let the trees decide where it goes: every row trains a second time with features lost
        by chance, without which no tree has seen any.

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
        masked: bool = False,
        random_state: int = 0,
    ) -> None:
        self.masked = masked
        self.depths = depths
        self.max_trees = max_trees
        self.patience = patience
        self.learning_rate = learning_rate
        self.n_columns = n_columns
        self.n_folds = n_folds
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> TunedLightGBM:
        """``X (n, p)``, ``y (n,)``; rows of one of ``groups`` never part in the inner folds."""
        X, self.classes_, codes = _checked(self, X, y, np.float32, self._finite)
        if self.masked:
            groups = np.tile(np.arange(len(X)) if groups is None else groups, 2)
            X, codes = np.concatenate([X, _with_losses(X, self.random_state)]), np.tile(codes, 2)
        weights = compute_sample_weight(self.class_weight, codes)
        splits = usable(inner_folds(codes, groups, self.n_folds, self.random_state), codes)
        tried = [(*self._inner(depth, X, codes, weights, splits), depth) for depth in self.depths if splits]
        _, self.n_trees_, self.depth_ = min(tried) if tried else (0.0, 30, self.depths[0])
        parameters = self._parameters(X, self.depth_)
        self.booster_ = _train(parameters, _data(X, codes, weights), self.n_trees_)
        return self

    @property
    def _finite(self) -> bool | str:
        return "allow-nan" if self.masked else True

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
        X = validate_data(self, X, reset=False, dtype=np.float32, ensure_all_finite=self._finite)
        proba = np.asarray(self.booster_.predict(X))
        return np.column_stack([1 - proba, proba]) if proba.ndim == 1 else proba

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class: ``(m,)``."""
        return self.classes_[self.predict_proba(X).argmax(1)]


def _with_losses(X: np.ndarray, seed: int) -> np.ndarray:
    """A copy of ``X`` ``(n, p)`` of which each row keeps a share of its features between 3 % and all."""
    rng = np.random.default_rng(seed)
    lost = rng.random(X.shape) >= rng.uniform(0.03, 1, (len(X), 1))
    return np.where(lost, np.float32(np.nan), X)


def _data(X: np.ndarray, codes: np.ndarray, weights: np.ndarray, reference: Any = None) -> Any:
    import lightgbm

    return lightgbm.Dataset(X, codes, weight=weights, reference=reference, free_raw_data=False)


def _train(parameters: dict[str, Any], data: Any, n_trees: int, held_out: Any = None, callbacks: Any = None) -> Any:
    import lightgbm

    more = {} if held_out is None else {"valid_sets": [held_out], "valid_names": ["held_out"], "callbacks": callbacks}
    return lightgbm.train(parameters, data, n_trees, **more)


_UNSEEN = -2.0  # margin of a class that an inner fold's training rows don't hold


class TunedSVM(ClassifierMixin, BaseEstimator):
    """Linear SVM (squared hinge, one class against the rest) with the ``C`` of the lowest inner log-loss.

    Margins become probabilities by one number, a temperature fitted on held-out margins of the inner folds: the order
    of the classes stays the machine's own. As for every ridge penalty, the rows are first rotated onto their own
    ``r <= min(n, p)`` dimensions, which changes nothing but the cost.

    Parameters
    ----------
    Cs
        The penalties tried, for rows of mean length 1.
    n_folds
        Inner folds.
    class_weight
        None: every row weighs the same; "balanced": every class does.

    References
    ----------
    Guo et al., ICML 2017 (temperature scaling).
    """

    def __init__(
        self,
        Cs: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0),
        n_folds: int = 5,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.Cs = Cs
        self.n_folds = n_folds
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> TunedSVM:
        """``X (n, p)`` standardised, ``y (n,)``; rows of one of ``groups`` never part in the inner folds."""
        X, self.classes_, codes = _checked(self, X, y, np.float64)
        self.centre_ = X.mean(0)
        Z, basis = rotate(X - self.centre_)
        unit = float(np.sqrt((Z**2).sum(1).mean())) or 1.0
        Z = Z / unit
        self.C_, self.sharpness_ = self._tune(Z, codes, groups)
        machine = self._machine(Z, codes, self.C_)
        self.coef_ = machine.coef_ @ basis / unit
        self.intercept_ = machine.intercept_
        return self

    def _tune(self, Z: np.ndarray, codes: np.ndarray, groups: Any) -> tuple[float, float]:
        """The penalty with the lowest inner log-loss, and the sharpness that gives it."""
        splits = usable(inner_folds(codes, groups, self.n_folds, self.random_state), codes)
        if not splits:
            return 1.0, 1.0
        truth = codes[np.concatenate([test for _, test in splits])]
        tried = []
        for C in self.Cs:
            held_out = np.concatenate([self._held_out(Z, codes, train, test, C) for train, test in splits])
            sharpness, loss = fit_sharpness(held_out, truth)
            tried.append((loss, C, sharpness))
        _, C, sharpness = min(tried)
        return float(C), sharpness

    def _held_out(self, Z: np.ndarray, codes: np.ndarray, train: np.ndarray, test: np.ndarray, C: float) -> np.ndarray:
        machine = self._machine(Z[train], codes[train], C)
        margins = np.full((len(test), len(self.classes_)), _UNSEEN)
        margins[:, machine.classes_] = two_sided(machine.decision_function(Z[test]))
        return margins

    def _machine(self, Z: np.ndarray, codes: np.ndarray, C: float) -> LinearSVC:
        machine = LinearSVC(C=C, class_weight=self.class_weight, random_state=self.random_state, max_iter=1000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return machine.fit(Z, codes)

    def decision_function(self, X: Any) -> np.ndarray:
        """Margins ``(m, k)``, or ``(m,)`` of the second class where there are two."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        margins = (X - self.centre_) @ self.coef_.T + self.intercept_
        return margins[:, 0] if len(self.classes_) == 2 else margins

    def predict_proba(self, X: Any) -> np.ndarray:
        """``(m, k)``, in the order of ``classes_``."""
        return softmax(self.sharpness_ * two_sided(self.decision_function(X)), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The class of the largest margin: ``(m,)``."""
        return self.classes_[two_sided(self.decision_function(X)).argmax(1)]


def two_sided(margins: np.ndarray) -> np.ndarray:
    """Margins with a column a class: ``(m,)`` of two classes -> ``(m, 2)`` with opposite signs."""
    return margins if margins.ndim == 2 else np.column_stack([-margins, margins])


def fit_sharpness(margins: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """The factor on margins ``(n, k)`` whose softmax has the lowest mean log-loss, and that loss."""

    def loss(log_factor: float) -> float:
        return float(-log_softmax(np.exp(log_factor) * margins, axis=1)[np.arange(len(codes)), codes].mean())

    found = minimize_scalar(loss, bounds=(-4.0, 3.0), method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x)), float(found.fun)


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


class HoledPreprocessor(Preprocessor):
    """The library's choice of features with missing values left as they are; parameters as there."""

    def transform(self, X: Any) -> np.ndarray:
        """Raw table ``(n, p)`` -> ``(n, q)`` float32, NaN where a value is missing."""
        check_is_fitted(self)
        return self.standardised(self._validated(X, reset=False), holed=True)


def lightgbm_nan_pipeline(random_state: int = 0, max_features: int = 4096, **options: Any) -> Pipeline:
    """Gradient boosted trees with their own way of missing values."""
    return Pipeline(
        [
            ("preprocess", HoledPreprocessor(max_features=max_features, scale=False)),
            ("classifier", TunedLightGBM(masked=True, random_state=random_state, **options)),
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
