"""Permutations call what chance does chance: at the nominal level under cross-validation, within cohorts, and for
neighbouring spots of a tissue."""

from functools import partial

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from genomap_core.errors import InputError
from genomap_core.workflows.expression.linear import RidgeFit, out_of_fold
from genomap_core.workflows.expression.statistics import (
    _spinning,
    centred,
    pearson_each,
    permutation_p,
    refitted_null,
    rows_of_each,
)
from tools.expression_level import nulls, permuted_predictions_p, refitted_p

SIDE = 18
SPOTS = np.argwhere(np.hypot(*(np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2)) < SIDE / 2)


def smooth_fields(genes: int, rng: np.random.Generator) -> np.ndarray:
    """``(spots, genes)``: patterns that have nothing to do with each other, but are smooth each."""
    fields = gaussian_filter(rng.normal(size=(genes, 3 * SIDE, 3 * SIDE)), (0, 3, 3))[:, SIDE:-SIDE, SIDE:-SIDE]
    return fields[:, SPOTS[:, 0], SPOTS[:, 1]].T / fields.std()


def ridge_of_folds(X: np.ndarray, fold: np.ndarray):
    """Expression -> out-of-fold answers of ridge regression."""
    rows = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]
    return partial(out_of_fold, [(train, test, RidgeFit(X[train], X[test])) for train, test in rows])


def test_where_nothing_is_to_be_found_five_in_a_hundred_are_called_at_five_in_a_hundred():
    p = np.concatenate([refitted_p(nulls(60, 42, 300, "independent", seed), seed, 40) for seed in range(12)])
    assert 0.04 < (p < 0.05).mean() < 0.06
    assert 0.002 < (p < 0.005).mean() < 0.008


def test_permuting_fixed_predictions_does_not_hold_the_level():
    """The reason for teaching every permutation anew: folds share training rows."""
    drawn = [nulls(60, 42, 300, "independent", seed, penalty=100.0) for seed in range(6)]
    refitted = np.concatenate([refitted_p(one, 1, 40) for one in drawn])
    fixed = np.concatenate([permuted_predictions_p(one, 1, 40) for one in drawn])
    assert (refitted < 0.05).mean() < 0.065 < 0.07 < (fixed < 0.05).mean()


def test_what_is_predicted_gets_the_smallest_p_and_a_constant_the_largest():
    rng = np.random.default_rng(0)
    X, fold = rng.normal(size=(60, 5)), np.arange(60) % 5
    truth = np.column_stack([X[:, 0] + 0.3 * rng.normal(size=60), rng.normal(size=(60, 3)), np.full(60, 0.1)])
    refit, one = ridge_of_folds(X, fold), np.zeros(60, int)
    null = refitted_null(truth, refit, one, fold, one, 99, 0)[0]
    p = permutation_p(pearson_each(centred(truth, fold), centred(refit(truth), fold)), null)
    assert p[0] == pytest.approx(1 / (1 + 99 * 4))
    assert (p[1:4] > 0.01).all()
    assert p[4] == 1


def test_differences_between_cohorts_are_not_called():
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1], 40)
    X, truth = (rng.normal(size=(80, k)) + 2 * codes[:, None] for k in (4, 200))
    fold = np.arange(80) % 4
    refit = ridge_of_folds(X, fold)
    shares = []
    for judged, exchanged in ((fold, np.zeros(80, int)), (2 * fold + codes, codes)):
        null = refitted_null(truth, refit, np.zeros(80, int), judged, exchanged, 99, 0)[0]
        p = permutation_p(pearson_each(centred(truth, judged), centred(refit(truth), judged)), null)
        shares.append((p < 0.05).mean())
    assert shares[0] > 0.95
    assert shares[1] < 0.12


def test_each_cohort_is_judged_by_itself():
    rng = np.random.default_rng(1)
    codes, fold, X = np.repeat([0, 1], 30), np.arange(60) % 3, rng.normal(size=(60, 3))
    truth = rng.normal(size=(60, 4)).astype(np.float32)
    null = refitted_null(truth, ridge_of_folds(X, fold), codes, 2 * fold + codes, codes, 19, 0)
    assert null.shape == (2, 19, 4)
    assert not np.allclose(null[0], null[1])


def test_smooth_patterns_are_called_by_free_exchange_not_by_moving_the_layout():
    free, moved = [], []
    section = np.repeat(np.arange(4), len(SPOTS))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, truth = (np.vstack([smooth_fields(k, rng) for _ in range(4)]) for k in (8, 60))
        refit, one = ridge_of_folds(X, section), np.zeros(len(section), int)
        r = pearson_each(centred(truth, section), centred(refit(truth), section))
        for shares, places in ((free, None), (moved, np.vstack([SPOTS] * 4))):
            null = refitted_null(truth, refit, one, section, section, 20, seed, places)[0]
            shares.append((permutation_p(r, null) < 0.05).mean())
    assert np.mean(free) > 0.15
    assert np.mean(moved) < 0.08


def test_the_layout_of_a_section_stays_in_its_section_and_its_unit_does_not_matter():
    codes = np.repeat([0, 1], len(SPOTS))
    places = np.vstack([SPOTS, SPOTS]).astype(float)
    a, b = (_spinning(p, rows_of_each(codes))(np.random.default_rng(3)) for p in (places, 0.055 * places + 3))
    np.testing.assert_array_equal(codes[a], codes)
    assert (a == b).mean() > 0.99  # a spot halfway between two may go to the other one
    assert (a == np.arange(len(a))).mean() < 0.1


def test_what_does_not_fit_is_refused():
    values, codes = np.eye(6), np.zeros(6, int)
    with pytest.raises(InputError, match="19 at least"):
        refitted_null(values, np.copy, codes, codes, codes, 5, 0)
    with pytest.raises(InputError, match="one a patient"):
        refitted_null(values, np.copy, codes, codes, np.zeros(5, int), 19, 0)
    with pytest.raises(InputError, match="two coordinates"):
        refitted_null(values, np.copy, codes, codes, codes, 19, 0, np.zeros((6, 3)))
