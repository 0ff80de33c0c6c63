"""What every column of a large array holds, in passes that need a few megabytes. Dense or CSR, missing values apart."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np

if TYPE_CHECKING:
    import scipy.sparse as sp

_CHUNK = 1 << 20

Matrix: TypeAlias = Union[np.ndarray, "sp.csr_matrix"]


@dataclass(frozen=True, eq=False, slots=True)
class ColumnStats:
    """Of ``(n, p)`` values, by column, each ``(p,)``.

    ``low``, ``high``: NaN when all are missing. ``missing``: how many. ``whole``: nothing but whole numbers. And of the
    rows, when there are several columns: ``empty`` ``(n,)``, those without any value.
    """

    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    whole: np.ndarray
    empty: np.ndarray


def blocks(X: np.ndarray) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """``X`` in pieces of about a million values that lie together in memory: their rows, their columns, and a view."""
    every = slice(None)
    by_column = X.flags.f_contiguous and not X.flags.c_contiguous
    across, along = X.shape if by_column else X.shape[::-1]
    step = max(1, _CHUNK // max(across, 1))
    for start in range(0, along, step):
        part = slice(start, min(start + step, along))
        yield (every, part, X[:, part]) if by_column else (part, every, X[part])


def column_stats(X: Matrix) -> ColumnStats:
    """Of ``(n, p)`` float32 with NaN for missing."""
    if not isinstance(X, np.ndarray):
        return _sparse_stats(X)
    n, p = X.shape
    low, high = np.full(p, np.nan, np.float32), np.full(p, np.nan, np.float32)
    missing, whole, empty = np.zeros(p, np.int64), np.ones(p, bool), np.full(n, p > 1)
    for rows, columns, block in blocks(X):
        low[columns] = np.fmin(low[columns], np.fmin.reduce(block, axis=0))
        high[columns] = np.fmax(high[columns], np.fmax.reduce(block, axis=0))
        absent = np.isnan(block)
        missing[columns] += absent.sum(axis=0)
        empty[rows] &= absent.all(axis=1)
        whole[columns] &= ((np.rint(block) == block) | absent).all(axis=0)
    return ColumnStats(low, high, missing, whole, empty)


def row_totals(X: Matrix) -> np.ndarray:
    """``(n,)`` float64 sums of the present values of ``(n, p)``."""
    if not isinstance(X, np.ndarray):
        import scipy.sparse as sp

        present = sp.csr_matrix((np.nan_to_num(X.data), X.indices, X.indptr), X.shape)
        return np.asarray(present.sum(axis=1, dtype=np.float64)).ravel()
    totals = np.zeros(X.shape[0])
    for rows, _, block in blocks(X):
        totals[rows] += np.nansum(block, axis=1, dtype=np.float64)
    return totals


def _sparse_stats(X: sp.csr_matrix) -> ColumnStats:
    p = X.shape[1]
    absent = np.isnan(X.data)
    missing = np.bincount(X.indices[absent], minlength=p)
    fraction = np.bincount(X.indices[~absent & (np.rint(X.data) != X.data)], minlength=p)
    present = X.copy() if absent.any() else X
    if absent.any():
        present.data = np.where(absent, 0, X.data)
    low, high = (np.asarray(extreme.todense()).ravel() for extreme in (present.min(axis=0), present.max(axis=0)))
    empty = np.zeros(X.shape[0], bool)  # a value that is not stored is 0, not missing
    return ColumnStats(low.astype(np.float32), high.astype(np.float32), missing, fraction == 0, empty)


def equal_columns(X: Matrix, among: np.ndarray) -> list[tuple[int, ...]]:
    """Groups of columns ``among`` these (indices, first first) with the same values throughout, missing ones too."""
    if not isinstance(X, np.ndarray):
        csc = X.tocsc()
        return _same(_sparse_keys(csc), among, lambda i, j: (csc[:, [i]] != csc[:, [j]]).nnz == 0)
    keys, factors = np.zeros(X.shape[1], np.uint64), _factors(X.shape[0])
    for rows, columns, block in blocks(X):
        keys[columns] += (_bits(block) * factors[rows, None]).sum(axis=0, dtype=np.uint64)
    return _same(keys, among, lambda i, j: np.array_equal(X[:, i], X[:, j], equal_nan=True))


def equal_rows(X: Matrix) -> list[tuple[int, ...]]:
    """Groups of rows with the same values throughout."""
    every = np.arange(X.shape[0])
    if not isinstance(X, np.ndarray):
        return _same(_sparse_keys(X), every, lambda i, j: (X[[i]] != X[[j]]).nnz == 0)
    keys, factors = np.zeros(X.shape[0], np.uint64), _factors(X.shape[1])
    for rows, columns, block in blocks(X):
        keys[rows] += (_bits(block) * factors[columns]).sum(axis=1, dtype=np.uint64)
    return _same(keys, every, lambda i, j: np.array_equal(X[i], X[j], equal_nan=True))


def alike_by_chance(X: Matrix, varying: np.ndarray, pairs: float = 0.01) -> bool:
    """Whether more than so many pairs of different samples would agree in all ``varying`` columns: groups written as
    0 and 1 say nothing of who is whose twin. Columns are taken as independent, which makes agreement look rarer.
    """
    n = X.shape[0]
    expected = n * (n - 1) / 2
    for j in varying.tolist():
        column = X[:, j] if isinstance(X, np.ndarray) else X[:, [j]].toarray().ravel()
        counts = np.unique(column, return_counts=True)[1]
        expected *= float(counts @ (counts - 1)) / (n * (n - 1))
        if expected <= pairs:
            return False
    return True


def sample_values(X: Matrix, count: int = 200_000) -> np.ndarray:
    """About ``count`` present values from all over the array, for quantiles; the same ones every time."""
    if not isinstance(X, np.ndarray):
        density = X.nnz / max(X.shape[0] * X.shape[1], 1)
        stored = X.data[:: max(1, len(X.data) // max(int(count * density), 1))]
        values = np.concatenate([stored, np.zeros(int(count * (1 - density)), np.float32)])
    else:
        rows = _spread(X.shape[0], 400)
        values = X[np.ix_(rows, _spread(X.shape[1], max(1, count // max(len(rows), 1))))].ravel()
    return values[~np.isnan(values)]


_SUMMARIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda V: np.nanmean(V, axis=0),
    "sum": lambda V: np.nansum(V, axis=0),
    "median": lambda V: np.nanmedian(V, axis=0),
    "standard deviation": lambda V: np.nanstd(V, axis=0, ddof=1),
    "minimum": lambda V: np.nanmin(V, axis=0),
    "maximum": lambda V: np.nanmax(V, axis=0),
}


def summary_rows(X: np.ndarray, edge: int = 6) -> dict[int, str]:
    """Rows among the last ``edge`` of ``(n, p)`` that hold a statistic of the rows above, and which.

    A row counts when all its values (of at most 50 columns) agree with the statistic as they are rounded, which chance
    would do less than once in 10,000.
    """
    n, p = X.shape
    columns = np.unique(np.linspace(0, p - 1, min(p, 50)).astype(int)) if p else np.zeros(0, int)
    if n < 6 or p < 2:
        return {}
    V = X[:, columns].astype(np.float64)
    found: dict[int, str] = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
        for above in range(n - 1, max(n - 1 - edge, 4), -1):
            spread = np.nanstd(V[:above], axis=0)
            for what, statistic in _SUMMARIES.items():
                value = statistic(V[:above])
                for row in range(above, n):
                    if row not in found and _agree(V[row], value, spread):
                        found[row] = what
    return found if len(found) <= edge and found and max(found) == n - 1 else {}


def _agree(row: np.ndarray, value: np.ndarray, spread: np.ndarray) -> bool:
    told = ~np.isnan(row) & (spread > 0)
    if told.sum() < 2:
        return False
    row, value, spread = row[told], value[told], spread[told]
    scaled = np.abs(row)[:, None] * 10.0 ** np.arange(4)
    places = np.argmax(np.abs(scaled - np.rint(scaled)) < 1e-3 * np.maximum(scaled, 1e-6) + 1e-6, axis=1)
    room = np.maximum(0.51 * 10.0**-places, 1e-4 * np.abs(value))
    chance = np.minimum(room / spread, 1.0)
    return bool((np.abs(row - value) <= room).all()) and float(np.log10(chance).sum()) < -4


def _spread(length: int, count: int) -> np.ndarray:
    """At most ``count`` indices spread over ``range(length)``."""
    return np.unique(np.linspace(0, length - 1, min(length, count)).astype(np.int64))


def _bits(block: np.ndarray) -> np.ndarray:
    """The values' bit patterns as integers; 0 and -0 alike, and every NaN alike."""
    return np.where(np.isnan(block), np.float32(np.nan), block + np.float32(0)).view(np.uint32).astype(np.uint64)


