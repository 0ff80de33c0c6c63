"""Is a gene's expression predicted from images? Out-of-fold predictions held against truth, gene by gene.

Tests hold them against SciPy, against published examples and against simulation.

Neighbouring spots of a tissue are alike. Exchanged freely, they lose that, and two smooth but unrelated patterns seem
to agree far too often to be chance. So the layout of a section is turned, mirrored and shifted as a whole: neighbours
stay neighbours ("spin" test: Alexander-Bloch et al., NeuroImage 178:540, 2018). It holds where a pattern is of one kind
all over the section; a section with a gradient from edge to edge leaves little to tell chance by.

A gene counts as predicted by the rule of SEQUOIA (Pizurica et al., Nature Communications 15:9886, 2024): the
correlation is above 0, significant, larger than that of the same network with random weights, and so after correction
for the number of genes. Beyond that rule, each correlation is held against permutations and against a linear model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree
from scipy.special import ndtr, stdtr
from scipy.stats import false_discovery_control, rankdata

from genomap_core.errors import InputError
from genomap_core.workflows.fusion.controls import permute_within

_CLOSE_TO_ONE = 1 - 1e-12


def pearson_each(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's r of every column of ``a (n, g)`` with the same column of ``b (n, g)``: ``(g,)``; 0 for a constant."""
    return np.clip((unit_columns(a) * unit_columns(b)).sum(0), -1, 1)


