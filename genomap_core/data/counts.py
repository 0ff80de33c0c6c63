"""The counts of reads behind a table, and the same table where fewer reads were sequenced.

A table holds reads themselves, or ``log(1 + factor * reads)`` with a factor of each sample's own ("scaled", to a common
total) or without one. The reads are found again, not guessed: a table that no whole numbers of reads give is refused.
"""

from __future__ import annotations

import math

import numpy as np

from genomap_core.errors import InputError

_BASES = {"reads": None, "log": math.e, "log2": 2.0, "log10": 10.0}
SCALES = (*_BASES, *(f"{base} scaled" for base in _BASES))
"""What a table of counts holds: the numbers, or a logarithm of 1 + them; "scaled": of the samples' scaled reads."""
_STREAM = 5  # of random numbers under one seed; 1 to 4 are those of genomap_core.data.perturb
_OFF = 0.02  # reads that a scaled value may be away from a whole number: what single precision leaves
_DIVISORS = 50  # the least value of a sample stands for at most so many reads


def scale_of_unit(unit: str) -> str:
    """The scale that a cohort's unit means, such as ``log2(1 + count)``; empty for values that are no counts."""
    base, _, inside = unit.removesuffix(")").partition("(1 + ")
    if unit == "count":
        return "reads"
    if base not in _BASES or inside.partition(" ")[0] != "count":
        return ""
    return base if inside == "count" else f"{base} scaled"


def counts_of(X: np.ndarray, scale: str, name: str = "The table") -> tuple[np.ndarray, np.ndarray]:
    """The reads behind a table, and each sample's factor.

    Parameters
    ----------
    X
        ``(n, p)`` values on this scale, NaN where one is missing.
    scale
        One of :data:`SCALES`.
    name
        Of the table, for messages.

    Returns
    -------
    reads : (n, p) float64, whole numbers, NaN where a value is missing
    factor : (n, 1) float64, 1 where the table is not scaled

    A logarithm that was written with five significant digits tells a count up to some 4,300 reads exactly; above, any
    count that gives the value is taken, which is wrong by .02 % at most. Scaled reads are found up to a divisor that
    all of a sample's have in common, of single-precision values up to some 100,000 reads.

    Raises
    ------
    InputError
        There are no such counts; the message shows a value.
    """
    if scale not in SCALES:
        raise InputError(f"`counts` must be one of {', '.join(SCALES)}, got {scale!r}.")
    base = _BASES[scale.partition(" ")[0]]
    X = np.asarray(X, np.float64)
    values = X if base is None else np.expm1(X * math.log(base))
    if (values < 0).any() or np.isinf(values).any():
        raise InputError(f"{name} holds no counts of reads: there are values below 0, or infinite ones.")
    factor = np.ones((len(X), 1))
    if scale.endswith("scaled"):
        factor = np.array([_factor(row[row > 0], name) for row in values]).reshape(-1, 1)
    elif base is None and (wrong := np.flatnonzero(values != np.rint(values))).size:
        wrong = wrong[~np.isnan(values.flat[wrong])]
        if wrong.size:
            raise InputError(f"{name} holds no counts of reads: {values.flat[wrong[0]]:g} is no whole number.")
    elif base is not None:
        _check_logarithms(X[values > 0], values[values > 0], base, name)
    return np.rint(values / factor), factor


def _check_logarithms(logged: np.ndarray, values: np.ndarray, base: float, name: str) -> None:
    """Whether positive values are whole numbers, as far as five significant digits of their logarithms tell."""
    if not len(values):
        return
    half_digit = 0.55 * 10.0 ** (np.floor(np.log10(logged)) - 4)
    allowed = half_digit * math.log(base) * (1 + values)
    told = allowed < 0.45
    off = told & (np.abs(values - np.rint(values)) > allowed)
    if off.any() or told.mean() < 0.5:
        example = values[off][0] if off.any() else values[~told][0]
        raise InputError(
            f"{name} holds no counts of reads: {int(off.sum())} of {len(values)} values are no logarithm (to base "
            f"{base:.3g}) of 1 + a whole number, or can't be told from one; {example:.6g} is such a number."
        )


def _factor(positive: np.ndarray, name: str) -> float:
    """The largest factor of which all of a sample's positive values ``(k,)`` are whole multiples; 1 for none."""
    if not len(positive):
        return 1.0
    for least in range(1, _DIVISORS + 1):
        reads = np.rint(positive * (least / positive.min()))
        factor = float(positive @ reads / (reads @ reads))
        if np.abs(positive / factor - reads).max() < _OFF:
            return factor
    raise InputError(f"{name} holds no scaled counts of reads: a sample's values are no multiples of one number.")


def thin(X: np.ndarray, rows: np.ndarray, scale: str, share: float, seed: int, name: str = "The table") -> np.ndarray:
    """The table with fewer reads: each is kept by chance, alone (binomial), then the values are made as they were.

    A scaled sample's factor is such that its total is what it was; a sample without any read left is 0. A count of an
    unscaled table shrinks with the reads, since the table does not say that samples were brought to one depth.

    Parameters
    ----------
    X
        ``(n, p)`` values on this scale, NaN where one is missing (stays missing).
    rows
        ``(n,)`` their rows in the data set: chance is tied to the row, not to its place in `X`.
    scale
        One of :data:`SCALES`.
    share
        Probability that a read is kept, in [0, 1]; 1 gives the table itself.
    seed
        >= 0.

    Returns
    -------
    ``(n, p)`` float32, always a new array.

    Raises
    ------
    InputError
        `share` is out of range, or the values are no counts.
    """
    if not 0 <= share <= 1:
        raise InputError(f"`share` is the probability that a read is kept and must lie in [0, 1], got {share}.")
    reads, factor = counts_of(X, scale, name)
    if share == 1:
        return np.array(X, np.float32)
    kept = np.full_like(reads, np.nan)
    for i, row in enumerate(rows):
        present = ~np.isnan(reads[i])
        rng = np.random.default_rng([_STREAM, seed, int(row)])
        kept[i, present] = rng.binomial(reads[i, present].astype(np.int64), share)
    if scale.endswith("scaled"):
        before, after = (np.nansum(a, axis=1, keepdims=True) for a in (reads, kept))
        factor = factor * before / np.maximum(after, 1)
    base = _BASES[scale.partition(" ")[0]]
    values = kept * factor
    return np.asarray(values if base is None else np.log1p(values) / math.log(base), np.float32)
