"""Copies of training rows with features missing give nothing of what they lost away."""

from __future__ import annotations

import numpy as np
import pytest

from genomap_core.errors import InputError
from genomap_core.training import masking
from genomap_core.training.masking import SHARES, Endurance, endurance_of, masked_copies


def maps(n: int = 40, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, 3)) @ rng.normal(size=(3, 100)) + rng.normal(size=(n, 100))).astype(np.float32)
    x[:, 90:] = 0.0  # cells without a feature
    return x.reshape(n, 1, 10, 10)


def test_each_copy_keeps_its_share_of_the_features_as_they_are():
    x = maps()
    copies = masked_copies(x, None, seed=3)
    assert copies.maps.shape == (len(SHARES), *x.shape)
    same = (copies.maps == x).reshape(len(SHARES), len(x), 100)
    np.testing.assert_allclose(same[:, :, :90].mean(axis=2), copies.shares, atol=0.02)
    assert same[:, :, 90:].all()
    assert sorted(set(copies.shares.ravel())) == sorted(SHARES)
    assert sorted(copies.shares[:, 0]) == sorted(SHARES)


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(20), 2)])
def test_a_copy_does_not_know_what_its_row_or_group_lost(groups):
    x = maps()
    copies = masked_copies(x, groups, seed=3)
    lost = copies.maps[0, 7] != x[7]
    other = x.copy()
    other[7][lost] += 50.0
    if groups is not None:
        other[6] *= 3.0  # of the same group
    again = masked_copies(other, groups, seed=3)
    np.testing.assert_array_equal(again.maps[0, 7], copies.maps[0, 7])


def test_one_copy_in_all_where_memory_is_short(monkeypatch):
    monkeypatch.setattr(masking, "_MAX_VALUES", 3 * maps().size)
    copies = masked_copies(maps(), None, seed=0)
    assert copies.maps.shape[0] == 1
    assert len(set(copies.shares.ravel())) > 1


def test_rows_of_a_single_group_stay_whole():
    copies = masked_copies(maps(), np.zeros(40, int), seed=0)
    np.testing.assert_array_equal(copies.maps, np.repeat(maps()[None], len(SHARES), axis=0))
    assert (copies.shares == 1).all()


def test_endurance_counts_classes_alike_and_never_rises():
    y = np.array([0] * 8 + [1] * 2)
    whole, few = y.copy(), np.zeros(10, int)
    found = endurance_of(np.stack([whole, few, whole]), y, np.array([1.0, 0.2, 0.1])[:, None].repeat(10, 1))
    assert found.shares == (1.0, 0.2, 0.1)
    assert found.accuracy == (1.0, 0.5, 0.5)
    assert found.chance == 0.5


def test_the_limit_is_where_half_of_the_gain_over_chance_is_left():
    found = Endurance((1.0, 0.5, 0.2, 0.1, 0.05), (0.9, 0.9, 0.75, 0.65, 0.55), chance=0.5)
    assert found.limit == 0.2
    assert found.expected(0.5) == pytest.approx(0.9)
    assert 0.75 < found.expected(0.3) < 0.9
    assert found.expected(0.01) == pytest.approx(0.55)
    assert Endurance((1.0, 0.5), (0.4, 0.4), chance=0.5).limit == 1.0


@pytest.mark.parametrize("shares", [(), (1.0,), (0.5, 0.2), (1.0, 1.0), (1.0, -0.5)])
def test_shares_that_do_not_fall_from_one_are_refused(shares):
    with pytest.raises(InputError, match="fall from 1"):
        Endurance(shares, (0.9, 0.8), 0.5)
