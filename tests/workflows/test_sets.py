"""Prediction sets hold the truth as often as asked, in every class, and say in words what stays possible."""

from __future__ import annotations

import numpy as np
import pytest

from genomap_core.workflows.comparison import conformal as sets
from genomap_core.workflows.comparison.runner import Run
from genomap_core.workflows.tabular.compare import CompareConfig, CompareResult


def skewed(rng: np.random.Generator, n: int, shift: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Classes 0 and 1 at four to one, and the probabilities of an honest model."""
    y = (rng.random(n) < 0.2).astype(int)
    odds = np.exp(rng.normal(size=n) + shift * (2 * y - 1)) * 0.25
    p = odds / (1 + odds)
    return y, np.stack([1 - p, p], axis=1)


def comparison(y: np.ndarray, proba: np.ndarray, n_folds: int = 5) -> CompareResult:
    run = Run("logistic", {"proba": proba}, {"label": "Logistic regression"})
    names = tuple(f"class {c}" for c in range(proba.shape[1]))
    folds = np.arange(len(y)) % n_folds
    arrays = {"y": y, "fold_of_row": folds}
    config = CompareConfig(models=("logistic",))
    return CompareResult(digest="0" * 64, config=config, facts={"classes": names}, arrays=arrays, runs=(run,))


@pytest.mark.parametrize("confidence", sets.CONFIDENCES)
def test_the_truth_is_held_as_often_as_asked_in_the_rare_class_too(confidence: float) -> None:
    rng = np.random.default_rng(0)
    held: list[list[float]] = []
    for _ in range(250):
        y, proba = skewed(rng, 300)
        new_y, new = skewed(rng, 300)
        stays = sets.in_set(sets.p_values(y, proba, new), confidence)
        held.append([stays[new_y == c, c].mean() for c in (0, 1)])
    assert np.mean(held, axis=0) == pytest.approx([confidence] * 2, abs=0.02)


def test_held_out_sets_do_not_use_the_patients_own_fold() -> None:
    y, proba = skewed(np.random.default_rng(1), 200)
    found = comparison(y, proba)
    stays = sets.held_out_sets(found, "logistic", 0.9)
    for row in (0, 7, 121):
        others = found.fold_of_row != found.fold_of_row[row]
        expected = sets.in_set(sets.p_values(y[others], proba[others], proba[[row]])[0], 0.9)
        assert (stays[row] == expected).all()
    did = sets.coverage(y, stays)
    assert did.overall.low < 0.9 < did.overall.high
    assert did.overall.value == pytest.approx(np.mean([stays[i, y[i]] for i in range(200)]))
    assert did.mean_size == pytest.approx(stays.sum() / 200)


def test_more_confidence_never_rules_out_more() -> None:
    y, proba = skewed(np.random.default_rng(2), 150)
    found = comparison(y, proba)
    small, large = (sets.held_out_sets(found, "logistic", c) for c in (0.8, 0.95))
    assert (large | ~small).all()
    assert large.sum() > small.sum()


def test_a_class_of_few_patients_is_never_ruled_out_and_that_is_said_apart() -> None:
    y = np.array([0] * 40 + [1] * 5)
    proba = np.stack([1 - 0.9 * y, 0.9 * y], axis=1) + np.array([0.0, 1e-3])
    found = comparison(y, proba)
    assert sets.least_patients(0.9) == 9
    one = sets.prediction_set(found, "logistic", 0, proba[0], 0.9)
    assert (one.fits, one.rare, one.ruled_out) == (("class 0",), ("class 1",), ())
    words = sets.in_words(found, "logistic", 0, proba[0], 0.9)
    assert "At 90% confidence: class 0; nothing is ruled out" in words
    assert "Too few samples to ever rule out: class 1" in words
    assert "The model itself prefers class 1 (90%), on too few samples to check." in sets.in_words(
        found, "logistic", 0, np.array([0.1, 0.9]), 0.9
    )


def test_a_set_never_silently_rules_out_what_the_model_prefers() -> None:
    """Class 0 gets .99 from this model: .90 is less than all of its samples but one get."""
    y = np.array([0] * 60 + [1] * 5)
    p = np.where(y == 0, np.linspace(0.89, 0.99, 65), 0.2)
    found = comparison(y, np.stack([p, 1 - p], axis=1))
    asked = np.array([0.9, 0.1])
    one = sets.prediction_set(found, "logistic", 0, asked, 0.8)
    assert one.preferred in one.ruled_out
    words = sets.in_words(found, "logistic", 0, asked, 0.8)
    assert "The model itself prefers class 0 (90%), but gives nearly every sample of that class more." in words


def test_a_clear_case_names_one_class_and_a_strange_one_none() -> None:
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1], 60)
    p = np.where(y == 1, rng.uniform(0.8, 1.0, 120), rng.uniform(0.0, 0.2, 120))
    found = comparison(y, np.stack([1 - p, p], axis=1))
    assert "At 90% confidence: class 1; the rest is ruled out" in sets.in_words(
        found, "logistic", 0, np.array([0.05, 0.95]), 0.9
    )
    assert "no class fits" in sets.in_words(found, "logistic", 0, np.array([0.5, 0.5]), 0.9)


def test_a_class_without_patients_counts_as_possible_and_has_no_coverage() -> None:
    y = np.zeros(30, int)
    proba = np.tile([0.9, 0.1], (30, 1))
    did = sets.coverage(y, sets.held_out_sets(comparison(y, proba), "logistic", 0.9))
    assert np.isnan(did.by_class[1].value)
    assert did.worst == 0
