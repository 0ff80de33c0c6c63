"""Is a gene's expression predicted from images? Out-of-fold predictions held against truth, gene by gene.

Tests hold them against SciPy, against published examples and against simulation.

Neighbouring spots of a tissue are alike. Exchanged freely, they lose that, and two smooth but unrelated patterns seem
to agree far too often to be chance. So the layout of a section is turned, mirrored and shifted as a whole: neighbours
stay neighbours ("spin" test: Alexander-Bloch et al., NeuroImage 178:540, 2018). It holds where a pattern is of one kind
all over the section; a section with a gradient from edge to edge leaves little to tell chance by. Every permutation is
taught to the model anew: see :func:`refitted_null`.

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
"""Draws the row ``(n,)`` whose expression each row is given."""
Refit = Callable[[np.ndarray], np.ndarray]
"""Expression ``(n, g)`` -> what the model, taught it on every fold, says of each row that it did not learn from."""


def refitted_null(
    truth: np.ndarray,
    refit: Refit,
    cohort: np.ndarray,
    judged: np.ndarray,
    exchanged: np.ndarray,
    n_permutations: int,
    seed: int,
    places: np.ndarray | None = None,
) -> np.ndarray:
    """Pearson's r of every gene where chance decides whose expression is whose: ``(cohorts, b, g)`` float32.

    The model is taught every permutation anew. Out-of-fold predictions share training rows: what a row teaches the
    model of another fold, that row's model is taught in turn, and r spreads up to the square root of 2 wider than if
    the predictions were given. Permuting fixed predictions misses that, and calls too much. All genes of a permutation
    are moved alike, so that what ties them together stays.

    Parameters
    ----------
    truth
        ``(n, g)``.
    cohort
        ``(n,)`` int codes: r is computed in each by itself.
    judged
        ``(n,)`` int codes: r is of values less their means in each (cohort, section and fold).
    exchanged
        ``(n,)`` int codes of rows that may be exchanged for each other (cohort and section).
    places
        ``(n, 2)`` centres of the spots of a tissue, in any unit: the layout of each section is moved as a whole
        instead.

    Raises
    ------
    InputError
        No permutation, or arrays that do not fit together.
    """
    _check(truth, (cohort, judged, exchanged), places, n_permutations)
    parts = rows_of_each(exchanged)
    rng = np.random.default_rng(seed)
    move = _exchanging(len(truth), parts) if places is None else _spinning(np.asarray(places, np.float64), parts)
    own, values = rows_of_each(cohort), np.asarray(truth, np.float32)
    null = np.empty((len(own), n_permutations, truth.shape[1]), np.float32)
    for b in range(n_permutations):
        moved = values[move(rng)]
        said = refit(moved)
        for c, rows in enumerate(own):
            null[c, b] = pearson_each(centred(moved[rows], judged[rows]), centred(said[rows], judged[rows]))
    return null


def permutation_p(r: np.ndarray, null: np.ndarray) -> np.ndarray:
    """One-sided p of ``r (g,)`` among ``null (b, g)``: how often chance correlates at least as much, in units of its
    spread.

    r is measured in deviations of the gene's null from its mean, every r of the null by those of the others, and the
    nulls of all genes are taken together: so the least p is 1 / (1 + b g), never 0 (Phipson and Smyth, Stat Appl Genet
    Mol Biol 9:39, 2010), from few permutations.
    """
    draws = null.astype(np.float64)
    b, total, squares = len(draws), draws.sum(axis=0), (draws**2).sum(axis=0)
    told = draws.std(axis=0) > 1e-6  # a constant prediction has no correlation by chance either
    if not told.any():
        return np.ones(len(r))
    draws, total, squares = draws[:, told], total[told], squares[told]
    mean = (total - draws) / (b - 1)  # of the others
    drawn = (draws - mean) / _deviation(squares - draws**2, mean, b - 1)
    z = np.full(len(r), -np.inf)
    z[told] = (r[told] - total / b) / _deviation(squares, total / b, b)
    drawn = np.sort(drawn.ravel())
    hits = len(drawn) - np.searchsorted(drawn, z - _TIE)
    return (1 + hits) / (1 + len(drawn))


def _deviation(squares: np.ndarray, mean: np.ndarray, count: int) -> np.ndarray:
    """Of ``count`` numbers from the sum of their squares and their mean."""
    return np.sqrt(np.maximum(squares - count * mean**2, 1e-12) / (count - 1))


_TIE = 1e-5
"""Correlations closer than this, in deviations, are equal: they are computed in single precision."""
_KEPT = 100
"""Permutations whose correlations are kept for a picture."""


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


def _check(truth: np.ndarray, codes: tuple[np.ndarray, ...], places: np.ndarray | None, count: int) -> None:
    n = len(truth)
    if count < 19:
        raise InputError(f"{count} permutations: 19 at least are needed, better 200.")
    if any(np.shape(c) != (n,) for c in codes):
        raise InputError(f"Codes {[np.shape(c) for c in codes]} for {n} patients: give one a patient.")
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
    """One-sided p of ``r`` by permutations that are learned anew, see :func:`refitted_null`"""
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
    def predictable(self) -> np.ndarray:
        """``(g,)`` bool: chance does not correlate as much, at a false discovery rate of .05."""
        return (self.r > 0) & (self.permutation_fdr < 0.05)

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
    null: np.ndarray,
    cohort: np.ndarray | None = None,
) -> GeneStatistics:
    """Statistics of out-of-fold predictions.

    Parameters
    ----------
    truth, predicted, random, ridge
        ``(n, g)`` expression: measured, predicted, predicted by the same network with random weights, predicted by the
        best linear model.
    null
        ``(b, g)`` of :func:`refitted_null`.
    cohort
        ``(n,)`` int codes of cohorts or sections: correlations are of values less their cohort's mean, each cohort
        costing one degree of freedom. Errors are of the values as they are.

    Raises
    ------
    InputError
        Arrays that do not fit together, values that are missing, or fewer than four degrees of freedom.
    """
    codes = np.zeros(len(truth), np.int64) if cohort is None else np.asarray(cohort)
    if codes.shape != (len(truth),):
        raise InputError(f"Cohort codes {codes.shape} for {len(truth)} patients: give one a patient.")
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
    within = [centred(values, codes) for values in (truth, predicted, random, ridge)]
    r, r_random, r_ridge = (pearson_each(within[0], values) for values in within[1:])
    low, high = fisher_interval(r, n)
    by_permutation = permutation_p(r, null)
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
        permutation_p=by_permutation,
        permutation_fdr=false_discovery_rate(by_permutation),
        r_null=null[:_KEPT],
        r_ridge=r_ridge,
        better_than_ridge_p=above_ridge,
        better_than_ridge_fdr=false_discovery_rate(above_ridge),
    )