def _factors(count: int) -> np.ndarray:
    """Fixed odd 64-bit factors: sums of products wrap, and are equal for equal values in any order of adding."""
    return np.random.default_rng(0).integers(0, 2**63, count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _sparse_keys(X: sp.csr_matrix | sp.csc_matrix) -> np.ndarray:
    """A key for each compressed line (row of CSR, column of CSC); about a million values are looked at together."""
    if not X.has_canonical_format or not X.data.all():
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    factors, lines = _factors(X.shape[1 if X.format == "csr" else 0]), len(X.indptr) - 1
    keys = np.empty(lines, np.uint64)
    cuts = np.unique(np.append(np.searchsorted(X.indptr, np.arange(0, X.nnz, _CHUNK)), [0, lines]))
    for a, b in itertools.pairwise(cuts.tolist()):
        start, ends = X.indptr[a], X.indptr[a : b + 1] - X.indptr[a]
        part = slice(start, start + ends[-1])
        running = np.zeros(ends[-1] + 1, np.uint64)
        np.cumsum(_bits(X.data[part].astype(np.float32)) * factors[X.indices[part]], out=running[1:])
        keys[a:b] = running[ends[1:]] - running[ends[:-1]]
    return keys


def _same(keys: np.ndarray, among: np.ndarray, equal: Callable[[int, int], bool]) -> list[tuple[int, ...]]:
    """Lines with the same key that are really equal, as groups."""
    order = among[np.argsort(keys[among], kind="stable")]
    groups: list[tuple[int, ...]] = []
    for candidates in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
        if len(candidates) > 1:
            first, *others = candidates.tolist()
            if same := [j for j in others if equal(first, j)]:
                groups.append((first, *same))
    return sorted(groups)
