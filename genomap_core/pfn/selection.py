"""From a wide table to the few columns a tabular model takes, and which way suits a cohort; training rows only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from genomap_core.data.standardise import Standardisation, fit_standardisation
from genomap_core.errors import ModelLimitError
from genomap_core.layout import make_layout, map_regions
from genomap_core.pfn.description import Weights

Selection = Literal[
    "auto", "scores", "scores_anova", "anova", "mutual_information", "variance", "pca", "regions", "none"
]
STRATEGIES: dict[str, str] = {
    "scores": "left-out scores of ridge regression",
    "scores_anova": "left-out scores of ridge regression beside the features that differ most (ANOVA)",
    "anova": "features that differ most between classes (ANOVA)",
    "mutual_information": "features that tell most about the class (mutual information)",
    "variance": "most variable features",
    "pca": "principal components",
    "regions": "means of map regions",
    "none": "all features (of a wide table some drawn for each estimator)",
}
"""Ways from a wide table to a narrow one, as the user reads them."""
CROSSED: tuple[Selection, ...] = ("scores", "scores_anova")
"""Ways that learn from the classes what each row says of its own: training rows are given what others say of them."""
_MAP_FEATURES = 2_048
"""Features on the map whose regions are pooled: the most variable ones. Placing these takes 0.7 s on one core."""


def class_moments(X: np.ndarray | sp.csr_matrix, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, sum and sum of squares of every feature in every class, missing values left out: each ``(k, p)``."""
    one_hot = np.eye(int(codes.max()) + 1)[codes].T
    if isinstance(X, sp.csr_matrix | sp.csr_array):
        centred, squares = X.astype(np.float64), X.multiply(X).astype(np.float64)
        counts = np.repeat(one_hot.sum(1, keepdims=True), X.shape[1], axis=1)
        return counts, np.asarray(one_hot @ centred), np.asarray(one_hot @ squares)
    X = np.asarray(X, np.float64)
    present = ~np.isnan(X)
    # Centred first: sums of squares of large values would lose the differences that matter.
    centre = np.where(present, X, 0).sum(0) / np.maximum(present.sum(0), 1)
    centred = np.where(present, X - centre, 0)
    return one_hot @ present, one_hot @ centred, one_hot @ centred**2


def anova_f(X: np.ndarray | sp.csr_matrix, codes: np.ndarray) -> np.ndarray:
    """F statistic of every feature between classes: ``(n, p)``, ``(n,)`` -> ``(p,)``; 0 for a constant feature.

    Missing values are left out of their feature. Ratio of the variance between class means to that within classes.
    """
    count, total, square = class_moments(X, codes)
    n, k = count.sum(0), (count > 0).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.where(count > 0, total**2 / np.maximum(count, 1), 0).sum(0) - total.sum(0) ** 2 / n
        overall = square.sum(0) - total.sum(0) ** 2 / n
        within = np.maximum(overall - between, 0)
        f = (between / (k - 1)) / (within / (n - k))
    constant = ~(overall > 1e-12 * np.maximum(square.sum(0), 1e-300))
    return np.where(constant | ~(k > 1) | ~(n > k), 0.0, np.nan_to_num(f, nan=0.0, posinf=np.finfo(float).max))


