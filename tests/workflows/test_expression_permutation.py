"""Permutations call what chance does chance: for patients, within cohorts, and for neighbouring spots of a tissue."""

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter

from genomap_core.errors import InputError
from genomap_core.workflows.expression.statistics import _r, _unit, centred, pearson_each, permutation_p, rows_of_each

SIDE = 18
SPOTS = np.argwhere(np.hypot(*(np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2)) < SIDE / 2)


def smooth_fields(genes: int, rng: np.random.Generator) -> np.ndarray:
    """``(spots, genes)``: patterns that have nothing to do with each other, but are smooth each."""
    fields = gaussian_filter(rng.normal(size=(genes, 3 * SIDE, 3 * SIDE)), (0, 3, 3))[:, SIDE:-SIDE, SIDE:-SIDE]
    return fields[:, SPOTS[:, 0], SPOTS[:, 1]].T / fields.std()


def share_called(p: np.ndarray) -> float:
    return float((p < 0.05).mean())


def test_p_is_uniform_where_there_is_nothing():
    truth, predicted = np.random.default_rng(0).normal(size=(2, 40, 1500))
    found = permutation_p(truth, predicted, 399, seed=1)
    assert stats.kstest(found.p, "uniform").pvalue > 0.01
    assert found.null.shape == (100, 1500)
    assert found.null.std() == pytest.approx(1 / np.sqrt(39), rel=0.02)


def test_what_is_predicted_gets_the_smallest_p_and_a_constant_the_largest():
    truth = np.random.default_rng(0).normal(size=(30, 3))
    predicted = np.column_stack([truth[:, 0], -truth[:, 1], np.full(30, 0.1)])
    assert permutation_p(truth, predicted, 99, seed=0).p == pytest.approx([0.01, 1, 1])


def test_differences_between_cohorts_are_not_called():
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1], 40)
    truth, predicted = (rng.normal(size=(80, 300)) + 2 * codes[:, None] for _ in range(2))
    assert share_called(permutation_p(truth, predicted, 199, 0).p) > 0.95
    assert share_called(permutation_p(truth, predicted, 199, 0, within=codes).p) < 0.08


def test_smooth_patterns_are_called_by_free_exchange_not_by_moving_the_layout():
    free, moved = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth, predicted = smooth_fields(80, rng), smooth_fields(80, rng)
        free.append(share_called(permutation_p(truth, predicted, 199, seed).p))
        moved.append(share_called(permutation_p(truth, predicted, 199, seed, places=SPOTS).p))
    assert np.mean(free) > 0.2
    assert np.mean(moved) < 0.06


def test_a_smooth_pattern_that_is_predicted_is_still_found_over_two_sections():
    rng = np.random.default_rng(7)
    truth = np.vstack([smooth_fields(60, rng) for _ in range(2)])
    predicted = truth + np.vstack([smooth_fields(60, rng) for _ in range(2)])
    places, codes = np.vstack([SPOTS, SPOTS]), np.repeat([0, 1], len(SPOTS))
    found = permutation_p(truth, predicted, 199, 0, within=codes, places=places)
    assert share_called(found.p) > 0.9
    shift = permutation_p(truth, predicted + 100 * codes[:, None], 199, 0, within=codes, places=places)
    np.testing.assert_allclose(shift.p, found.p, atol=0.011)


def test_rows_that_are_taken_more_than_once_are_correlated_as_what_they_are():
    rng = np.random.default_rng(5)
    codes = np.repeat([0, 1, 2], 20)
    parts = rows_of_each(codes)
    truth, predicted = rng.normal(size=(2, 60, 30)) + 4 * codes[:, None]
    rows = np.concatenate([rng.choice(part, 20) for part in parts])
    found = _r(_unit(centred(truth, codes)), _unit(centred(predicted, codes)), rows, parts)
    wanted = pearson_each(centred(truth, codes), centred(predicted[rows], codes))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_units_of_places_and_of_predictions_do_not_matter():
    rng = np.random.default_rng(5)
    truth, predicted = smooth_fields(20, rng), smooth_fields(20, rng)
    null = permutation_p(truth, predicted, 20, 3, places=SPOTS).null
    again = permutation_p(truth, 2 * predicted - 7, 20, 3, places=0.055 * SPOTS + 3).null
    close = np.isclose(null, again, atol=0.02)  # a spot halfway between two may go to the other one
    assert close.mean() > 0.99


def test_what_does_not_fit_is_refused():
    values = centred(np.eye(6), np.zeros(6))
    with pytest.raises(InputError, match="at least one"):
        permutation_p(values, values, 0, 0)
    with pytest.raises(InputError, match="both must be"):
        permutation_p(values, values[:, :3], 9, 0)
    with pytest.raises(InputError, match="one a patient"):
        permutation_p(values, values, 9, 0, within=np.zeros(5))
    with pytest.raises(InputError, match="two coordinates"):
        permutation_p(values, values, 9, 0, places=np.zeros((6, 3)))
