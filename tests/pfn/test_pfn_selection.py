"""In-fold reduction against scikit-learn's statistics, with missing values and sparse tables."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_wine
from sklearn.feature_selection import f_classif
from sklearn.metrics import log_loss, roc_auc_score

from genomap_core.pfn import PFNClassifier
from genomap_core.pfn.description import Weights
from genomap_core.pfn.selection import FeatureReducer, anova_f, mutual_information, variances


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.floats(0, 1e3))
def test_anova_agrees_with_scikit_learn(seed, k, offset):
    g = np.random.default_rng(seed)
    codes = np.r_[np.arange(k), np.arange(k), g.integers(0, k, 30)]
    X = g.normal(size=(len(codes), 6)) + codes[:, None] * g.normal(size=6) + offset
    np.testing.assert_allclose(anova_f(X, codes), f_classif(X, codes)[0], rtol=1e-5, atol=1e-5)


def test_anova_leaves_missing_values_out_of_their_feature_only():
    g = np.random.default_rng(0)
    codes = np.arange(40) % 2
    X = g.normal(size=(40, 3)) + codes[:, None]
    hole = X.copy()
    hole[:10, 1] = np.nan
    expected = [f_classif(X, codes)[0][0], f_classif(X[10:, 1:2], codes[10:])[0][0], f_classif(X, codes)[0][2]]
    np.testing.assert_allclose(anova_f(hole, codes), expected, rtol=1e-6)


def test_constant_empty_and_perfect_features_are_ordered_sensibly():
    codes = np.arange(20) % 2
    X = np.column_stack([np.full(20, 3.0), np.full(20, np.nan), codes * 1.0, np.random.default_rng(0).normal(size=20)])
    f = anova_f(X, codes)
    assert f[0] == f[1] == 0
    assert f[2] > f[3] > 0
    assert np.isfinite(f).all()


def test_sparse_and_dense_statistics_agree():
    g = np.random.default_rng(0)
    X = g.poisson(0.5, size=(50, 12)).astype(float)
    codes = np.arange(50) % 3
    np.testing.assert_allclose(anova_f(sp.csr_matrix(X), codes), anova_f(X, codes), rtol=1e-9)
    np.testing.assert_allclose(variances(sp.csr_matrix(X)), X.var(0), rtol=1e-9)


def test_mutual_information_sees_what_the_means_do_not_and_takes_missing_values_as_an_answer():
    g = np.random.default_rng(0)
    codes = np.arange(200) % 2
    X = g.normal(size=(200, 30)).astype(np.float32)
    X[:, 7] *= np.where(codes == 1, 6, 0.3)  # same mean, other spread
    X[codes == 1, 11] = np.nan
    X[:, 3] = np.nan
    X[:, 4] = 1.0
    found = mutual_information(X, codes)
    assert set(np.argsort(-found)[:2]) == {7, 11}
    assert found[11] == pytest.approx(np.log(2), abs=1e-6), "who is missing there is of the second class"
    assert found[3] == found[4] == 0
    assert 7 not in np.argsort(-anova_f(X, codes))[:2]
    assert (found >= -1e-9).all()


@pytest.mark.parametrize("k", [2, 3])
def test_mutual_information_agrees_with_scikit_learn_on_the_same_parts(k):
    from sklearn.metrics import mutual_info_score

    g = np.random.default_rng(k)
    codes = np.r_[np.arange(k), g.integers(0, k, 77)]
    x = g.normal(size=(len(codes), 1)) + codes[:, None]
    parts = np.searchsorted(np.quantile(x, [0.25, 0.5, 0.75]), x[:, 0])
    assert mutual_information(x.astype(np.float32), codes)[0] == pytest.approx(mutual_info_score(parts, codes))


def blocks(n=60, seed=0):
    """Ten hidden signals, each in twelve noisy copies, in random order: table, signal of each column."""
    g = np.random.default_rng(seed)
    hidden = g.normal(size=(n, 10))
    signal = g.permutation(np.repeat(np.arange(10), 12))
    return (hidden[:, signal] + 0.3 * g.normal(size=(n, 120))).astype(np.float32), signal, hidden


def test_map_regions_pool_the_copies_of_a_signal():
    X, signal, hidden = blocks()
    reducer = FeatureReducer("regions", 20).fit(X, np.arange(60) % 2)
    means = reducer.transform(X)
    assert means.shape == (60, reducer.n_features_out_)
    r = np.abs(np.corrcoef(means.T, hidden.T)[: means.shape[1], means.shape[1] :])
    assert (r.max(0) > 0.95).all(), "every hidden signal is met by some region more cleanly than a copy is"
    pure = [np.bincount(signal[reducer.regions_ == k]).max() / (reducer.regions_ == k).sum() for k in range(10)]
    assert np.mean(pure) > 0.8


@pytest.mark.parametrize("method", ["anova", "pca", "regions", "none", "scores", "scores_anova"])
def test_a_slope_is_pulled_back_by_the_chain_rule(method):
    X, _, _ = blocks()
    g = np.random.default_rng(1)
    reducer = FeatureReducer(method, 12).fit(X, np.arange(60) % 2)
    step, slope = 0.02 * g.normal(size=X.shape[1]).astype(np.float32), g.normal(size=reducer.n_features_out_)
    moved = reducer.transform(X[:2] + step).astype(float) - reducer.transform(X[:2] - step)
    found = reducer.pull_back(X[:2], np.stack([slope, slope]))
    np.testing.assert_allclose(moved @ slope, 2 * found @ step[reducer.kept_], atol=2e-4)


def test_scores_of_training_rows_are_by_models_without_the_row():
    g = np.random.default_rng(0)
    X, codes = g.normal(size=(60, 400)).astype(np.float32), np.arange(60) % 2
    reducer = FeatureReducer("scores")
    left_out = reducer.fit_transform(X, codes)
    assert left_out.shape == (60, 2)
    flattering = roc_auc_score(codes, reducer.transform(X)[:, 1])
    assert flattering > 0.95, "of pure noise the model itself remembers every row"
    assert abs(roc_auc_score(codes, left_out[:, 1]) - 0.5) < 0.2, "and says nothing of rows that it did not see"
    X[:, 3] += 4 * codes
    assert roc_auc_score(codes, FeatureReducer("scores").fit_transform(X, codes)[:, 1]) > 0.8


@pytest.mark.parametrize("counts", [(1, 1), (1, 5), (2, 9, 30)])
def test_scores_come_with_the_smallest_classes(counts):
    codes = np.repeat(np.arange(len(counts)), counts)
    X = np.random.default_rng(0).normal(size=(len(codes), 30)).astype(np.float32)
    found = FeatureReducer("scores_anova", 5).fit_transform(X, codes)
    assert found.shape == (len(codes), len(counts) + 5)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("method", ["anova", "mutual_information", "variance", "pca"])
def test_a_planted_feature_survives_the_reduction(method):
    g = np.random.default_rng(0)
    codes = np.arange(60) % 2
    X = g.normal(size=(60, 300)).astype(np.float32)
    X[:, 17] += 12 * codes
    reducer = FeatureReducer(method, 5).fit(X, codes)
    Z = reducer.transform(X)
    assert Z.shape == (60, 5)
    assert Z.dtype == np.float32
    if method == "pca":
        assert len(reducer.kept_) == 300
    else:
        assert 17 in reducer.kept_
        assert (np.diff(reducer.kept_) > 0).all()


def test_components_take_missing_values_and_repeat_for_a_seed():
    g = np.random.default_rng(0)
    X = g.normal(size=(40, 80)).astype(np.float32)
    X[g.random(X.shape) < 0.1] = np.nan
    X[:, 3] = np.nan
    codes = np.arange(40) % 2
    a, b = (FeatureReducer("pca", 4).fit(X, codes).transform(X) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert np.isfinite(a).all()


@pytest.mark.parametrize("method", ["pca", "regions", "scores_anova"])
def test_nothing_is_learned_from_the_rows_that_are_transformed(method):
    g = np.random.default_rng(0)
    X, codes = g.normal(size=(40, 50)), np.arange(40) % 2
    reducer = FeatureReducer(method, 4).fit(X, codes)
    np.testing.assert_allclose(reducer.transform(X[:1]), reducer.transform(np.r_[X[:1], X[1:] + 100])[:1], atol=1e-6)


def test_options_are_checked():
    X, codes = np.zeros((4, 3)), np.arange(4) % 2
    with pytest.raises(ValueError, match="selection"):
        FeatureReducer("best", 2).fit(X, codes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n_selected"):
        FeatureReducer("anova", 0).fit(X, codes)


def test_probabilities_are_as_sure_as_they_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_wine(return_X_y=True)
    train, test = np.arange(0, 178, 2), np.arange(1, 178, 2)

    def answers() -> np.ndarray:
        return PFNClassifier(n_estimators=4, device="cpu").fit(X[train], y[train]).predict_proba(X[test])

    now = answers()
    monkeypatch.setattr(Weights, "temperature", lambda self, n_classes: "auto")
    as_the_file_says = answers()
    assert log_loss(y[test], now) < log_loss(y[test], as_the_file_says) - 0.02
    np.testing.assert_array_equal(now.argmax(1), as_the_file_says.argmax(1))
