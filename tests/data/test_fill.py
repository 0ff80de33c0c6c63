"""Missing values are filled with what a Gaussian of low rank expects there, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest

from genomap_core.data.fill import LowRankFill
from genomap_core.data.preprocess import Preprocessor
from genomap_core.errors import InputError


def low_rank(n: int, p: int, rank: int, noise: float, seed: int = 0) -> np.ndarray:
    """Rows of the same ``rank`` planted factors, whatever ``n`` and ``seed``."""
    loadings = np.random.default_rng(1).normal(size=(rank, p))
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, rank)) @ loadings + noise * rng.normal(size=(n, p))).astype(np.float32)


def holed(X: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(X.shape) < share, np.nan, X).astype(np.float32)


def test_a_planted_low_rank_table_is_restored_where_the_mean_is_far_off():
    train, test = np.sinh(low_rank(200, 80, 3, 0.1) / 2), np.sinh(low_rank(50, 80, 3, 0.1, seed=5) / 2)
    gaps = holed(test, 0.8)
    lost = np.isnan(gaps)
    error = np.abs(np.arcsinh(LowRankFill.fit(train).apply(gaps)) - np.arcsinh(test))[lost].mean()
    assert error < 0.15 * np.abs(np.arcsinh(test))[lost].mean()


def test_what_is_filled_is_the_conditional_mean_of_the_gaussian():
    fill = LowRankFill.fit(low_rank(30, 12, 4, 0.7))
    row = holed(low_rank(1, 12, 4, 0.7, seed=3), 0.4)
    lost = np.isnan(row[0])
    loadings = fill.components.astype(np.float64)
    covariance = loadings.T @ loadings + np.diag(fill.noise)
    centred = np.arcsinh(row[0, ~lost]) - fill.mean[~lost]
    want = fill.mean[lost] + covariance[np.ix_(lost, ~lost)] @ np.linalg.solve(covariance[~lost][:, ~lost], centred)
    np.testing.assert_allclose(np.arcsinh(fill.apply(row)[0, lost]), want, atol=1e-4)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_measured_values_stay_and_rows_do_not_depend_on_each_other(share):
    fill = LowRankFill.fit(low_rank(40, 30, 3, 0.5))
    rows = holed(low_rank(20, 30, 3, 0.5, seed=2), share)
    rows[1] = np.where(np.isnan(rows[0]), np.nan, rows[1])  # two rows share a pattern, maybe
    filled = fill.apply(rows)
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~np.isnan(rows)], rows[~np.isnan(rows)])
    np.testing.assert_allclose(np.concatenate([fill.apply(row[None]) for row in rows]), filled, atol=1e-4)


def test_a_row_without_any_value_is_the_mean_row_and_a_whole_row_stays_as_it_is():
    train = low_rank(25, 9, 2, 0.3)
    fill = LowRankFill.fit(train)
    np.testing.assert_allclose(np.arcsinh(fill.apply(np.full((1, 9), np.nan, np.float32))[0]), fill.mean, atol=1e-5)
    np.testing.assert_array_equal(fill.apply(train), train)


@pytest.mark.parametrize("shape", [(1, 5), (2, 1), (3, 40), (40, 3), (6, 6)])
def test_tables_of_any_shape_are_filled(shape):
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    X[:, 0] = 0.0
    gaps = X.copy()
    gaps[0, -1] = np.nan
    for fill in (LowRankFill.fit(X), LowRankFill.fit(gaps)):
        assert np.isfinite(fill.apply(gaps)).all()
        assert (fill.noise > 0).all()


def test_the_preprocessor_fills_from_what_the_training_rows_taught():
    train, test = low_rank(60, 40, 2, 0.2) * 7 + 100, low_rank(20, 40, 2, 0.2, seed=9) * 7 + 100
    gaps = holed(test, 0.7)
    model = Preprocessor(fill="lowrank").fit(train)
    np.testing.assert_allclose(model.transform(test), Preprocessor().fit(train).transform(test), atol=1e-6)
    lost = np.isnan(gaps)
    found = np.abs(model.transform(gaps) - model.transform(test))[lost].mean()
    assert found < 0.4 * np.abs(Preprocessor().fit(train).transform(gaps) - model.transform(test))[lost].mean()


def test_an_unknown_fill_and_one_without_scale_are_refused():
    X = low_rank(10, 4, 1, 1.0)
    with pytest.raises(InputError, match="`fill` must be one of median, lowrank"):
        Preprocessor(fill="mean").fit(X)
    with pytest.raises(InputError, match="scale=True"):
        Preprocessor(fill="lowrank", scale=False).fit(X)
