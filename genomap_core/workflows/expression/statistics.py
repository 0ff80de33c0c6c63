"""Is a gene's expression predicted from images? Out-of-fold predictions held against truth, gene by gene.

A gene counts as predicted by the rule of SEQUOIA (Pizurica et al., Nature Communications 15:9886, 2024): the
correlation is above 0, significant, larger than that of the same network with random weights, and so after correction
for the number of genes. Beyond that rule, each correlation is held against permutations and against a linear model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.errors import InputError
from genomap_core.workflows.expression.correlations import (
    centred,
    false_discovery_rate,
    fisher_interval,
    pearson_each,
    pearson_p,
    rmse_each,
    spearman_each,
    steiger_p,
)
from genomap_core.workflows.expression.permutation import permutation_p

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
