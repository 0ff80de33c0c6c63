"""Distances between features, block by block: no p x p matrix unless it is asked for. Plain arrays; no solver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import LayoutError

Distance = Literal["correlation", "absolute", "spearman", "euclidean"]
DISTANCES: tuple[str, ...] = get_args(Distance)


def correlation_distance(X: np.ndarray) -> np.ndarray:
    """One minus the Pearson correlation of every two columns: ``(n, p)`` -> ``(p, p)`` float32, in [0, 2].

    A constant column is uncorrelated with everything: its distances are 1.
    """
    return FeatureTable(X, "correlation").matrix()


def check_features(X: np.ndarray | sp.spmatrix, feature_names: tuple[str, ...] | None = None) -> None:
    """Refuse a table that can't be laid out.

    Raises
    ------
    LayoutError
        Fewer than two samples, no feature, a value that is NaN or infinite (named), or nothing but constant columns.
    """
    if X.ndim != 2:
        raise LayoutError(f"Expected a 2-D table of samples x features, got {X.ndim} dimension(s): reshape your data.")
    n, p = X.shape
    if p < 1:
        raise LayoutError(f"Found 0 feature(s) (shape={X.shape}): a layout needs a minimum of 1 is required.")
    if n < 2:
        raise LayoutError(f"Distances between features need at least 2 samples, got {n} sample: add rows to the table.")
    values = stored(X)
    if np.iscomplexobj(values):
        raise LayoutError("Complex data not supported: give real numbers.")
    total = values.sum(dtype=np.float64)
    if not np.isfinite(total) and not np.isfinite(values).all():
        raise LayoutError(_where_not_finite(X, feature_names))
    if _all_constant(X):
        raise LayoutError(f"All {p} features are constant over the {n} samples: nothing says which belong together.")


def _all_constant(X: np.ndarray | sp.spmatrix) -> bool:
    """Whether no column varies; looks no further than the first block that does."""
    step = max(1, 2**20 // X.shape[0])
    columns = X.tocsc() if isinstance(X, sp.spmatrix | sp.sparray) else X
    for start in range(0, X.shape[1], step):
        block = dense(columns[:, start : start + step])
        if (block != block[:1]).any():
            return False
    return True


def dense(X: np.ndarray | sp.spmatrix) -> np.ndarray:
    """The same table as an array."""
    return X.toarray() if isinstance(X, sp.spmatrix | sp.sparray) else np.asarray(X)


def stored(X: np.ndarray | sp.spmatrix) -> np.ndarray:
    """The values a table holds in memory: all of a dense one, the non-zeros of a sparse one."""
    return np.asarray(X.data) if isinstance(X, sp.spmatrix | sp.sparray) else X


def _where_not_finite(X: np.ndarray | sp.spmatrix, names: tuple[str, ...] | None) -> str:
    if isinstance(X, sp.spmatrix | sp.sparray):
        coo = X.tocoo()
        at = np.flatnonzero(~np.isfinite(coo.data))
        rows, columns, values = coo.row[at], coo.col[at], coo.data[at]
    else:
        rows, columns = np.nonzero(~np.isfinite(X))
        values = X[rows, columns]
    value = "NaN" if np.isnan(values[0]) else "inf"
    name = f" ({names[columns[0]]!r})" if names is not None else ""
    return (
        f"Input X contains {value}: row {rows[0]}, feature {columns[0]}{name}, and {len(rows) - 1} more: "
        "impute or remove such values first (the Preprocessor does)."
    )


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Columns of a table, prepared for a distance: any block of the distance matrix on demand.

    Parameters
    ----------
    X
        ``(n, p)`` finite values, dense or sparse (kept sparse; only blocks of columns are made dense).
    distance
        ``correlation``: 1 - r. ``absolute``: 1 - abs(r). ``spearman``: 1 - rank correlation. ``euclidean``: the length
        of the difference of two columns, divided by sqrt(n).
    memory_mb
        Working memory that blocks of columns may take, besides the table itself.
    """

    X: np.ndarray | sp.csc_matrix
    distance: str = "correlation"
    memory_mb: int = 1024

    def __post_init__(self) -> None:
        if self.distance not in DISTANCES:
            raise LayoutError(f"`distance` must be one of {', '.join(DISTANCES)}; got {self.distance!r}.")
        if self.memory_mb < 1:
            raise LayoutError(f"`memory_mb` must be >= 1, got {self.memory_mb}.")
        if isinstance(self.X, sp.spmatrix | sp.sparray):
            object.__setattr__(self, "X", self.X.tocsc())

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    def raw(self, columns: np.ndarray | slice) -> np.ndarray:
        """Values as they are: ``(n, k)``."""
        return dense(self.X[:, columns])

    def take(self, columns: np.ndarray | slice) -> np.ndarray:
        """Prepared columns ``(n, k)`` float32: centred and of unit length, a constant one zero (euclidean: centred)."""
        block = self.raw(columns)
        if self.distance == "spearman":
            block = average_ranks(block)
        return unit_columns(block, scale=self.distance != "euclidean")

    @property
    def block_width(self) -> int:
        """Columns of a block, so that a few dense copies of it stay within the memory."""
        return int(np.clip(self.memory_mb * 2**20 // (32 * self.n_samples), 16, 4096))

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All prepared columns, a block at a time."""
        width = self.block_width
        for start in range(0, self.n_features, width):
            columns = slice(start, min(start + width, self.n_features))
            yield columns, self.take(columns)

    def project(self, basis: np.ndarray) -> np.ndarray:
        """Prepared columns times a basis of the samples, Z' B: ``(n, k)`` -> ``(p, k)`` float32.

        A sparse table stays sparse: centring and scaling are applied to the product.
        """
        if self._implicit:
            mean, length = self._moments
            return ((self.X.T @ basis - np.outer(mean, basis.sum(axis=0))) * length[:, None]).astype(np.float32)
        out = np.empty((self.n_features, basis.shape[1]), np.float32)
        for columns, Z in self.blocks():
            out[columns] = Z.T @ basis
        return out

    def combine(self, weights: np.ndarray) -> np.ndarray:
        """Weighted sums of the prepared columns, Z W: ``(p, k)`` -> ``(n, k)`` float32."""
        if self._implicit:
            mean, length = self._moments
            scaled = weights * length[:, None]
            return (self.X @ scaled - mean @ scaled).astype(np.float32)
        out = np.zeros((self.n_samples, weights.shape[1]), np.float32)
        for columns, Z in self.blocks():
            out += Z @ weights[columns]
        return out

    @property
    def _implicit(self) -> bool:
        return isinstance(self.X, sp.spmatrix | sp.sparray) and self.distance == "correlation"

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Of a sparse table: means of the columns, and one over their centred lengths (0 for constant ones)."""
        n, X = self.n_samples, sp.csc_matrix(self.X)
        mean = np.asarray(X.sum(axis=0, dtype=np.float64)).ravel() / n
        column = np.repeat(np.arange(self.n_features), np.diff(X.indptr))
        square = np.bincount(column, stored(X).astype(np.float64) ** 2, self.n_features) - n * mean**2
        constant = square <= 1e-10 * n * np.maximum(mean**2, 1e-30)
        return mean.astype(np.float32), np.where(constant, 0, 1 / np.sqrt(np.where(constant, 1, square))).astype(
            np.float32
        )

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Distances of prepared columns (of :meth:`take`): ``(n, k)``, ``(n, m)`` -> ``(k, m)`` float32."""
        inner = a.T @ b
        if self.distance == "absolute":
            np.abs(inner, out=inner)
        if self.distance != "euclidean":
            return np.clip(1 - inner, 0, 2, out=inner)
        square = (a * a).sum(0)[:, None] + (b * b).sum(0)[None, :] - 2 * inner
        return np.sqrt(np.maximum(square, 0) / self.n_samples)

    def matrix(self) -> np.ndarray:
        """All distances: ``(p, p)`` float32, zero on the diagonal."""
        Z = self.take(slice(None))
        C = self.between(Z, Z)
        np.fill_diagonal(C, 0)
        return C

    def variances(self) -> np.ndarray:
        """Variance of each column: ``(p,)`` float64."""
        width = self.block_width
        parts = [self.raw(slice(k, k + width)).var(axis=0, dtype=np.float64) for k in range(0, self.n_features, width)]
        return np.concatenate(parts)


def unit_columns(X: np.ndarray, *, scale: bool = True) -> np.ndarray:
    """Columns with mean 0 and, if ``scale``, length 1; constant ones are all zero: ``(n, k)`` -> same, float32."""
    mean = X.mean(axis=0, dtype=np.float64)
    centred = np.subtract(X, mean.astype(X.dtype), dtype=X.dtype).astype(np.float32, copy=False)
    if not scale:
        return centred
    length = np.sqrt(np.einsum("ij,ij->j", centred, centred)).astype(np.float64)
    rounding = 4 * float(np.finfo(X.dtype).eps) if X.dtype.kind == "f" else 0.0
    constant = length <= rounding * np.maximum(np.abs(mean), 1e-30) * np.sqrt(len(X))
    centred *= np.where(constant, 0, 1 / np.where(constant, 1, length)).astype(np.float32)
    return centred


def average_ranks(X: np.ndarray) -> np.ndarray:
    """Ranks within each column, ties averaged: ``(n, k)`` -> ``(n, k)`` float32."""
    from scipy.stats import rankdata  # late: it takes a second to import and only Spearman needs it

    return rankdata(X, axis=0).astype(np.float32)
