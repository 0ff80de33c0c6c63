"""Perturbations: the formula, its determinism, and strata that stay whole."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genomap_core.data.perturb import (
    Perturbation,
    add_noise,
    block_rank,
    keep_rank,
    kept_features,
    noise_field,
    noise_fields,
    perturb,
    subsample_rows,
)
from genomap_core.errors import InputError

finite32 = st.floats(-1e6, 1e6, width=32)


def test_the_field_is_standard_normal():
    field = noise_field(3, 7, 200_000)
    assert field.dtype == np.float32
    assert abs(field.mean()) < 0.01
    assert abs(field.std() - 1) < 0.01


def test_the_field_belongs_to_a_seed_and_a_row():
    first = noise_field(0, 5, 64)
    np.testing.assert_array_equal(first, noise_field(0, 5, 64))
    np.testing.assert_array_equal(first, noise_fields(0, [4, 5], 64)[1])
    assert not np.allclose(first, noise_field(0, 6, 64))
    assert not np.allclose(first, noise_field(1, 5, 64))


@given(p=st.integers(1, 500), keep=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_a_share_is_kept_to_the_nearest_feature_and_shares_are_nested(p, keep, seed):
    kept = kept_features(Perturbation(keep=keep, seed=seed), p)
    assert abs(kept.sum() - keep * p) <= 0.5 + 1e-4
    more = kept_features(Perturbation(keep=min(1.0, keep * 1.5), seed=seed), p)
    assert not (kept & ~more).any()


def test_ranks_stay_below_one_in_single_precision():
    ranks = keep_rank(0, 300_000)
    assert ranks.dtype == np.float32
    assert ranks.min() >= 0
    assert ranks.max() < 1
    assert kept_features(Perturbation(keep=1.0), 300_000).all()


@given(
    x=hnp.arrays(np.float32, 8, elements=finite32),
    e=hnp.arrays(np.float32, 8, elements=st.floats(-6, 6, width=32)),
    s=hnp.arrays(np.float32, 8, elements=st.floats(0, 1000, width=32)),
    level=st.floats(0, 2),
)
def test_single_precision_noise_equals_double_precision_rounded_after_each_operation(x, e, s, level):
    """What a browser computes: float64 arithmetic, Math.fround after every operation."""

    def fround(v):
        return float(np.float32(v))

    browser = [
        fround(float(a) + fround(fround(fround(level) * float(c)) * float(b))) for a, b, c in zip(x, e, s, strict=True)
    ]
    np.testing.assert_array_equal(add_noise(x, e, s, level), np.array(browser, np.float32))


def test_perturb_moves_values_by_level_times_scale_and_drops_the_rest():
    X = np.zeros((3, 4000), np.float32)
    scale = np.linspace(0, 4, 4000)
    out = perturb(X, [10, 11, 12], scale, Perturbation(level=0.5, keep=0.75, seed=2))
    kept = ~np.isnan(out[0])
    assert kept.sum() == 3000
    np.testing.assert_array_equal(kept, ~np.isnan(out[2]))
    expected = np.float32(0.5) * scale.astype(np.float32) * noise_field(2, 11, 4000)
    np.testing.assert_array_equal(out[1][kept], expected[kept])
    assert not X.any()


def test_a_sample_is_disturbed_alike_alone_and_in_a_batch():
    X = np.random.default_rng(0).normal(size=(5, 50)).astype(np.float32)
    strong = Perturbation(level=1.5, keep=0.5, seed=4)
    np.testing.assert_array_equal(perturb(X, np.arange(5), 1.0, strong)[3], perturb(X[3:4], [3], 1.0, strong)[0])


def test_no_perturbation_gives_a_copy_and_missing_values_stay_missing():
    X = np.array([[1, np.nan, 3]], np.float32)
    same = perturb(X, [0], 1.0, Perturbation())
    np.testing.assert_array_equal(same, X)
    assert same is not X
    assert not np.shares_memory(same, X)
    assert np.isnan(perturb(X, [0], 1.0, Perturbation(level=1))[0, 1])


def test_dropped_features_take_the_fill():
    fill = np.arange(6, dtype=np.float32) + 100
    perturbation = Perturbation(keep=0.5, seed=1)
    out = perturb(np.zeros((2, 6)), [0, 1], 1.0, perturbation, fill)
    kept = kept_features(perturbation, 6)
    np.testing.assert_array_equal(out, np.where(kept, 0, fill)[None].repeat(2, 0))


def test_sparse_rows_are_disturbed_like_dense_ones():
    X = np.random.default_rng(1).poisson(0.3, (4, 30)).astype(np.float32)
    noisy = Perturbation(level=0.2, seed=9)
    np.testing.assert_array_equal(
        perturb(sp.csr_matrix(X), np.arange(4), 1.0, noisy), perturb(X, np.arange(4), 1.0, noisy)
    )


@pytest.mark.parametrize("wrong", [{"level": -0.1}, {"level": float("nan")}, {"keep": 0}, {"keep": 1.1}, {"seed": -1}])
def test_impossible_perturbations_are_refused_at_birth(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Perturbation(**wrong)


def test_wrong_shapes_are_named():
    with pytest.raises(InputError, match="row number"):
        perturb(np.zeros((2, 3)), [0], 1.0, Perturbation(level=1))
    with pytest.raises(InputError, match="`scale`"):
        perturb(np.zeros((1, 3)), [0], np.ones(4), Perturbation(level=1))


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4), fraction=st.floats(0.05, 1), seed=st.integers(0, 99))
def test_each_class_keeps_its_share(sizes, fraction, seed):
    y = np.repeat(np.arange(len(sizes)), sizes)
    rows = subsample_rows(y, None, fraction, seed)
    assert np.array_equal(rows, np.unique(rows))
    for label, size in enumerate(sizes):
        assert (y[rows] == label).sum() == max(1, round(fraction * size))


@given(hnp.arrays(np.int64, 40, elements=st.integers(0, 9)), st.floats(0.1, 0.9), st.integers(0, 99))
def test_groups_are_never_split_and_smaller_shares_are_nested(groups, fraction, seed):
    y = np.arange(40) % 3
    rows = subsample_rows(y, groups, fraction, seed)
    taken = set(groups[rows])
    assert len(rows) == sum(g in taken for g in groups)
    larger = subsample_rows(y, groups, min(1.0, fraction + 0.1), seed)
    assert set(rows) <= set(larger)


def test_the_whole_share_is_every_row_and_no_share_is_refused():
    np.testing.assert_array_equal(subsample_rows(np.array([1, 0, 1]), None, 1.0, 0), [0, 1, 2])
    with pytest.raises(InputError, match="fraction"):
        subsample_rows(np.array([1, 0]), None, 0.0, 0)
    with pytest.raises(InputError, match="`y` or `groups`"):
        subsample_rows(None, None, 0.5, 0)


def test_blocks_of_correlated_features_are_dropped_together():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(60, 20)), 5, axis=1) + 0.1 * rng.normal(size=(60, 100))
    ranks = block_rank(X, seed=1)
    np.testing.assert_allclose(np.sort(ranks), (np.arange(100) + 0.5) / 100, rtol=1e-6)
    blocks = np.sort((ranks * 20).astype(int).reshape(20, 5), axis=1)
    assert (blocks == blocks[:, :1]).all()
    assert len(set(blocks[:, 0])) == 20
    assert not np.array_equal(ranks, block_rank(X, seed=2))


def test_blocks_are_found_with_values_missing_and_in_constant_columns():
    X = np.random.default_rng(0).normal(size=(9, 30)).astype(np.float32)
    X[:, 3], X[2:, 4], X[:, 5] = 1.0, np.nan, np.nan
    assert len(set(block_rank(X, seed=0))) == 30
