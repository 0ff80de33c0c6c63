"""Noise and missing genes that can be drawn again: the browser and the model apply one formula to one field.

Everything is single precision, operation by operation, so that a browser repeats it bit for bit
(``Math.fround`` after each operation; a product or sum of two float32 computed in float64 and rounded once
is the correctly rounded float32 result)::

    amplitude = fround(fround(level) * scale)
    shown     = fround(x + fround(amplitude * field))     if keep_rank < fround(keep), else missing
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import InputError

_NOISE, _KEEP, _ROWS, _BLOCKS = 1, 2, 3, 4  # independent random streams under one seed
MAX_LEVEL = 2.0
"""The end of the sliders; larger levels are accepted from code."""


@dataclass(frozen=True, slots=True)
class Perturbation:
    """How much of a sample is disturbed. The default disturbs nothing.

    Parameters
    ----------
    level
        Standard deviation of the noise in units of each feature's own standard deviation; 0.1 is 10 %.
    keep
        Share of the features that stay measured, in (0, 1].
    seed
        Of the noise field and of the order in which features are dropped; >= 0.
    """

    level: float = 0.0
    keep: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.level) and self.level >= 0):
            raise InputError(f"`level` must be a number >= 0 (0.1 is 10 % of a standard deviation), got {self.level}.")
        if not 0 < self.keep <= 1:
            raise InputError(f"`keep` is a share of the features and must lie in (0, 1], got {self.keep}.")
        if self.seed < 0:
            raise InputError(f"`seed` must be >= 0, got {self.seed}.")

    @property
    def is_identity(self) -> bool:
        """True if the perturbed sample is the sample itself."""
        return self.level == 0 and self.keep == 1

    @property
    def in_words(self) -> str:
        """What is disturbed, as a reader must be told; empty where nothing is."""
        words = []
        if self.level > 0:
            words.append(f"noise of {self.level * 100:g} % of each feature's standard deviation")
        if self.keep < 1:
            words.append(f"only {self.keep * 100:g} % of the features kept")
        return ", ".join(words)


def noise_field(seed: int, sample_index: int, p: int) -> np.ndarray:
    """Standard normal noise of one sample: ``(p,)`` float32, the same for a (seed, row of the data set) always."""
    return np.random.default_rng([_NOISE, seed, sample_index]).standard_normal(p, dtype=np.float32)


def noise_fields(seed: int, rows: np.ndarray, p: int) -> np.ndarray:
    """:func:`noise_field` of several rows of the data set: ``(len(rows), p)`` float32."""
    rows = np.asarray(rows)
    return np.stack([noise_field(seed, int(i), p) for i in rows]) if len(rows) else np.empty((0, p), np.float32)


def keep_rank(seed: int, p: int) -> np.ndarray:
    """The order in which features are dropped: ``(p,)`` float32 in [0, 1), evenly spaced.

    A feature is kept while its rank is below ``keep``, so a share ``keep`` of the features stays, rounded
    to the nearest whole feature, and what a smaller share keeps a larger one keeps too.
    """
    order = np.random.default_rng([_KEEP, seed]).permutation(p)
    ranks = ((order + 0.5) / max(p, 1)).astype(np.float32)
    return np.minimum(ranks, np.nextafter(np.float32(1), np.float32(0)))


def block_rank(X: np.ndarray, seed: int, n_blocks: int = 20) -> np.ndarray:
    """:func:`keep_rank` with correlated features dropped together: ``(p,)`` float32 in [0, 1), evenly spaced.

    A feature drawn by chance goes with those that correlate with it most, ``p / n_blocks`` in all; then the next of
    those that are left. Correlations are absolute, over the rows ``X`` ``(n, p)``, NaN where a value is missing.
    """
    n, p = X.shape
    present = ~np.isnan(X)
    mean = np.where(present, X, 0).sum(axis=0, dtype=np.float64) / np.maximum(present.sum(axis=0), 1)
    centred = np.where(present, X - mean, 0).astype(np.float32)
    norm = np.linalg.norm(centred, axis=0)
    unit = np.divide(centred, norm, out=np.zeros((n, p), np.float32), where=norm > 0)
    rng, left, order = np.random.default_rng([_BLOCKS, seed]), np.ones(p, bool), []
    size = max(1, math.ceil(p / n_blocks))
    while left.any():
        pivot = rng.choice(np.flatnonzero(left))
        likeness = np.abs(unit[:, pivot] @ unit)
        likeness[pivot], likeness[~left] = np.inf, -np.inf
        block = np.argsort(-likeness, kind="stable")[: min(size, int(left.sum()))]
        left[block] = False
        order.append(block)
    return _evenly(np.concatenate(order)[::-1]) if p else np.empty(0, np.float32)


def _evenly(order: np.ndarray) -> np.ndarray:
    """Ranks in [0, 1) of features, from the first of ``order``, which is kept longest, to the last."""
    ranks = np.empty(len(order), np.float32)
    ranks[order] = (np.arange(len(order)) + 0.5) / len(order)
    return np.minimum(ranks, np.nextafter(np.float32(1), np.float32(0)))


def kept_features(perturbation: Perturbation, p: int) -> np.ndarray:
    """Which features stay measured: ``(p,)`` bool, the same for every sample."""
    return keep_rank(perturbation.seed, p) < np.float32(perturbation.keep)


def add_noise(X: np.ndarray, field: np.ndarray, scale: np.ndarray | float, level: float) -> np.ndarray:
    """``X + level * scale * field`` in float32, rounded after each operation as the module's formula says."""
    amplitude = np.float32(level) * np.asarray(scale, np.float32)
    return np.asarray(X, np.float32) + amplitude * np.asarray(field, np.float32)


