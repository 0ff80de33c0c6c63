"""Raw table -> standardised features: imputation, selection and scaling, learned on the training rows only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_selection import f_classif
from sklearn.utils.sparsefuncs import csc_median_axis_0
from sklearn.utils.validation import check_is_fitted, validate_data

from genomap_core.errors import InputError

SELECTIONS = ("variance", "anova", "none")
_BLOCK_VALUES = 4_000_000  # float64 values held at a time: 32 MB


class Preprocessor(TransformerMixin, BaseEstimator):
    """Median imputation, choice of features and standardisation of a raw table.

    Parameters
    ----------
    max_features
        At most so many features are kept (no limit for ``selection="none"``).
    selection
        ``"variance"``: of the imputed raw values, highest first; ``"anova"``: F statistic of the classes, which needs
        ``y``; ``"none"``: every feature. Ties go to the earlier column.
    scale
        Mean 0 and standard deviation 1 for each kept feature (population formula); otherwise only imputed.

    Attributes
    ----------
    median_ : (p,) float64
        Put where a value is missing; 0 for a column without any value.
    kept_ : (q,) int64
        Kept columns, ascending.
    mean_, scale_ : (q,) float64
        In the units of the table; ``scale_`` of a constant feature is 1.
    """

    def __init__(self, max_features: int = 4096, selection: str = "variance", scale: bool = True) -> None:
        self.max_features = max_features
        self.selection = selection
        self.scale = scale

    def fit(self, X: Any, y: Any = None) -> Preprocessor:
        """Learn from a raw table ``(n, p)``, NaN where a value is missing, dense or CSR.

        Raises
        ------
        InputError
            A parameter is out of range, a value is infinite, or ``"anova"`` has no classes.
        """
        self._check_parameters()
        X = self._validated(X, reset=True)
        n, p = X.shape
        self.median_ = column_medians(X)
        mean, variance = np.empty(p), np.empty(p)
        for columns, block in self._blocks(X, np.arange(p)):
            mean[columns] = block.mean(axis=0)
            variance[columns] = block.var(axis=0)
        # A constant column's computed variance is rounding error of its mean, not exactly 0 (as in scikit-learn).
        eps = np.finfo(np.float64).eps
        constant = variance <= n * eps * variance + (n * mean * eps) ** 2
        variance[constant] = 0.0
        self.kept_ = self._choose(X, y, variance)
        q = len(self.kept_)
        self.mean_ = mean[self.kept_] if self.scale else np.zeros(q)
        sd = np.sqrt(variance[self.kept_])
        self.scale_ = np.where(sd > 0, sd, 1.0) if self.scale else np.ones(q)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Raw table ``(n, p)`` -> ``(n, q)`` float32 without NaN, in standard deviations of the training rows."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        Z = np.empty((X.shape[0], len(self.kept_)), np.float32)
        for at, block in self._blocks(X, self.kept_):
            Z[:, at] = (block - self.mean_[at]) / self.scale_[at]
        return Z

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the kept features, ``(q,)`` of dtype object."""
        check_is_fitted(self)
        names = input_features if input_features is not None else getattr(self, "feature_names_in_", None)
        if names is None:
            names = [f"x{j}" for j in range(self.n_features_in_)]
        if len(names) != self.n_features_in_:
            raise InputError(f"`input_features` must have length {self.n_features_in_}, got {len(names)}.")
        return np.asarray(names, dtype=object)[self.kept_]

    def _check_parameters(self) -> None:
        if self.selection not in SELECTIONS:
            raise InputError(f"`selection` must be one of {', '.join(SELECTIONS)}, got {self.selection!r}.")
        if self.max_features < 1:
            raise InputError(f"`max_features` must be >= 1, got {self.max_features}.")

    def _validated(self, X: Any, reset: bool) -> Any:
        X = validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype=(np.float32, np.float64), ensure_all_finite=False
        )
        refuse_infinite(X, getattr(self, "feature_names_in_", None))
        return X

    def _blocks(self, X: Any, columns: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Imputed float64 blocks of some columns, each with its place in ``columns``."""
        X = X.tocsc() if sp.issparse(X) else X
        width = max(1, _BLOCK_VALUES // max(1, X.shape[0]))
        for start in range(0, len(columns), width):
            at = slice(start, min(start + width, len(columns)))
            part = X[:, columns[at]]
            block = (part.toarray() if sp.issparse(part) else part).astype(np.float64)
            missing = np.isnan(block)
            if missing.any():
                block = np.where(missing, self.median_[columns[at]], block)
            yield at, block

    def _choose(self, X: Any, y: Any, variance: np.ndarray) -> np.ndarray:
        p = len(variance)
        if self.selection == "none":
            return np.arange(p)
        if self.selection == "anova" and y is None:
            raise InputError(
                '`selection="anova"` requires y to be passed, but the target y is None: '
                'pass the classes, or select by "variance".'
            )
        if p <= self.max_features:
            return np.arange(p)
        score = variance if self.selection == "variance" else self._anova(X, y, variance)
        return np.sort(np.argsort(-score, kind="stable")[: self.max_features])

    def _anova(self, X: Any, y: Any, variance: np.ndarray) -> np.ndarray:
        score = np.full(len(variance), -1.0)
        varying = np.flatnonzero(variance > 0)
        for at, block in self._blocks(X, varying):
            with np.errstate(divide="ignore", invalid="ignore"):
                score[varying[at]] = f_classif(block, y)[0]
        return np.nan_to_num(score, nan=-1.0, posinf=np.finfo(np.float64).max)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.target_tags.required = self.selection == "anova"
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def column_medians(X: Any) -> np.ndarray:
    """Median of every column over its present values: ``(n, p)`` -> ``(p,)`` float64; 0 where no value is present."""
    if sp.issparse(X):
        X = X.tocsc()
        holed = np.unique(np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))[np.isnan(X.data)])
        median = np.zeros(X.shape[1])
        full = np.setdiff1d(np.arange(X.shape[1]), holed)
        median[full] = csc_median_axis_0(X[:, full])
        median[holed] = column_medians(X[:, holed].toarray()) if len(holed) else 0.0
        return median
    n, p = X.shape
    median = np.empty(p)
    width = max(1, _BLOCK_VALUES // max(1, n))
    for start in range(0, p, width):
        # Sorting puts NaN last, so that the present values of each feature are a prefix of its row.
        values = np.sort(X[:, start : start + width].T, axis=1)
        present = n - np.isnan(values).sum(axis=1)
        row = np.arange(len(values))
        low, high = values[row, np.maximum(present - 1, 0) // 2], values[row, np.minimum(present // 2, n - 1)]
        middle = low.astype(np.float64) * 0.5 + high.astype(np.float64) * 0.5
        median[start : start + width] = np.where(present > 0, middle, 0.0)
    return median


def refuse_infinite(X: Any, names: np.ndarray | None = None) -> None:
    """Raise :class:`InputError` naming row and feature of the first infinite value, if there is one."""
    values = X.data if sp.issparse(X) else X
    # The sum is NaN or inf whenever a value is infinite; NaN alone is allowed, so look closer only then.
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(values.sum(dtype=np.float64)) or not np.isinf(values).any():
            return
    if sp.issparse(X):
        coo = X.tocoo()
        at = int(np.flatnonzero(np.isinf(coo.data))[0])
        row, column = int(coo.row[at]), int(coo.col[at])
    else:
        row, column = (int(v) for v in np.argwhere(np.isinf(X))[0])
    feature = f"feature {names[column]!r}" if names is not None else f"feature number {column + 1}"
    raise InputError(
        f"Infinite value (inf) in row number {row + 1}, {feature}: "
        "replace it by a number, or leave it empty to have it imputed."
    )
