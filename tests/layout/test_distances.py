"""Distances and low-rank vectors against numpy, scipy and brute force."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from genomap_core.errors import LayoutError
from genomap_core.layout.distances import FeatureTable, check_features, correlation_distance
from genomap_core.layout.lowrank import feature_vectors


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(30, 5)) @ rng.normal(size=(5, 40)) + rng.normal(size=(30, 40)) + 7).astype(np.float32)


@pytest.mark.parametrize(
    ("distance", "reference"),
    [
        ("correlation", lambda X: 1 - np.corrcoef(X.T)),
        ("absolute", lambda X: 1 - abs(np.corrcoef(X.T))),
        ("spearman", lambda X: 1 - spearmanr(X).statistic),
        ("euclidean", lambda X: squareform(pdist((X - X.mean(0)).T)) / np.sqrt(len(X))),
    ],
)
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
def test_distances_equal_the_reference(X, distance, reference, container):
    expected = reference(X.astype(float))
    np.testing.assert_allclose(FeatureTable(container(X), distance).matrix(), expected, atol=2e-3)


@pytest.mark.parametrize("distance", ["correlation", "absolute", "spearman", "euclidean"])
def test_vectors_of_full_rank_reproduce_the_distances(X, distance):
    table = FeatureTable(X, distance)
    vectors = feature_vectors(table, most=40, least=40)
    inner = (vectors.values * vectors.signs) @ vectors.values.T
    C = table.matrix()
    constant = 1.0 if distance in ("correlation", "spearman") else vectors.mean_distance
    off = ~np.eye(40, dtype=bool)
    np.testing.assert_allclose((constant - inner)[off], C[off], atol=3e-3)
    assert vectors.mean_distance == pytest.approx(C[off].mean(), abs=1e-3)


def test_a_constant_column_is_at_distance_one_from_everything_whatever_its_value():
    X = np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32)
    X[:, 2] = 1e6 + 0.1
    C = correlation_distance(X)
    np.testing.assert_allclose(C[2, [0, 1, 3]], 1)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "inf")])
def test_a_value_that_is_no_number_is_named(X, container, bad, word):
    X[3, 7] = bad
    with pytest.raises(LayoutError, match=rf"{word}.*row 3, feature 7 \('gene7'\)"):
        check_features(container(X), tuple(f"gene{j}" for j in range(40)))


@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
def test_a_table_of_constants_is_refused_and_one_varying_column_is_enough(container):
    X = np.full((5, 70), 2.0, np.float32)
    with pytest.raises(LayoutError, match="70 features are constant"):
        check_features(container(X))
    X[4, 69] = 3
    check_features(container(X))


def test_one_sample_and_unknown_distances_are_refused(X):
    with pytest.raises(LayoutError, match="2 samples"):
        check_features(X[:1])
    with pytest.raises(LayoutError, match="correlation, absolute"):
        FeatureTable(X, "cosine")
