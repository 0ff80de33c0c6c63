"""Intervals and tests against published tables, independent formulas and simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genomap_core.benchmark import statistics as module


@pytest.mark.parametrize(
    ("n_models", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (8, 3.031), (10, 3.164)]
)
def test_the_critical_difference_has_the_q_of_demsars_table(n_models: int, q: float) -> None:
    want = q * math.sqrt(n_models * (n_models + 1) / (6 * 22))
    assert module.critical_difference(n_models, 22) == pytest.approx(want, abs=2e-3)


def test_demsars_own_example_is_reproduced() -> None:
    """Four variants of C4.5 on 14 sets (Demsar 2006, table 6)."""
    scores = np.array(
        [
            [.763, .768, .771, .798], [.599, .591, .590, .569], [.954, .971, .968, .967], [.628, .661, .654, .657],
            [.882, .888, .886, .898], [.936, .931, .916, .931], [.661, .668, .609, .685], [.583, .583, .563, .625],
            [.775, .838, .866, .875], [1.000, 1.000, 1.000, 1.000], [.940, .962, .965, .962], [.619, .666, .614, .669],
            [.972, .981, .9751, .975], [.957, .978, .946, .970],
        ]
    )  # fmt: skip
    np.testing.assert_allclose(module.ranks(scores).mean(0), [3.143, 2.000, 2.893, 1.964], atol=1e-3)
    ties = 3 * (2**3 - 2) + (4**3 - 4)  # the paper doesn't correct for them
    chi2 = stats.chi2.isf(module.friedman_p(scores), 3) * (1 - ties / (14 * 4 * (4**2 - 1)))
    assert chi2 == pytest.approx(9.28, abs=0.01)
    assert module.critical_difference(4, 14) == pytest.approx(1.25, abs=0.01)


def test_the_corrected_interval_is_the_formula_written_out() -> None:
    values = np.array([0.80, 0.84, 0.79, 0.86, 0.81])
    variance = sum((v - values.mean()) ** 2 for v in values) / 4
    half = 2.776445 * math.sqrt(variance * (1 / 5 + 0.25))
    found = module.corrected_interval(values, 0.25)
    assert (found.mean, found.low, found.high) == pytest.approx((0.82, 0.82 - half, 0.82 + half), abs=1e-6)


def test_without_overlap_it_is_the_ordinary_t_test() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1, 12)
    assert module.corrected_p(differences, 0.0) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)


def test_the_correction_keeps_its_promise_where_the_naive_test_breaks_it() -> None:
    """Two models that are alike: a scores' difference shared by all folds (the sample) plus the folds' own part."""
    rng = np.random.default_rng(1)
    shared, own = rng.normal(size=(3000, 1)), rng.normal(size=(3000, 20))
    differences = 0.5 * shared + own
    corrected = np.mean([module.corrected_p(d, 0.25) < 0.05 for d in differences])
    naive = np.mean([module.corrected_p(d, 0.0) < 0.05 for d in differences])
    assert corrected <= 0.06
    assert naive > 0.2


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.floats(0.05, 1))
def test_the_p_value_is_below_5_percent_exactly_when_the_interval_misses_zero(
    values: list[float], share: float
) -> None:
    differences = np.array(values)
    i, p = module.corrected_interval(differences, share), module.corrected_p(differences, share)
    if min(abs(i.low), abs(i.high)) > 1e-9:
        assert (p < 0.05) == (i.low > 0 or i.high < 0)


def test_one_run_has_no_interval() -> None:
    found = module.corrected_interval(np.array([0.7]), 0.25)
    assert found.mean == 0.7
    assert math.isnan(found.low)


def test_identical_models_do_not_differ() -> None:
    zeros = np.zeros(10)
    assert module.corrected_p(zeros, 0.25) == 1.0
    interval, p = module.over_sets(zeros)
    assert (interval.low, interval.high, p) == (0.0, 0.0, 1.0)
    assert module.friedman_p(np.full((5, 4), 0.9)) == 1.0


def test_a_failed_model_comes_last_and_ties_share_their_rank() -> None:
    np.testing.assert_array_equal(
        module.ranks(np.array([[0.9, np.nan, 0.8, 0.9], [np.nan, np.nan, 0.1, 0.2]])),
        [[1.5, 4, 3, 1.5], [3.5, 3.5, 2, 1]],
    )


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=8))
def test_ranks_of_a_set_always_sum_to_the_same(rows: list[list[float]]) -> None:
    np.testing.assert_allclose(module.ranks(np.array(rows)).sum(1), 10)


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
def test_holm_is_the_step_down_rule_written_out(p_values: list[float]) -> None:
    p = np.array(p_values)
    order = np.argsort(p, kind="stable")
    want, running = np.empty(len(p)), 0.0
    for k, i in enumerate(order):
        running = max(running, min(1.0, (len(p) - k) * p[i]))
        want[i] = running
    np.testing.assert_allclose(module.holm(p), want)


def test_two_models_over_sets_are_compared_by_wilcoxon() -> None:
    differences = np.array([0.02, 0.01, 0.03, -0.005, 0.04, 0.015, 0.025, 0.05])
    interval, p = module.over_sets(differences)
    assert p == pytest.approx(stats.wilcoxon(differences).pvalue)
    t = stats.ttest_1samp(differences, 0).confidence_interval()
    assert (interval.low, interval.high) == pytest.approx((t.low, t.high))


def test_bars_join_the_models_within_the_critical_difference_and_none_lies_inside_another() -> None:
    assert module.cliques(np.array([1.0, 2.0, 2.5, 4.0]), 1.2) == [(0, 1), (1, 2)]
    assert module.cliques(np.array([1.0, 1.5, 2.0, 5.0]), 1.0) == [(0, 2)]
    assert module.cliques(np.array([1.0, 3.0]), 1.0) == []


@given(st.lists(st.floats(1, 9), min_size=2, max_size=9), st.floats(0.1, 4))
def test_every_pair_is_joined_by_a_bar_exactly_when_it_is_close(mean_ranks: list[float], difference: float) -> None:
    order = np.sort(mean_ranks)
    bars = module.cliques(np.array(mean_ranks), difference)
    for i in range(len(order)):
        for j in range(i + 1, len(order)):
            close = order[j] <= order[i] + difference
            assert close == any(first <= i and j <= last for first, last in bars)
