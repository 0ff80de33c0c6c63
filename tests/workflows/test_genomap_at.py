"""A cohort on places that something else gave its features."""

from __future__ import annotations

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.errors import LayoutError
from genomap_core.workflows.tabular.genomap import fit_genomap, genomap_at
from genomap_core.workflows.tabular.stands_out import COHORT, Reference, stands_out


def cohort(n: int = 30, p: int = 6) -> Dataset:
    x = np.random.default_rng(0).normal(4, 2, (n, p)).astype(np.float32)
    x[3, 4] = np.nan
    return Dataset("cohort", x, tuple(f"f{j}" for j in range(p)), tuple(f"s{i}" for i in range(n)))


def test_the_map_of_the_cohort_s_own_layout_is_the_same() -> None:
    dataset = cohort()
    own = fit_genomap(dataset)
    again = genomap_at(dataset, own.layout.positions, own.layout.shape)
    np.testing.assert_array_equal(again.maps, own.maps)
    np.testing.assert_array_equal(again.missing, own.missing)
    assert again.layout.quality == own.layout.quality


def test_a_feature_without_a_cell_is_left_out_and_the_others_are_told_by_their_own_names() -> None:
    dataset = cohort()
    dataset.X[7, 5] = 40.0
    positions = np.array([[0, 0], [0, 1], [-1, -1], [1, 0], [1, 1], [0, 0]])
    genomap = genomap_at(dataset, positions, (2, 2), np.array([0, 0, 0, 0, 0, 2]))
    assert genomap.feature_names == ("f0", "f1", "f3", "f4", "f5")
    assert genomap.layout.n_channels == 2, "types without a feature have no map"
    assert genomap.missing[3].tolist() == [False, False, False, True, False]
    held = Reference.of_rows(COHORT, genomap, np.arange(30))
    found = stands_out(dataset, genomap, 7, held, np.full(5, -1), ())
    assert found.features[0].sentence.startswith("f5 = 40")


def test_one_place_is_no_map() -> None:
    with pytest.raises(LayoutError, match="no map"):
        genomap_at(cohort(), np.array([[0, 0], *[[-1, -1]] * 5]), (1, 1))
