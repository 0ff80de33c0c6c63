"""Imputation, selection and standardisation of a raw table as plain functions on arrays; learned on the rows given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import InputError

SELECTIONS = ("variance", "anova", "none")
_BLOCK_VALUES = 4_000_000  # float64 values held at a time: 32 MB


@dataclass(frozen=True, eq=False)
class Standardisation:
    """What was learned of the features of a table, in its units.

    ``median`` ``(p,)``: put where a value is missing; 0 for a column without any. ``kept`` ``(q,)`` int64: columns,
    ascending. ``mean``, ``scale`` ``(q,)``: of the imputed values; the scale of a constant feature is 1.
    """

    median: np.ndarray
    kept: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    def apply(self, X: np.ndarray | sp.spmatrix) -> np.ndarray:
        """Raw table ``(n, p)`` -> ``(n, q)`` float32 without NaN, in standard deviations of the rows learned from."""
        Z = np.empty((X.shape[0], len(self.kept)), np.float32)
        for at, block in imputed_blocks(X, self.kept, self.median):
            block -= self.mean[at]
            block /= self.scale[at]
            Z[:, at] = block
        return Z


def fit_standardisation(
    X: np.ndarray | sp.spmatrix,
    y: Any = None,
    *,
    max_features: int = 4096,
    selection: str = "variance",
    scale: bool = True,
) -> Standardisation:
    """Learn from a raw table ``(n, p)``, NaN where a value is missing, dense or CSR.

    Raises
    ------
    InputError
        A parameter is out of range, a value is infinite, or ``"anova"`` has no classes.
    """
    if selection not in SELECTIONS:
        raise InputError(f"`selection` must be one of {', '.join(SELECTIONS)}, got {selection!r}.")
    if max_features < 1:
        raise InputError(f"`max_features` must be >= 1, got {max_features}.")
    refuse_infinite(X)
    X = X.tocsc() if sp.issparse(X) else X  # type: ignore[union-attr]
    n, p = X.shape
    median = column_medians(X)
    mean, variance = np.empty(p), np.empty(p)
    for columns, block in imputed_blocks(X, np.arange(p), median):
        mean[columns] = block.mean(axis=0)
        variance[columns] = block.var(axis=0)
    # A constant column's computed variance is rounding error of its mean, not exactly 0 (as in scikit-learn).
    eps = np.finfo(np.float64).eps
    constant = variance <= n * eps * variance + (n * mean * eps) ** 2
    variance[constant] = 0.0
    kept = _choose(X, y, variance, median, max_features, selection)
    q = len(kept)
    sd = np.sqrt(variance[kept])
    return Standardisation(
        median, kept, mean[kept] if scale else np.zeros(q), np.where(sd > 0, sd, 1.0) if scale else np.ones(q)
    )


def imputed_blocks(
    X: np.ndarray | sp.spmatrix, columns: np.ndarray, median: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Imputed float64 blocks of some columns, each with its place in ``columns``."""
    table: Any = X.tocsc() if sp.issparse(X) else X  # type: ignore[union-attr]
    width = max(1, _BLOCK_VALUES // max(1, X.shape[0]))
    for start in range(0, len(columns), width):
        at = slice(start, min(start + width, len(columns)))
        part = table[:, columns[at]]
        block = (part.toarray() if sp.issparse(part) else part).astype(np.float64)
        missing = np.isnan(block)
        if missing.any():
            block = np.where(missing, median[columns[at]], block)
        yield at, block


def _choose(X: Any, y: Any, variance: np.ndarray, median: np.ndarray, max_features: int, selection: str) -> np.ndarray:
    p = len(variance)
    if selection == "none":
        return np.arange(p)
    if selection == "anova" and y is None:
        raise InputError(
            '`selection="anova"` requires y to be passed, but the target y is None: '
            'pass the classes, or select by "variance".'
        )
    if p <= max_features:
        return np.arange(p)
    score = variance if selection == "variance" else _anova(X, y, variance, median)
    return np.sort(np.argsort(-score, kind="stable")[:max_features])


def _anova(X: Any, y: Any, variance: np.ndarray, median: np.ndarray) -> np.ndarray:
    from sklearn.feature_selection import f_classif

    score = np.full(len(variance), -1.0)
    varying = np.flatnonzero(variance > 0)
    for at, block in imputed_blocks(X, varying, median):
        with np.errstate(divide="ignore", invalid="ignore"):
            score[varying[at]] = f_classif(block, y)[0]
    return np.nan_to_num(score, nan=-1.0, posinf=np.finfo(np.float64).max)


def column_medians(X: Any) -> np.ndarray:
    """Median of every column over its present values: ``(n, p)`` -> ``(p,)`` float64; 0 where no value is present."""
    if sp.issparse(X):
        from sklearn.utils.sparsefuncs import csc_median_axis_0

        X = X.tocsc()
        holed = np.unique(np.searchsorted(X.indptr, np.flatnonzero(np.isnan(X.data)), side="right") - 1)
        if not len(holed):
            return np.asarray(csc_median_axis_0(X))
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
