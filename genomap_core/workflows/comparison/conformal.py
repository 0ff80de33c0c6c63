"""Prediction sets: the classes that can't be ruled out at a chosen confidence, and how often they held the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.plotting.performance import wilson
from genomap_core.workflows.comparison.result import Comparison
from genomap_core.workflows.comparison.scores import Score

CONFIDENCES = (0.8, 0.9, 0.95)
"""What the pages offer."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the sets of one model did on held-out patients."""

    overall: Score
    """Share of patients whose set holds their class, with Wilson's 95 % interval"""
    by_class: tuple[Score, ...]
    """The same among the patients of each class; NaN for a class without patients"""
    mean_size: float
    """Classes in a set"""
    single: float
    """Share of patients whose set names one class"""
    single_right: Score
    """Share of these sets that are right; NaN where there are none"""
    empty: float
    """Share of patients unlike every class at this confidence"""

    @property
    def worst(self) -> int:
        """The class whose patients' sets hold the truth least often."""
        return int(np.nanargmin([s.value for s in self.by_class]))


def p_values(y: np.ndarray, proba: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Conformal p-values of every class, calibrated on each class by itself.

    Parameters
    ----------
    y, proba
        ``(n,)`` class codes and ``(n, C)`` out-of-fold probabilities of the calibration patients.
    asked
        ``(m, C)`` probabilities of the patients asked about.

    Returns
    -------
    ``(m, C)``: among the ``n_c`` calibration patients of class ``c``, and the patient asked about counted with them,
    the share whose probability of ``c`` is no higher (Vovk, Gammerman and Shafer, 2005, section 4.5, label
    conditional). A class without calibration patients gets 1: nothing can rule it out.
    """
    found = np.empty(asked.shape)
    for c in range(asked.shape[1]):
        own = np.sort(proba[y == c, c])
        found[:, c] = (1 + np.searchsorted(own, asked[:, c], side="right")) / (1 + len(own))
    return found


def p_values_of(found: Comparison, model: str, fold: int, asked: np.ndarray) -> np.ndarray:
    """:func:`p_values` of ``asked (m, C)``, answered by the model of ``fold``; the other folds calibrate."""
    proba = found.run(model).proba
    assert proba is not None
    others = found.fold_of_row != fold
    return p_values(found.y[others], proba[others], asked)


def held_out_sets(found: Comparison, model: str, confidence: float) -> np.ndarray:
    """``(n, C)`` bool: the set of every patient, each calibrated on the patients of the other folds.

    The models of two folds differ, so that the guarantee of conformal prediction holds nearly, not exactly
    (cross-conformal prediction; Vovk, 2015): :func:`coverage` measures what it came to.
    """
    proba = found.run(model).proba
    assert proba is not None
    sets = np.empty(proba.shape, bool)
    for fold in np.unique(found.fold_of_row):
        rows = found.fold_of_row == fold
        sets[rows] = in_set(p_values_of(found, model, int(fold), proba[rows]), confidence)
    return sets


def in_set(p: np.ndarray, confidence: float) -> np.ndarray:
    """Which classes stay, of p-values of any shape."""
    return p > 1 - confidence + 1e-12


def coverage(y: np.ndarray, sets: np.ndarray) -> Coverage:
    """How sets ``(n, C)`` did on patients of the classes ``y (n,)``."""
    hit, size = sets[np.arange(len(y)), y], sets.sum(axis=1)
    return Coverage(
        overall=_share(hit),
        by_class=tuple(_share(hit[y == c]) for c in range(sets.shape[1])),
        mean_size=float(size.mean()),
        single=float((size == 1).mean()),
        single_right=_share(hit[size == 1]),
        empty=float((size == 0).mean()),
    )


def _share(hit: np.ndarray) -> Score:
    if not len(hit):
        return Score(float("nan"), float("nan"), float("nan"))
    low, high = wilson(hit.mean(), np.array(len(hit)))
    return Score(float(hit.mean()), float(low), float(high))


def least_patients(confidence: float) -> int:
    """Calibration patients a class needs before it can be ruled out at all."""
    return int(np.ceil(1 / (1 - confidence) - 1e-9)) - 1


@dataclass(frozen=True, slots=True)
class PredictionSet:
    """What stays possible for one patient, and what the model prefers: names of classes."""

    fits: tuple[str, ...]
    """Cannot be ruled out, though there are patients enough to rule the class out"""
    rare: tuple[str, ...]
    """Cannot be ruled out because too few patients of the class are known: no evidence for it"""
    ruled_out: tuple[str, ...]
    preferred: str
    """The likeliest class by the model's own probabilities, in the set or not"""
    probability: float
    """Of the preferred class"""


def prediction_set(found: Comparison, model: str, fold: int, asked: np.ndarray, confidence: float) -> PredictionSet:
    """The set of one patient, ``asked (C,)``: answered by the model of ``fold``, calibrated on the other folds.

    Classes with fewer than :func:`least_patients` stay in every set, which keeps its guarantee; they are listed apart,
    because they say nothing about this patient.
    """
    stays = in_set(p_values_of(found, model, fold, asked[None])[0], confidence)
    counts = np.bincount(found.y[found.fold_of_row != fold], minlength=len(found.classes))
    rare = counts < least_patients(confidence)
    fits, apart, out = (
        tuple(name for name, is_there in zip(found.classes, part, strict=True) if is_there)
        for part in (stays & ~rare, stays & rare, ~stays)
    )
    best = int(np.argmax(asked))
    return PredictionSet(fits, apart, out, found.classes[best], float(asked[best]))


def in_words(found: Comparison, model: str, fold: int, asked: np.ndarray, confidence: float) -> str:
    """What stays possible for one patient, ``asked (C,)``, and how often such sets held the truth."""
    one = prediction_set(found, model, fold, asked, confidence)
    did = coverage(found.y, held_out_sets(found, model, confidence))
    held = round(did.overall.value * len(found.y))
    return f"{set_in_words(one, confidence)} Such sets held the truth for {held} of {len(found.y)} held-out samples."


def set_in_words(one: PredictionSet, confidence: float) -> str:
    """The set in a sentence or two; the preference is named where the set does not speak for it."""
    if one.fits:
        rest = "the rest is ruled out" if one.ruled_out else "nothing is ruled out"
        words = f"At {confidence:.0%} confidence: {' or '.join(one.fits)}; {rest}."
    elif one.rare:
        words = f"At {confidence:.0%} confidence every class with enough samples is ruled out."
    else:
        words = f"At {confidence:.0%} confidence no class fits: unlike the samples of every class."
    if one.rare:
        words += f" Too few samples to ever rule out: {', '.join(one.rare)}."
    if one.preferred in one.ruled_out:
        words += (
            f" The model itself prefers {one.preferred} ({one.probability:.0%}), but gives nearly every sample of that"
            " class more."
        )
    elif one.preferred in one.rare:
        words += f" The model itself prefers {one.preferred} ({one.probability:.0%}), on too few samples to check."
    return words