def spearman_each(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's rho of every column, ties at their average rank: ``(g,)``; 0 for a constant column."""
    return pearson_each(rankdata(a, axis=0), rankdata(b, axis=0))


def rmse_each(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Root mean squared error of every column ``(n, g)``, in the units of the values: ``(g,)``."""
    return np.sqrt(np.mean((np.asarray(truth, np.float64) - predicted) ** 2, axis=0))


def unit_columns(values: np.ndarray) -> np.ndarray:
    """Columns ``(n, g)`` of zero mean and unit length, float64; a constant column is zero."""
    moved = centred(values, np.zeros(len(values), np.int64))
    length = np.sqrt((moved**2).sum(0))
    return moved / np.where(length > 0, length, 1)


def centred(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """``(n, g)`` float64 less the mean of the rows of the same code ``(n,)``, column by column.

    Differences between cohorts are gone then: what is left to predict are differences within them. What is constant
    within a cohort becomes exactly zero.
    """
    moved = np.array(values, np.float64)
    for rows in rows_of_each(codes):
        moved[rows] -= moved[rows][0]
        moved[rows] -= moved[rows].mean(0)
    return moved


def rows_of_each(codes: np.ndarray) -> list[np.ndarray]:
    """The rows of every code that occurs."""
    return [np.flatnonzero(codes == code) for code in np.unique(codes)]


def pearson_p(r: np.ndarray, n: int) -> np.ndarray:
    """Two-sided p of correlations ``r`` of ``n`` independent pairs, by Student's t with n - 2 degrees of freedom."""
    r = np.clip(r, -_CLOSE_TO_ONE, _CLOSE_TO_ONE)
    return 2 * stdtr(n - 2, -np.abs(r) * np.sqrt((n - 2) / (1 - r**2)))


def fisher_interval(r: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the 95 % interval of correlations ``r`` of ``n`` pairs (Fisher, 1921)."""
    z, half = _fisher(r), 1.959963984540054 / np.sqrt(n - 3)
    return np.tanh(z - half), np.tanh(z + half)


def steiger_p(r_first: np.ndarray, r_second: np.ndarray, r_between: np.ndarray, n: int) -> np.ndarray:
    """One-sided p that the first of two predictions correlates more with the same outcome than the second.

    Dunn and Clark's z with the mean of both correlations in its covariance (Steiger, Psychological Bulletin 87:245,
    1980, equation 14). Predictions that are alike in all give 0.5.

    Parameters
    ----------
    r_first, r_second
        Correlation of each prediction with the outcome.
    r_between
        Correlation of the two predictions.
    n
        Patients.
    """
    squared = np.minimum(((r_first + r_second) / 2) ** 2, _CLOSE_TO_ONE)
    shared = r_between * (1 - 2 * squared) - squared * (1 - 2 * squared - np.square(r_between)) / 2
    covariance = np.minimum(shared / (1 - squared) ** 2, _CLOSE_TO_ONE)
    z = (_fisher(r_first) - _fisher(r_second)) * np.sqrt((n - 3) / (2 - 2 * covariance))
    return ndtr(-z)


def _fisher(r: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(r, -_CLOSE_TO_ONE, _CLOSE_TO_ONE))


def false_discovery_rate(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values: the smallest false discovery rate at which each is called (Benjamini and Hochberg, 1995)."""
    return false_discovery_control(p)


Move = Callable[[np.random.Generator], np.ndarray]
"""Draws the row ``(n,)`` that each row is given."""

_KEPT = 100
"""Permutations whose correlations are kept for a picture."""
_TIE = 1e-5
"""Correlations closer than this are equal: they are computed in single precision."""


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """Of ``g`` genes."""

    p: np.ndarray
    """``(g,)`` one-sided p: how often chance correlates at least as much"""
    null: np.ndarray
    """``(b, g)`` float32, correlations of at most 100 of the permutations"""


def permutation_p(
    truth: np.ndarray,
    predicted: np.ndarray,
    n_permutations: int,
    seed: int,
    within: np.ndarray | None = None,
    places: np.ndarray | None = None,
) -> PermutationTest:
    """Hold Pearson's r of every gene against its r with the predictions of other rows.

    p is (1 + hits) / (1 + permutations), never 0 (Phipson and Smyth, Stat Appl Genet Mol Biol 9:39, 2010). All genes of
    a permutation are moved alike, so that what ties them together stays.

    Parameters
    ----------
    truth, predicted
        ``(n, g)``.
    within
        ``(n,)`` int codes of cohorts or sections: rows are moved within them only, and r is of
        values less their means.
    places
        ``(n, 2)`` centres of the spots of a tissue, in any unit: the layout of each section is moved as a whole
        instead.

    Raises
    ------
    InputError
        No permutation, or arrays that do not fit together.
    """
    n = len(truth)
    _check(truth, predicted, within, places, n_permutations)
    codes = np.zeros(n, np.int64) if within is None else np.asarray(within)
    parts = rows_of_each(codes)
    outcome, values = (_unit(centred(a, codes)) for a in (truth, predicted))
    rng = np.random.default_rng(seed)
    move = _exchanging(n, parts) if places is None else _spinning(np.asarray(places, np.float64), parts)
    observed = _r(outcome, values, np.arange(n), parts)
    hits = np.zeros(truth.shape[1], np.int64)
    null: list[np.ndarray] = []
    for _ in range(n_permutations):
        r = _r(outcome, values, move(rng), parts)
        hits += r >= observed - _TIE
        if len(null) < _KEPT:
            null.append(r)
    return PermutationTest((1 + hits) / (1 + n_permutations), np.stack(null))


def _exchanging(n: int, parts: list[np.ndarray]) -> Move:
    return lambda rng: permute_within(n, parts, int(rng.integers(2**63)))


def _spinning(places: np.ndarray, parts: list[np.ndarray]) -> Move:
    """Turned by any angle, mirrored by half a chance, shifted by up to half the section: the nearest spot then.

    Where a section is moved off its own ground, its edge goes on; that errs on the side of chance.
    """
    trees = [KDTree(places[part]) for part in parts]

    def move(rng: np.random.Generator) -> np.ndarray:
        rows = np.arange(len(places))
        for part, tree in zip(parts, trees, strict=True):
            own = places[part]
            angle, mirror = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [1, mirror]
            shift = rng.uniform(-0.5, 0.5, 2) * np.ptp(own, axis=0)
            middle = own.mean(0)
            rows[part] = part[tree.query((own - middle) @ turn.T + middle + shift)[1]]
        return rows

    return move


def _unit(values: np.ndarray) -> np.ndarray:
    length = np.sqrt((values**2).sum(0))
    return (values / np.where(length > 0, length, 1)).astype(np.float32)


def _r(outcome: np.ndarray, values: np.ndarray, rows: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """``(g,)`` float32: r of ``outcome`` and ``values[rows]``, both ``(n, g)`` of zero mean in every part.

    A row may be taken more than once: the spread of the taken ones follows from how often each is.
    """
    product = np.einsum("ng,ng->g", outcome, values[rows])
    if len(np.unique(rows)) == len(rows):
        return product
    count = np.bincount(rows, minlength=len(rows)).astype(np.float32)
    spread = count @ values**2
    for part in parts:
        spread -= (count[part] @ values[part]) ** 2 / len(part)
    return product / np.sqrt(np.where(spread > 1e-6, spread, np.inf))


def _check(
    truth: np.ndarray, predicted: np.ndarray, within: np.ndarray | None, places: np.ndarray | None, count: int
) -> None:
    n = len(truth)
    if count < 1:
        raise InputError(f"{count} permutations: at least one is needed, better 1,000.")
    if truth.ndim != 2 or truth.shape != predicted.shape:
        raise InputError(f"Truth {truth.shape} and predictions {predicted.shape}: both must be (patients, genes).")
    if within is not None and np.shape(within) != (n,):
        raise InputError(f"Cohort codes {np.shape(within)} for {n} patients: give one a patient.")
    if places is not None and np.shape(places) != (n, 2):
        raise InputError(f"Places {np.shape(places)} for {n} spots: give two coordinates a spot.")


STRONG = 0.4
"""Correlation above which a gene is called strongly predicted."""


@dataclass(frozen=True, eq=False)
class GeneStatistics:
    """Figures of ``g`` genes, each ``(g,)``; errors in the units of the expression.

    Neighbouring spots of a tissue are not independent: of spots, only the permutations (``permutation_*``) tell what is
    chance; the other p-values and the interval treat each spot as a patient of its own.
    """

    n_patients: int
    r: np.ndarray
    """Pearson correlation of truth and prediction, within cohorts where there are several"""
    r_low: np.ndarray
    r_high: np.ndarray
    """Ends of its 95 % interval"""
    spearman: np.ndarray
    rmse: np.ndarray
    p: np.ndarray
    """Two-sided p of ``r``"""
    r_random: np.ndarray
    """``r`` of the same network with random weights"""
    rmse_random: np.ndarray
    steiger_p: np.ndarray
    """One-sided p that ``r`` is above ``r_random``"""
    fdr: np.ndarray
    """``steiger_p`` after Benjamini-Hochberg"""
    permutation_p: np.ndarray
    """One-sided p of ``r`` by permutations"""
    permutation_fdr: np.ndarray
    r_null: np.ndarray
    """``(b, g)`` float32, correlations of some of the permutations"""
    r_ridge: np.ndarray
    """``r`` of the best linear model"""
    better_than_ridge_p: np.ndarray
    """One-sided p that ``r`` is above ``r_ridge``"""
    better_than_ridge_fdr: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """``(g,)`` bool: the gene is predicted by the rule of SEQUOIA."""
        above_chance = (self.r > 0) & (self.p < 0.05)
        above_random = (self.r > self.r_random) & (self.rmse < self.rmse_random)
        return above_chance & above_random & (self.steiger_p < 0.05) & (self.fdr < 0.2)

    @property
    def strong(self) -> np.ndarray:
        """``(g,)`` bool: the correlation is above 0.4."""
        return self.r > STRONG

    def summary(self) -> dict[str, int | float]:
        """Counts of genes and the spread of ``r``."""
        return {
            "n_patients": self.n_patients,
            "n_genes": len(self.r),
            "n_predicted": int(self.predicted.sum()),
            "n_strong": int(self.strong.sum()),
            "n_permutation_fdr_below_0.05": int((self.permutation_fdr < 0.05).sum()),
            "n_better_than_ridge_fdr_below_0.05": int((self.better_than_ridge_fdr < 0.05).sum()),
            "r_mean": float(self.r.mean()),
            "r_median": float(np.median(self.r)),
            "r_min": float(self.r.min()),
            "r_max": float(self.r.max()),
        }


def gene_statistics(
    truth: np.ndarray,
    predicted: np.ndarray,
    random: np.ndarray,
    ridge: np.ndarray,
    *,
    cohort: np.ndarray | None = None,
    places: np.ndarray | None = None,
    n_permutations: int = 1000,
    seed: int = 0,
) -> GeneStatistics:
    """Statistics of out-of-fold predictions.

    Parameters
    ----------
    truth, predicted, random, ridge
        ``(n, g)`` expression: measured, predicted, predicted by the same network with random weights, predicted by the
        best linear model.
    cohort
        ``(n,)`` int codes of cohorts or sections: correlations are of values less their cohort's mean, each cohort
        costing one degree of freedom, and permutations stay within it. Errors are of the values as they are.
    places
        ``(n, 2)`` of the spots of a tissue: see :func:`permutation_p`.

    Raises
    ------
    InputError
        Arrays that do not fit together, values that are missing, or fewer than four degrees of freedom.
    """
    codes = np.zeros(len(truth), np.int64) if cohort is None else np.asarray(cohort)
    n = len(truth) - len(np.unique(codes)) + 1
    if n < 5:
        raise InputError(f"{len(truth)} patients in {len(np.unique(codes))} cohorts: five of one cohort are the least.")
    for what, values in (("predictions", predicted), ("random predictions", random), ("ridge predictions", ridge)):
        if values.shape != truth.shape:
            raise InputError(
                f"The {what} are {values.shape}, the truth is {truth.shape}: give the same rows and genes."
            )
        if not (np.isfinite(values).all() and np.isfinite(truth).all()):
            raise InputError(f"Truth or {what} hold missing or infinite values: leave those genes out.")
    permuted = permutation_p(truth, predicted, n_permutations, seed, cohort, places)
    within = [centred(values, codes) for values in (truth, predicted, random, ridge)]
    r, r_random, r_ridge = (pearson_each(within[0], values) for values in within[1:])
    low, high = fisher_interval(r, n)
    above_random = steiger_p(r, r_random, pearson_each(within[1], within[2]), n)
    above_ridge = steiger_p(r, r_ridge, pearson_each(within[1], within[3]), n)
    return GeneStatistics(
        n_patients=len(truth),
        r=r,
        r_low=low,
        r_high=high,
        spearman=spearman_each(within[0], within[1]),
        rmse=rmse_each(truth, predicted),
        p=pearson_p(r, n),
        r_random=r_random,
        rmse_random=rmse_each(truth, random),
        steiger_p=above_random,
        fdr=false_discovery_rate(above_random),
        permutation_p=permuted.p,
        permutation_fdr=false_discovery_rate(permuted.p),
        r_null=permuted.null,
        r_ridge=r_ridge,
        better_than_ridge_p=above_ridge,
        better_than_ridge_fdr=false_discovery_rate(above_ridge),
    )
