"""The value that carries an explanation."""

import numpy as np
import pytest

from genomap_core.errors import InputError
from genomap_core.explain.attribution import Attribution, agreement


def make(values, **options):
    values = np.asarray(values, float)
    names = tuple(f"g{j}" for j in range(values.shape[-1]))
    defaults = {"method": "test", "target": "a", "output": 0.0, "baseline_output": 0.0, "model": "m"}
    return Attribution(values, names, **(defaults | options))


def test_the_gap_is_what_the_values_leave_unexplained():
    assert make([1.0, -3.0], output=2.0, baseline_output=1.0).completeness_gap == pytest.approx(3.0)
    gaps = make([[1.0, 0.0], [0.0, 2.0]], output=np.array([1.0, 1.0]), baseline_output=0.0).completeness_gap
    np.testing.assert_allclose(gaps, [0, -1])


def test_the_strongest_features_come_first_whatever_their_sign():
    assert make([0.5, -2.0, 1.0]).top(2) == (("g1", -2.0), ("g2", 1.0))


def test_one_row_of_several_is_an_attribution_of_its_own():
    row = make([[1.0, 0.0], [0.0, 2.0]], output=np.array([1.0, 5.0]), baseline_output=0.5).row(1)
    assert row.values.tolist() == [0, 2]
    assert (row.output, row.baseline_output, row.completeness_gap) == (5.0, 0.5, 2.5)


def test_region_sums_leave_out_features_without_a_region():
    a = make([1.0, 2.0, 4.0, 8.0], groups=np.array([0, 1, -1, 1]))
    np.testing.assert_allclose(a.of_groups(), [1, 10])


def test_agreement_is_one_with_itself_and_minus_one_with_its_opposite():
    a = make(np.random.default_rng(0).normal(size=50))
    b = make(-a.values)
    assert agreement(a, a, 10).spearman == pytest.approx(1)
    assert agreement(a, b, 10).spearman == pytest.approx(-1)
    assert agreement(a, b, 10).top_k_overlap == 1
    disjoint = make(np.r_[np.zeros(25), np.ones(25)]), make(np.r_[np.ones(25), np.zeros(25)])
    assert agreement(*disjoint, 10).top_k_overlap == 0


def test_features_that_no_explanation_uses_do_not_make_them_agree():
    rng = np.random.default_rng(1)
    a, b = (np.zeros(2000), np.zeros(2000))
    a[:30], b[:30] = rng.normal(size=30), rng.normal(size=30)
    assert abs(agreement(make(a), make(b)).spearman) < 0.6


def test_inconsistent_attributions_can_not_be_made():
    with pytest.raises(InputError, match="3 attributions for 2 features"):
        Attribution(np.zeros(3), ("a", "b"), "m", "t", 0.0, 0.0, "model")
    with pytest.raises(InputError, match="region labels"):
        make([1.0, 2.0], groups=np.zeros(3, int))
    with pytest.raises(InputError, match="same features"):
        agreement(make([1.0, 2.0]), make([1.0, 2.0, 3.0]))
