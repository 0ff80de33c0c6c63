"""The scikit-learn face."""

import numpy as np
import pytest
import scipy.sparse as sp
from planted import factor_table
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from genomap_core.errors import LayoutError
from genomap_core.layout import Constraints, GenomapTransformer


@parametrize_with_checks([GenomapTransformer()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_new_rows_are_laid_out_as_learned_and_read_back_exactly():
    X = factor_table(p=90)
    transformer = GenomapTransformer().fit(X[:100])
    maps = transformer.transform(X[100:])
    assert maps.shape == (100, 1, 9, 10)
    np.testing.assert_array_equal(transformer.inverse_transform(maps), X[100:])


def test_nothing_is_learned_from_rows_that_are_only_transformed():
    X = factor_table(p=60)
    transformer = GenomapTransformer().fit(X[:150])
    before = transformer.layout_.positions.copy()
    transformer.transform(1e6 * X[150:])
    np.testing.assert_array_equal(transformer.layout_.positions, before)


def test_more_features_than_cells_keeps_those_of_highest_variance():
    X = factor_table(p=50) * np.linspace(1, 30, 50, dtype=np.float32)
    transformer = GenomapTransformer(grid=(4, 5)).fit(X)
    kept = np.flatnonzero(transformer.layout_.positions[:, 0] >= 0)
    np.testing.assert_array_equal(kept, np.sort(np.argsort(-X.var(0))[:20]))
    assert np.isnan(transformer.inverse_transform(transformer.transform(X))[:, 0]).all()


def test_pinned_features_are_kept_whatever_their_variance_and_lie_at_their_pins():
    X = factor_table(p=50) * np.linspace(1, 30, 50, dtype=np.float32)
    wishes = Constraints(pins={0: (2, 3)}, sets={"A": [1, 30, 31, 49]})
    layout = GenomapTransformer(grid=(4, 5), constraints=wishes).fit(X).layout_
    assert tuple(layout.positions[0]) == (2, 3)
    assert (layout.positions[:, 0] >= 0).sum() == 20


def test_sparse_rows_give_the_same_maps_as_dense_ones():
    X = np.maximum(factor_table(p=70), 0)
    dense, sparse = (GenomapTransformer().fit(rows) for rows in (X, sp.csr_matrix(X)))
    np.testing.assert_array_equal(dense.layout_.positions, sparse.layout_.positions)
    np.testing.assert_array_equal(dense.transform(X), sparse.transform(sp.csr_matrix(X)))


def test_clone_keeps_channels_and_omics_types_become_channels():
    codes = np.repeat([0, 1, 2], [30, 20, 10])
    transformer = clone(GenomapTransformer(channels=codes)).fit(factor_table(p=60))
    assert transformer.transform(factor_table(p=60)).shape == (200, 3, 5, 6)


def test_a_named_column_is_named_in_the_error():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(factor_table(p=6), columns=list("abcdef")).astype(float)
    frame.loc[7, "c"] = np.nan
    with pytest.raises(LayoutError, match=r"row 7, feature 2 \('c'\)"):
        GenomapTransformer().fit(frame)