def perturb(
    X: np.ndarray | sp.spmatrix | sp.sparray,
    rows: np.ndarray,
    scale: np.ndarray | float,
    perturbation: Perturbation,
    fill: np.ndarray | float = np.nan,
) -> np.ndarray:
    """Disturbed copies of samples.

    Parameters
    ----------
    X
        ``(n, p)`` samples in any unit, NaN where missing (stays missing). CSR rows are made dense.
    rows
        ``(n,)`` their rows in the data set: each sample's noise is tied to its row, not to its place in `X`.
    scale
        ``(p,)`` standard deviation of each feature in the unit of `X`, or 1.0 for standardised values.
    perturbation
        Level, share kept and seed.
    fill
        What a dropped feature becomes: NaN (missing, for the model to impute), a number, or ``(p,)`` values.

    Returns
    -------
    ``(n, p)`` float32, always a new array.
    """
    dense = np.asarray(X.toarray() if isinstance(X, sp.spmatrix | sp.sparray) else X, np.float32)
    if dense.ndim != 2 or len(rows) != len(dense):
        raise InputError(f"`X` must be (n, p) with one row number a sample, got {dense.shape} and {len(rows)} rows.")
    p = dense.shape[1]
    if np.ndim(scale) and np.shape(scale) != (p,):
        raise InputError(f"`scale` must be one number or {p} numbers (one a feature), got shape {np.shape(scale)}.")
    out = dense.copy()
    if perturbation.level > 0:
        for i, row in enumerate(rows):  # one field at a time: no (n, p) noise in memory
            out[i] = add_noise(dense[i], noise_field(perturbation.seed, int(row), p), scale, perturbation.level)
    if perturbation.keep < 1:
        out = np.where(kept_features(perturbation, p), out, np.asarray(fill, np.float32))
    return out


def subsample_rows(y: np.ndarray | None, groups: np.ndarray | None, fraction: float, seed: int) -> np.ndarray:
    """A stratified share of the samples, groups whole.

    Parameters
    ----------
    y
        ``(n,)`` class codes, or None: one stratum (then `groups` must be given to know n).
    groups
        ``(n,)`` group codes, or None: every row is its own. A group belongs to its most frequent class.
    fraction
        Share of each class's groups, in (0, 1]; at least one of each class stays.
    seed
        For one seed, a smaller fraction's rows are among a larger fraction's.

    Returns
    -------
    Ascending row numbers, int64.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"`fraction` is a share of the samples and must lie in (0, 1], got {fraction}.")
    if y is None and groups is None:
        raise InputError("`subsample_rows` needs `y` or `groups` to know the samples.")
    n = len(y if y is not None else groups)  # type: ignore[arg-type]
    labels = np.zeros(n, np.int64) if y is None else np.unique(y, return_inverse=True)[1]
    units = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(units) != n:
        raise InputError(f"`y` has {n} samples and `groups` {len(units)}: they must agree.")
    votes = np.zeros((units.max(initial=-1) + 1, labels.max(initial=-1) + 1), np.int64)
    np.add.at(votes, (units, labels), 1)
    class_of_unit = votes.argmax(axis=1) if votes.size else np.empty(0, np.int64)
    chosen = np.zeros(len(class_of_unit), bool)
    rng = np.random.default_rng([_ROWS, seed])
    for label in np.unique(class_of_unit):
        members = rng.permutation(np.flatnonzero(class_of_unit == label))
        chosen[members[: max(1, round(fraction * len(members)))]] = True
    return np.flatnonzero(chosen[units])
