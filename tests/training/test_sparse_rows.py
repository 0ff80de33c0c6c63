"""A sparse table is learned from without a dense copy, and gives the same model as its dense copy."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from genomap_core.errors import InputError
from genomap_core.training import genomap_pipeline, genonet_pipeline
from genomap_core.training.rows import RowMaps, taken, varying


def counts(n: int, p: int, rate: float, seed: int = 0) -> tuple[sp.csr_matrix, np.ndarray]:
    """Counts ``(n, p)`` of three kinds of cells, each with more of every third gene; and the kinds ``(n,)``."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    base = rate * rng.gamma(2.0, 0.5, p)
    parts = []
    for rows in np.array_split(np.arange(n), max(1, n // 5000)):
        raised = 1 + 1.5 * (y[rows, None] == np.arange(p) % 3)
        parts.append(sp.csr_matrix(rng.poisson(base * raised).astype(np.float32)))
    return sp.vstack(parts).tocsr(), y


def quick(**options):
    return genonet_pipeline(max_epochs=1, device="cpu", **options)


def test_a_sparse_table_of_many_rows_gives_the_model_of_its_dense_copy():
    X, y = counts(10_400, 30, 0.5)  # more rows than the layout is learned on
    dense, sparse = (quick(max_features=24).fit(table, y) for table in (X.toarray(), X))
    np.testing.assert_array_equal(sparse[1].layout_.positions, dense[1].layout_.positions)
    np.testing.assert_allclose(sparse.predict_proba(X), dense.predict_proba(X.toarray()), atol=1e-5)
    np.testing.assert_array_equal(sparse.predict(X[:50]), dense.predict(X[:50].toarray()))
    assert (sparse.predict(X) == y).mean() > 0.6


def test_so_it_does_with_groups_a_linear_path_and_features_missing():
    X, y = counts(240, 30, 0.5)
    groups = np.arange(len(y)) // 2
    dense, sparse = (
        genomap_pipeline(max_epochs=2, n_seeds=1, device="cpu").fit(table, y, network__groups=groups)
        for table in (X.toarray(), X)
    )
    np.testing.assert_allclose(sparse.predict_proba(X), dense.predict_proba(X.toarray()), atol=1e-5)
    assert sparse[-1].endurance_ == dense[-1].endurance_


def test_learning_and_answering_need_less_memory_than_one_dense_copy():
    n, p, rng = 100_000, 600, np.random.default_rng(0)
    X = sp.csr_matrix((np.ones(6 * n, np.float32), rng.integers(0, p, 6 * n), np.arange(0, 6 * n + 1, 6)), (n, p))
    y = rng.integers(0, 2, n)
    model = quick(solver="random")
    tracemalloc.start()
    try:
        model.fit(X, y).predict_proba(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * n * p  # a dense model takes nearly three copies


def test_rows_are_made_dense_only_when_asked_for():
    X, _ = counts(6000, 8, 0.5)
    asked = []

    def to_maps(rows):
        asked.append(rows.shape[0])
        return rows.toarray().reshape(-1, 1, 2, 4)

    maps = RowMaps(X, to_maps, np.arange(6000))
    many = taken(maps, np.arange(0, 6000, 2))
    assert isinstance(many, RowMaps)
    assert many.shape == (3000, 1, 2, 4)
    np.testing.assert_array_equal(many[np.array([5, 7])], to_maps(X[[10, 14]]))
    np.testing.assert_array_equal(taken(many, np.array([1, 2])), to_maps(X[[2, 4]]))
    np.testing.assert_array_equal(varying(many), np.ones((1, 2, 4), bool))
    assert max(asked) <= 256


def test_an_infinite_value_is_named_by_its_row_of_the_whole_table():
    X, y = counts(10_400, 6, 0.5)
    model = quick(solver="random").fit(X[:300], y[:300])
    X.data[X.indptr[9000]] = np.inf
    row = int(np.searchsorted(X.indptr, X.indptr[9000], side="right"))
    with pytest.raises(InputError, match=f"row number {row}"):
        model.predict_proba(X)
