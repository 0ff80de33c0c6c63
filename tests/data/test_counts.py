"""Counts are found again behind logarithms and scaling, and thinned read by read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genomap_core.data.counts import SCALES, counts_of, scale_of_unit, thin
from genomap_core.errors import InputError

tables = arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 30)), elements=st.integers(0, 3000))
shares = st.floats(0, 1)
seeds = st.integers(0, 2**31)


def on_scale(reads: np.ndarray, scale: str, seed: int = 0) -> np.ndarray:
    """A table of these reads ``(n, p)``; "scaled": each sample by a factor of its own."""
    factor = np.random.default_rng(seed).uniform(0.05, 4, (len(reads), 1)) if scale.endswith("scaled") else 1.0
    base, values = scale.partition(" ")[0], reads * factor
    logs = {"reads": lambda v: v, "log": np.log1p, "log2": lambda v: np.log2(1 + v), "log10": lambda v: np.log10(1 + v)}
    return np.asarray(logs[base](values), np.float32)


def sequenced(n: int = 40, p: int = 300, depth: float = 60, seed: int = 0) -> np.ndarray:
    """Reads of ``p`` genes, few of them high, 1 read at least somewhere in every sample."""
    rng = np.random.default_rng(seed)
    reads = rng.poisson(rng.gamma(0.4, depth, p) * rng.uniform(0.5, 2, (n, 1)))
    reads[:, 0] = 1
    return reads


@pytest.mark.parametrize("scale", SCALES)
def test_planted_reads_are_found_again_exactly(scale: str) -> None:
    reads = sequenced()
    found, factor = counts_of(on_scale(reads, scale), scale)
    np.testing.assert_array_equal(found, reads)
    want = np.random.default_rng(0).uniform(0.05, 4, (len(reads), 1)) if scale.endswith("scaled") else 1.0
    np.testing.assert_allclose(factor, np.broadcast_to(want, factor.shape), rtol=1e-5)


def test_five_digits_tell_small_counts_exactly_and_large_ones_nearly() -> None:
    reads = np.r_[0:4000, 5_000, 70_000, 300_000].reshape(1, -1)
    written = np.array([[float(f"{v:.5g}") for v in np.log10(1 + reads[0])]], np.float32)
    found, _ = counts_of(written, "log10")
    np.testing.assert_array_equal(found[:, :4000], reads[:, :4000])
    np.testing.assert_allclose(found, reads, rtol=2e-4)


@settings(max_examples=40, deadline=None)
@given(tables, shares, seeds)
def test_thinned_reads_are_whole_fewer_and_the_same_for_a_seed(reads: np.ndarray, share: float, seed: int) -> None:
    X = reads.astype(np.float32)
    before, rows = X.copy(), np.arange(len(X))
    thinned = thin(X, rows, "reads", share, seed)
    np.testing.assert_array_equal(X, before)
    assert not np.shares_memory(thinned, X)
    np.testing.assert_array_equal(thinned, np.rint(thinned))
    assert (thinned >= 0).all()
    assert (thinned <= X).all()
    np.testing.assert_array_equal(thinned, thin(X, rows, "reads", share, seed))
    np.testing.assert_array_equal(thinned[-1:], thin(X[-1:], rows[-1:], "reads", share, seed))  # tied to the row


@settings(max_examples=20, deadline=None)
@given(tables, st.sampled_from(SCALES), seeds)
def test_all_reads_give_the_table_and_none_give_zeros(reads: np.ndarray, scale: str, seed: int) -> None:
    reads[:, 0] = 1
    X = on_scale(reads, scale)
    rows = np.arange(len(X))
    np.testing.assert_array_equal(thin(X, rows, scale, 1.0, seed), X)
    np.testing.assert_array_equal(thin(X, rows, scale, 0.0, seed), np.zeros_like(X))


@pytest.mark.parametrize("share", [0.5, 0.1, 0.02])
def test_a_read_is_kept_with_the_probability_that_was_asked(share: float) -> None:
    reads = np.full((60, 500), 40)
    thinned = thin(reads.astype(np.float32), np.arange(60), "reads", share, 3)
    assert thinned.mean() == pytest.approx(40 * share, rel=0.02)
    assert thinned.var() == pytest.approx(40 * share * (1 - share), rel=0.05)  # binomial: reads are kept singly
    other = thin(reads.astype(np.float32), np.arange(60), "reads", share, 4)
    assert abs(np.corrcoef(thinned.ravel(), other.ravel())[0, 1]) < 0.03


@pytest.mark.parametrize("scale", [s for s in SCALES if s.endswith("scaled")])
def test_a_scaled_samples_total_stays_and_its_values_stay_right_in_the_mean(scale: str) -> None:
    X = on_scale(sequenced(200), scale)
    base = {"reads": None, "log": np.e, "log2": 2.0, "log10": 10.0}[scale.partition(" ")[0]]
    before, after = (
        t if base is None else np.expm1(t * np.log(base))
        for t in (X.astype(float), thin(X, np.arange(200), scale, 0.1, 0).astype(float))
    )
    np.testing.assert_allclose(after.sum(1), before.sum(1), rtol=1e-4)
    np.testing.assert_allclose(after.mean(0)[before.mean(0) > 50], before.mean(0)[before.mean(0) > 50], rtol=0.15)


def test_thinning_an_unscaled_logarithm_is_thinning_its_reads() -> None:
    reads, rows = sequenced(), np.arange(40)
    direct = thin(reads.astype(np.float32), rows, "reads", 0.1, 7)
    np.testing.assert_allclose(thin(on_scale(reads, "log10"), rows, "log10", 0.1, 7), np.log10(1 + direct), rtol=1e-6)


def test_missing_values_stay_missing_and_change_no_other() -> None:
    X = sequenced().astype(np.float32)
    X[3, 5] = np.nan
    thinned = thin(X, np.arange(40), "reads", 0.5, 0)
    assert np.isnan(thinned[3, 5])
    assert np.isnan(thinned).sum() == 1


_RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("X", "scale", "said"),
    [
        (_RNG.normal(size=(5, 40)), "reads", "below 0"),
        (_RNG.uniform(0, 50, (5, 40)), "reads", "no whole number"),
        (_RNG.uniform(0, 9, (5, 40)), "log2", "whole number"),
        (_RNG.uniform(4.5, 5.5, (5, 40)), "log10", "can't be told"),
        (_RNG.uniform(0, 9, (5, 40)), "log2 scaled", "multiples"),
        (np.full((2, 2), np.inf), "reads", "infinite"),
        (np.ones((2, 2)), "percent", "one of reads"),
    ],
)
def test_what_holds_no_counts_is_refused(X: np.ndarray, scale: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        thin(X, np.arange(len(X)), scale, 0.5, 0)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        thin(np.ones((2, 2)), np.arange(2), "reads", share, 0)


def test_a_cohorts_unit_says_whether_it_holds_counts() -> None:
    units = ("count", "log2(1 + count)", "log10(1 + count)", "log2(1 + count per 10,000)", "value", "log", "z-score")
    assert [scale_of_unit(u) for u in units] == ["reads", "log2", "log10", "log2 scaled", "", "", ""]
    assert not scale_of_unit("log2(1 + value)")
