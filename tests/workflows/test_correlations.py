"""Correlations and their tests agree with SciPy, with published examples and with simulation."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from genomap_core.workflows.expression.statistics import (
    centred,
    false_discovery_rate,
    fisher_interval,
    pearson_each,
    pearson_p,
    rmse_each,
    spearman_each,
    steiger_p,
)


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    a = rng.normal(5, 2, (40, 12))
    return a, np.round(a * rng.uniform(-1, 1, 12) + rng.normal(0, 1, (40, 12)), 1)


def test_columns_agree_with_scipy(pairs):
    a, b = pairs
    r, p = np.array([stats.pearsonr(x, y) for x, y in zip(a.T, b.T, strict=True)]).T
    ends = [stats.pearsonr(x, y).confidence_interval(0.95) for x, y in zip(a.T, b.T, strict=True)]
    np.testing.assert_allclose(pearson_each(a, b), r)
    np.testing.assert_allclose(pearson_p(r, 40), p, rtol=1e-9)
    np.testing.assert_allclose(np.transpose(fisher_interval(r, 40)), ends)
    rho = [stats.spearmanr(x, y).statistic for x, y in zip(a.T, b.T, strict=True)]
    np.testing.assert_allclose(spearman_each(a, b), rho)
    np.testing.assert_allclose(rmse_each(a, b), np.sqrt(((a - b) ** 2).mean(0)))


@pytest.mark.parametrize("value", [0.1, 1e6 / 3, 0.0])
def test_a_constant_column_has_no_correlation(value):
    varied = np.random.default_rng(0).normal(size=(57, 1))
    for kind in (np.float32, np.float64):
        constant = np.full((57, 1), value, kind)
        assert pearson_each(constant, varied) == spearman_each(varied, constant) == 0
    assert pearson_p(np.zeros(1), 57) == 1


def test_perfect_correlations_are_finite(pairs):
    a, _ = pairs
    r = pearson_each(a, 3 * a + 1)
    assert (pearson_p(r, 40) < 1e-12).all()
    assert np.isfinite(fisher_interval(r, 40)).all()
    assert (steiger_p(r, 0 * r, 0 * r, 40) < 1e-6).all()
    assert steiger_p(r, r, np.ones_like(r), 40) == pytest.approx(0.5)
    assert steiger_p(np.zeros(1), np.zeros(1), np.zeros(1), 40) == pytest.approx(0.5)


def test_means_of_cohorts_are_no_correlation():
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], 50)
    a, b = (rng.normal(0, 1, (150, 200)) + 5 * codes[:, None] for _ in range(2))
    assert pearson_each(a, b).min() > 0.8
    assert abs(pearson_each(centred(a, codes), centred(b, codes)).mean()) < 0.02
    steps = centred(0.1 * codes[:, None] + 0.3, codes)
    assert not steps.any()


@pytest.mark.parametrize(
    ("r_first", "r_second", "r_between", "n", "z"),
    [
        (0.4, 0.5, 0.1, 103, -0.8887),  # Steiger (1980), case A, p. 249; printed there with rounded steps as -0.8913
        (0.3, 0.4, 0.5, 100, -1.0718),  # Silver, Hittner and May, Applied Psychological Measurement 30:152, 2006
    ],
)
def test_steigers_z_is_the_published_one(r_first, r_second, r_between, n, z):
    assert -ndtri(steiger_p(r_first, r_second, r_between, n)) == pytest.approx(z, abs=5e-5)
    assert -ndtri(steiger_p(r_second, r_first, r_between, n)) == pytest.approx(-z, abs=5e-5)


@pytest.mark.parametrize(("r", "between"), [(0.0, 0.0), (0.0, 0.9), (0.4, 0.5), (0.6, 0.2)])
def test_steigers_test_holds_its_level_for_dependent_correlations(r, between):
    n, genes = 80, 8000
    root = np.linalg.cholesky([[1, r, r], [r, 1, between], [r, between, 1]])
    truth, first, second = np.einsum("ij,jng->ing", root, np.random.default_rng(2).normal(size=(3, n, genes)))
    p = steiger_p(pearson_each(truth, first), pearson_each(truth, second), pearson_each(first, second), n)
    assert 0.038 < (p < 0.05).mean() < 0.06
    assert 0.035 < (p > 0.95).mean() < 0.06


def test_false_discovery_rate_of_a_hand_example():
    np.testing.assert_allclose(false_discovery_rate(np.array([0.01, 0.04, 0.03, 0.005])), [0.02, 0.04, 0.04, 0.02])
