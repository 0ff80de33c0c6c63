"""The preprocessing learns from the rows it is fitted on, and only from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from genomap_core.data import standardise
from genomap_core.data.preprocess import Preprocessor, column_medians
from genomap_core.errors import InputError


def holed(seed: int, n: int = 23, p: int = 17, share: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(3.0, rng.uniform(0.1, 20.0, p), (n, p)).astype(np.float32)
    X[rng.random((n, p)) < share] = np.nan
    return X


@parametrize_with_checks(
    [Preprocessor(), Preprocessor(fill="lowrank"), Preprocessor(max_features=2, selection="anova")]
)
def test_keeps_the_scikit_learn_contract(estimator, check):
    check(estimator)


@given(st.integers(0, 2**16), st.integers(1, 30), st.floats(0.0, 0.6))
@settings(max_examples=40, deadline=None)
def test_medians_are_those_of_numpy(seed, n, share):
    X = holed(seed, n=n, share=share)
    X[0, :] = 1.0  # every column has a value, so numpy's answer is defined
    np.testing.assert_allclose(column_medians(X), np.nanmedian(X.astype(np.float64), axis=0), rtol=1e-6)
    np.testing.assert_allclose(column_medians(sp.csr_matrix(X)), column_medians(X), rtol=1e-6)


@pytest.mark.parametrize("block", [1, 50, 10**9])
def test_equals_scikit_learn_imputer_and_scaler_for_any_block_size(monkeypatch, block):
    monkeypatch.setattr(standardise, "_BLOCK_VALUES", block)
    train, test = holed(1), holed(2)
    imputer = SimpleImputer(strategy="median").fit(train)
    scaler = StandardScaler().fit(imputer.transform(train).astype(np.float64))
    want = scaler.transform(imputer.transform(test).astype(np.float64))
    got = Preprocessor().fit(train).transform(test)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, atol=2e-5)


def test_keeps_the_highest_variances_in_the_tables_order():
    X = np.random.default_rng(0).normal(size=(200, 6)) * [1.0, 9.0, 0.1, 5.0, 7.0, 0.2]
    model = Preprocessor(max_features=3).fit(X)
    np.testing.assert_array_equal(model.kept_, [1, 3, 4])
    assert list(model.get_feature_names_out(list("abcdef"))) == ["b", "d", "e"]


def test_anova_finds_the_planted_feature_that_variance_misses():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    X = rng.normal(size=(60, 50)) * np.r_[0.01, np.full(49, 100.0)]
    X[:, 0] += 0.1 * y
    assert 0 in Preprocessor(max_features=5, selection="anova").fit(X, y).kept_
    assert 0 not in Preprocessor(max_features=5, selection="variance").fit(X, y).kept_


def test_anova_choice_is_scikit_learns():
    X, y = holed(3, n=40, p=30, share=0.0), np.arange(40) % 3
    X[:, 4] = 7.0
    want = SelectKBest(f_classif, k=8).fit(np.delete(X, 4, axis=1), y).get_support(indices=True)
    want = np.where(want >= 4, want + 1, want)
    np.testing.assert_array_equal(Preprocessor(max_features=8, selection="anova").fit(X, y).kept_, want)


def test_sparse_and_dense_tables_give_the_same_answer():
    X = holed(4)
    X[np.random.default_rng(0).random(X.shape) < 0.5] = 0.0
    dense, sparse = Preprocessor(max_features=9).fit(X), Preprocessor(max_features=9).fit(sp.csr_matrix(X))
    np.testing.assert_array_equal(dense.kept_, sparse.kept_)
    np.testing.assert_allclose(dense.transform(X), sparse.transform(sp.csr_matrix(X)), atol=1e-6)


def test_constant_and_empty_columns_become_zero_and_nothing_is_nan():
    X = holed(5)
    X[:, 2], X[:, 3] = 0.1, np.nan
    model = Preprocessor().fit(X)
    Z = model.transform(X)
    assert model.scale_[2] == model.scale_[3] == 1.0
    assert model.median_[3] == 0.0
    np.testing.assert_allclose(Z[:, 2:4], 0.0, atol=1e-6)
    assert np.isfinite(Z).all()


def test_other_rows_change_nothing_that_was_learned():
    X = holed(6)
    model = Preprocessor(max_features=8).fit(X)
    alone = model.transform(X[:1])
    np.testing.assert_array_equal(model.transform(np.vstack([X[:1], holed(7) * 1e6]))[:1], alone)


def test_a_large_offset_does_not_cost_precision():
    X = 1e6 + np.random.default_rng(0).normal(size=(50, 3))
    Z = Preprocessor().fit_transform(X)
    np.testing.assert_allclose(Z, (X - X.mean(0)) / X.std(0), atol=1e-5)


def test_without_scaling_values_are_only_imputed():
    X = holed(8)
    Z = Preprocessor(scale=False).fit_transform(X)
    np.testing.assert_array_equal(Z, np.where(np.isnan(X), column_medians(X), X).astype(np.float32))


@pytest.mark.parametrize("sparse", [False, True])
def test_an_infinite_value_is_named_with_row_and_feature(sparse):
    X = holed(9)
    X[4, 6] = -np.inf
    with pytest.raises(InputError, match="row number 5, feature number 7"):
        Preprocessor().fit(sp.csr_matrix(X) if sparse else X)
    if not sparse:
        with pytest.raises(InputError, match="row number 5, feature 'g6'"):
            Preprocessor().fit(pd.DataFrame(X, columns=[f"g{j}" for j in range(X.shape[1])]))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"max_features": 0}, "max_features"), ({"selection": "best"}, "variance, anova, none")],
)
def test_wrong_parameters_are_named(options, message):
    with pytest.raises(InputError, match=message):
        Preprocessor(**options).fit(holed(0))


def test_anova_without_classes_says_so():
    with pytest.raises(InputError, match=r"anova.*requires y"):
        Preprocessor(selection="anova", max_features=3).fit(holed(0))
