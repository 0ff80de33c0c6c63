"""Large and sparse tables: the memory budget is kept, and the layout is that of the dense table."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from planted import factor_table

from genomap_core.layout import make_layout
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.lowrank import feature_vectors


def peak_mb(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_a_sparse_table_is_laid_out_within_the_budget_and_never_made_dense():
    rng = np.random.default_rng(0)
    X = sp.random(30_000, 800, density=0.01, format="csr", dtype=np.float32, random_state=rng)
    dense_mb = 30_000 * 800 * 4 / 2**20
    assert peak_mb(lambda: make_layout(X, memory_mb=16, effort=0.2)) < 0.6 * dense_mb


def test_half_the_budget_gives_the_same_vectors_in_narrower_blocks():
    X = factor_table(n=300, p=900)
    wide, narrow = (FeatureTable(X, memory_mb=mb) for mb in (1024, 1))
    assert narrow.block_width < 150 < wide.block_width
    np.testing.assert_allclose(feature_vectors(wide).values, feature_vectors(narrow).values, atol=2e-5)


def test_many_samples_go_through_subspace_iteration_to_the_same_inner_products():
    X = factor_table(n=1500, p=120)
    C = np.corrcoef(X.T)
    weight, basis = np.linalg.eigh(C)
    best = (basis[:, -12:] * weight[-12:]) @ basis[:, -12:].T
    for container in (np.asarray, sp.csr_matrix):
        vectors = feature_vectors(FeatureTable(container(X)), most=12, least=12)
        np.testing.assert_allclose(vectors.values @ vectors.values.T, best, atol=4e-3)
    assert vectors.mean_distance == pytest.approx(1 - C[~np.eye(120, dtype=bool)].mean(), abs=1e-4)


def test_five_thousand_features_are_laid_out_without_a_p_by_p_matrix():
    X = factor_table(n=60, p=5000)
    assert peak_mb(lambda: make_layout(X, effort=0.2)) < 5000 * 5000 * 4 / 2**20


def test_a_dense_tables_blocks_keep_to_the_budget():
    X = factor_table(n=800, p=6000)
    table = FeatureTable(X, memory_mb=8)
    vectors = feature_vectors(table, most=24)
    own = vectors.values.nbytes / 2**20 + 800 * 800 * 8 * 3 / 2**20  # the answer, and the samples' Gram matrix
    assert peak_mb(lambda: feature_vectors(table, most=24)) < 8 + own