def variances(X: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """Variance of every feature, missing values left out: ``(n, p)`` -> ``(p,)``."""
    count, total, square = class_moments(X, np.zeros(X.shape[0], int))
    n = np.maximum(count[0], 1)
    return np.maximum(square[0] / n - (total[0] / n) ** 2, 0)


def strongest(score: np.ndarray, k: int) -> np.ndarray:
    """Indices of the ``k`` largest scores, ascending; ties go to the earlier feature."""
    return np.sort(np.argsort(-score, kind="stable")[:k])


def mutual_information(X: np.ndarray | sp.csr_matrix, codes: np.ndarray, bins: int = 4) -> np.ndarray:
    """Mutual information (nats) of every feature, cut into ``bins`` parts of equal size, and the class: ``(p,)``.

    A missing value is a part of its own. Parts are few because cohorts are small: the estimate's bias grows with them.
    """
    one_hot = np.eye(int(codes.max()) + 1)[codes].T
    information = np.zeros(X.shape[1])
    for start in range(0, X.shape[1], 4_096):
        part = _dense(X[:, start : start + 4_096])
        edges = _quantiles(part, np.arange(1, bins) / bins)
        level = np.where(np.isnan(part), bins, (part[None] > edges[:, None]).sum(0))
        joint = np.stack([one_hot @ (level == k) for k in range(bins + 1)]) / len(codes)
        expected = joint.sum(0, keepdims=True) * joint.sum(1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            information[start : start + 4_096] = np.where(joint > 0, joint * np.log(joint / expected), 0).sum((0, 1))
    return information


def _quantiles(part: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Of every column, missing values left out: ``(n, p)`` -> ``(len(shares), p)``; NaN for a column without any.

    As ``np.nanquantile``, which goes through the columns one by one, and takes fifty times as long for 7,000.
    """
    ordered = np.sort(part, axis=0)  # NaN last
    last = (~np.isnan(part)).sum(axis=0) - 1
    at = shares[:, None] * np.maximum(last, 0)
    below = np.floor(at).astype(int)
    low, high = (np.take_along_axis(ordered, i, axis=0) for i in (below, np.minimum(below + 1, np.maximum(last, 0))))
    return low + (at - below) * (high.astype(np.float64) - low)


class FeatureReducer(TransformerMixin, BaseEstimator):
    """Keep the columns that say most, or replace all by components or by means of neighbours on a map.

    Parameters
    ----------
    method
        One of :data:`STRATEGIES`. "pca": components of the standardised table; "regions": the features are laid out
        as a map and standardised, correlated neighbours averaged (Ward regions of the map); "scores": a score a class
        by ridge regression on the standardised features, squashed by arcsinh; "none": all columns.
    n_kept
        How many columns come out, at most; scores of classes come on top.

    Attributes
    ----------
    kept_
        ``(q,)`` raw columns that the result depends on, ascending.
    regions_
        ``(q,)`` map region of each of them after "regions"; None otherwise.
    n_features_out_
        Columns that come out.

    Notes
    -----
    Scores of training rows would flatter: from :meth:`fit_transform` come those of models that did not see the row, as
    in stacked generalisation (Wolpert, Neural Networks 5:241, 1992), so that it differs from ``fit(X).transform(X)``.
    """

    def __init__(self, method: Selection = "anova", n_kept: int = 20, random_state: int = 0) -> None:
        self.method = method
        self.n_kept = n_kept
        self.random_state = random_state

    def fit(self, X: np.ndarray | sp.csr_matrix, y: np.ndarray) -> FeatureReducer:
        """Learn from training rows ``X`` ``(n, p)`` with NaN where missing, ``y`` ``(n,)`` class codes."""
        if self.method not in STRATEGIES:
            raise ValueError(f"`selection` must be one of {', '.join(STRATEGIES)}, got {self.method!r}.")
        if self.n_kept < 1:
            raise ValueError(f"`n_selected` must be at least 1, got {self.n_kept}.")
        self.n_features_in_ = p = int(X.shape[1])
        self.standardisation_: Standardisation | None = None
        self.regions_: np.ndarray | None = None
        self.beside_ = np.zeros(0, int)  # raw columns beside the scores
        self.crossed_: np.ndarray | None = None
        if self.method in CROSSED:
            self._fit_scores(X, y)
        elif self.method == "none" or self.n_kept >= p:
            self.kept_ = np.arange(p)
        elif self.method == "pca":
            self._fit_components(X)
        elif self.method == "regions":
            self._fit_regions(X)
        else:
            self.kept_ = strongest(_SCORES[self.method](X, y), self.n_kept)
        if self.standardisation_ is None:
            self.n_features_out_ = len(self.kept_)
        return self

    def transform(self, X: np.ndarray | sp.csr_matrix) -> np.ndarray:
        """Reduce rows: ``(m, p)`` -> ``(m, q)`` float32, dense, NaN kept where a kept column is missing."""
        check_is_fitted(self, "n_features_out_")
        if self.standardisation_ is None:
            return _dense(X[:, self.kept_] if len(self.kept_) < X.shape[1] else X)
        z = self.standardisation_.apply(X)
        if self.crossed_ is None:
            return np.asarray(z @ self.weights_ - self.offset_, np.float32)
        return self._beside(np.arcsinh(z) @ self.weights_ - self.offset_, X)

    def fit_transform(self, X: np.ndarray | sp.csr_matrix, y: np.ndarray) -> np.ndarray:
        """Learn, and reduce the training rows: ``(n, p)``, ``(n,)`` -> ``(n, q)``; scores by models without the row."""
        self.fit(X, y)
        return self.transform(X) if self.crossed_ is None else self._beside(self.crossed_, X)

    def pull_back(self, X: np.ndarray | sp.csr_matrix, slope: np.ndarray) -> np.ndarray:
        """Chain rule at rows ``X`` ``(m, p)``: ``slope`` by what comes out ``(m, q)`` -> by columns ``kept_``."""
        if self.standardisation_ is None:
            return slope
        n_scores = self.weights_.shape[1]
        found = slope[:, :n_scores] @ self.weights_.T / self.standardisation_.scale
        if self.crossed_ is not None:
            found = found / np.sqrt(1.0 + np.square(self.standardisation_.apply(X), dtype=np.float64))
            found[:, self.beside_] += slope[:, n_scores:]
        return np.asarray(found)

    def _beside(self, scores: np.ndarray, X: np.ndarray | sp.csr_matrix) -> np.ndarray:
        return np.hstack([scores.astype(np.float32), _dense(X[:, self.beside_])])

    def _fit_scores(self, X: np.ndarray | sp.csr_matrix, y: np.ndarray) -> None:
        found = fit_standardisation(X, selection="none")
        z = np.arcsinh(found.apply(X))
        weights, offset, self.crossed_ = crossed_scores(z, y, self.random_state)
        self.standardisation_, self.kept_ = found, found.kept
        self.weights_, self.offset_ = weights, offset
        if self.method == "scores_anova":
            self.beside_ = strongest(anova_f(X, y), self.n_kept)
        self.n_features_out_ = weights.shape[1] + len(self.beside_)

    def _fit_components(self, X: np.ndarray | sp.csr_matrix) -> None:
        found = fit_standardisation(X, selection="none")
        z = found.apply(X)
        # A solver by size: exact for small cohorts, randomised for large ones; the seed makes both repeatable.
        components = PCA(min(self.n_kept, *z.shape), random_state=self.random_state).fit(z)
        self._project(found, components.components_.T.astype(np.float64), components.mean_)

    def _fit_regions(self, X: np.ndarray | sp.csr_matrix) -> None:
        found = fit_standardisation(X, max_features=_MAP_FEATURES)
        z = found.apply(X)
        self.regions_ = map_regions(make_layout(z, random_state=self.random_state), z, self.n_kept)
        member = self.regions_[:, None] == np.arange(self.regions_.max() + 1)
        self._project(found, member / member.sum(0), np.zeros(len(self.regions_)))

    def _project(self, found: Standardisation, weights: np.ndarray, centre: np.ndarray) -> None:
        self.standardisation_, self.kept_ = found, found.kept
        self.weights_, self.offset_ = weights, centre @ weights
        self.n_features_out_ = weights.shape[1]


_PENALTIES = np.logspace(-3, 2, 16)  # a feature
_SCORE_FOLDS = 10
_PENALTY_ROWS = 1_000  # more don't change the choice


def crossed_scores(z: np.ndarray, codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ridge regression on the classes: weights ``(q, k)``, offset ``(k,)``, and left-out scores ``(n, k)``.

    ``z`` ``(n, q)`` standardised, ``codes`` ``(n,)``. The penalty has the least leave-one-out error; weights are the
    mean over inner folds, so that a new row meets models of the kind that met the training rows.
    """
    targets = np.eye(int(codes.max()) + 1)[codes]
    some = np.random.default_rng(seed).permutation(len(z))[:_PENALTY_ROWS]
    penalty = float(RidgeCV(alphas=_PENALTIES * z.shape[1]).fit(z[some], targets[some]).alpha_)
    smallest = int(np.bincount(codes).min())
    splitter = KFold if smallest < 2 else StratifiedKFold
    n_folds = min(_SCORE_FOLDS, len(z) if smallest < 2 else smallest)
    left_out, parts = np.zeros(targets.shape), []
    for train, test in splitter(n_folds, shuffle=True, random_state=seed).split(z, codes):
        model = Ridge(penalty).fit(z[train], targets[train])
        left_out[test] = model.predict(z[test])
        parts.append((model.coef_, model.intercept_))
    weights, intercept = (np.mean(part, axis=0) for part in zip(*parts))
    return np.asarray(weights.T, np.float64), -intercept, left_out


_SCORES: dict[str, Callable[[np.ndarray | sp.csr_matrix, np.ndarray], np.ndarray]] = {
    "anova": anova_f,
    "mutual_information": mutual_information,
    "variance": lambda X, y: variances(X),
}


def _dense(X: np.ndarray | sp.csr_matrix) -> np.ndarray:
    return np.asarray(X if isinstance(X, np.ndarray) else X.toarray(), np.float32)


INNER_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen, and on what grounds."""

    selection: Selection
    losses: Mapping[str, float]
    """Cross-entropy (nats) on inner folds, by strategy; empty where nothing was tried."""

    @property
    def words(self) -> str:
        """For the user: "principal components, of 6 ways on inner folds"."""
        way = STRATEGIES[self.selection]
        return f"{way}, chosen of {len(self.losses)} ways on inner folds" if self.losses else way


def candidates(weights: Weights, on_cpu: bool, n_classes: int = 2) -> tuple[Selection, ...]:
    """The strategies worth their time: all on a GPU, the two strongest on a CPU.

    Also only these where there are more classes than the weights know, each try being many models.
    """
    if on_cpu or n_classes > weights.limits.classes:
        return ("anova", "regions")
    return ("anova", "mutual_information", "variance", "pca", "regions", "none")


def choose(
    make: Callable[[Selection], Any],
    X: np.ndarray | sp.csr_matrix,
    codes: np.ndarray,
    ways: Iterable[Selection],
    random_state: int = 0,
) -> Choice:
    """The strategy with the smallest cross-entropy on stratified inner folds of the training rows.

    Parameters
    ----------
    make
        An unfitted classifier for a strategy.
    X, codes
        ``(n, p)`` training rows and ``(n,)`` class codes from 0 on.

    A class with fewer than two rows leaves nothing to try: the answer is "anova" then. A strategy that the model
    refuses (memory) drops out.
    """
    ways = tuple(ways)
    n_folds = min(INNER_FOLDS, int(np.bincount(codes).min()))
    if n_folds < 2:
        return Choice("anova", {})
    folds = list(StratifiedKFold(n_folds, shuffle=True, random_state=random_state).split(codes, codes))
    losses: dict[str, float] = {}
    for way in ways:
        try:
            losses[way] = float(np.mean([_loss(make(way), X, codes, train, test) for train, test in folds]))
        except ModelLimitError:
            continue
    if not losses:
        return Choice("anova", {})
    return Choice(min(ways, key=lambda way: losses.get(way, np.inf)), losses)


def _loss(model: Any, X: np.ndarray | sp.csr_matrix, codes: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    proba = model.fit(X[train], codes[train]).predict_proba(X[test])
    return float(log_loss(codes[test], np.clip(proba, 1e-3, 1), labels=model.classes_))
