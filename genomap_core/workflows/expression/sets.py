"""Gene sets of a patient from predicted expression: a score with an interval, of the genes that can be predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genomap_core.layout.genesets import GeneSets, read_gmt
from genomap_core.workflows.expression.statistics import centred, fisher_interval, pearson_each


@dataclass(frozen=True, eq=False)
class SetScores:
    """One gene set; scores in standard deviations of a gene, mean over its genes that can be predicted."""

    name: str
    genes: tuple[str, ...]
    """Those that can be predicted"""
    size: int
    """Those that were measured"""
    r: float
    r_low: float
    """Correlation of predicted and measured score, within cohorts and folds, and the lower end of its 95 % interval"""
    score: np.ndarray
    low: np.ndarray
    high: np.ndarray
    """``(n,)`` predicted score of every patient, and its interval"""
    measured: np.ndarray
    """``(n,)``"""

    @property
    def told(self) -> bool:
        """Whether the score is predicted at all."""
        return self.r_low > 0


def set_scores(
    sets: GeneSets,
    genes: Sequence[str],
    truth: np.ndarray,
    predicted: np.ndarray,
    predictable: np.ndarray,
    fold_of_row: np.ndarray,
    within: np.ndarray,
    level: float = 0.9,
) -> tuple[SetScores, ...]:
    """Scores of every set with a gene that can be predicted, the best predicted set first.

    The interval of a patient is as wide as the errors of the patients of other folds: their ``level`` quantile, with
    the correction for few patients (split conformal prediction: Lei et al., JASA 113:1094, 2018). Every prediction is
    by a model that saw neither patient.

    Parameters
    ----------
    truth, predicted
        ``(n, g)``, out of fold.
    predictable
        ``(g,)`` bool.
    fold_of_row, within
        ``(n,)`` int codes: the fold, and what r is computed within (fold, cohort and section).
    """
    sd = np.maximum(truth.std(axis=0), 1e-9)
    measured, said = ((values - truth.mean(axis=0)) / sd for values in (truth, predicted))
    n = len(truth) - len(np.unique(within)) + 1
    found = []
    for name, members in sets.sets.items():
        own = np.array([j for j in members if predictable[j]], int)
        if not len(own):
            continue
        actual, score = measured[:, own].mean(axis=1), said[:, own].mean(axis=1)
        r = pearson_each(centred(actual[:, None], within), centred(score[:, None], within))
        half = _half_widths(np.abs(actual - score), fold_of_row, level)
        low = float(fisher_interval(r, n)[0][0])
        chosen = tuple(genes[j] for j in own)
        found.append(SetScores(name, chosen, len(members), float(r[0]), low, score, score - half, score + half, actual))
    return tuple(sorted(found, key=lambda row: -row.r))


def set_scores_of_file(
    gmt: bytes,
    genes: Sequence[str],
    truth: np.ndarray,
    predicted: np.ndarray,
    predictable: np.ndarray,
    fold_of_row: np.ndarray,
    within: np.ndarray,
) -> tuple[SetScores, ...]:
    """:func:`set_scores` of the sets of a GMT file. Raises :class:`InputError` for one that can't be read."""
    return set_scores(read_gmt(gmt, genes), genes, truth, predicted, predictable, fold_of_row, within)


def _half_widths(errors: np.ndarray, fold_of_row: np.ndarray, level: float) -> np.ndarray:
    """``(n,)`` quantile of the errors in the other folds; the largest of them where they are too few."""
    half = np.empty(len(errors))
    for fold in np.unique(fold_of_row):
        others = np.sort(errors[fold_of_row != fold])
        rank = min(int(np.ceil(level * (len(others) + 1))), len(others)) - 1
        half[fold_of_row == fold] = others[rank]
    return half
