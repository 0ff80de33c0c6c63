"""Omics maps at the image's size: every feature its block, exact both ways, the best features of each type."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from planted_fusion import planted

from genomap_core.training.fusion import FusionClassifier, FusionConfig
from genomap_core.training.fusion_inputs import fit_scaling, make_canvas

TINY = FusionConfig(width=4, hidden=8, epochs=1, n_seeds=1, device="cpu")


@pytest.mark.parametrize(("size", "grid"), [((24, 24), (3, 4)), ((25, 33), (7, 5)), ((5, 9), (5, 9))])
def test_block_means_of_a_spread_map_are_the_cells(size: tuple[int, int], grid: tuple[int, int]) -> None:
    cells = np.random.default_rng(0).normal(size=(2, 3, *grid)).astype(np.float32)
    canvas = make_canvas(size, grid, "block")
    maps = canvas.spread(cells)
    assert maps.shape == (2, 3, *size)
    np.testing.assert_allclose(canvas.gather(maps) / canvas.gather(np.ones_like(maps)), cells, rtol=1e-6)
    assert set(np.unique(maps)) == set(np.unique(cells)), "values are repeated, not mixed"


def test_a_smooth_kernel_keeps_a_constant_map_and_has_no_edges() -> None:
    canvas = make_canvas((32, 32), (4, 4), "smooth")
    np.testing.assert_allclose(canvas.spread(np.ones((1, 1, 4, 4), np.float32)), 1, rtol=1e-5)
    single = np.zeros((1, 1, 4, 4), np.float32)
    single[0, 0, 1, 1] = 1
    block = make_canvas((32, 32), (4, 4), "block").spread(single)
    assert np.abs(np.diff(canvas.spread(single)[0, 0], axis=0)).max() < 0.2 < np.abs(np.diff(block[0, 0], axis=0)).max()


def test_an_attribution_of_a_map_goes_to_the_features_of_its_blocks() -> None:
    cohort = planted(24, p=30)
    model = FusionClassifier(TINY).fit(cohort)
    values = np.random.default_rng(0).normal(size=(2, 24, 24))
    found = model.features_of_map(values)
    assert found.shape == (30,)
    rows, columns = (np.arange(24) * side // 24 for side in model.layout_.shape)
    for j, ((r, c), t) in enumerate(zip(model.layout_.positions, model.layout_.channel)):
        np.testing.assert_allclose(found[j], values[t][np.ix_(rows == r, columns == c)].sum())
    with pytest.raises(ValueError, match="omics maps"):
        model.features_of_map(values[:1])


def test_maps_hold_the_standardised_features_in_their_cells() -> None:
    cohort = planted(24, missing=0.3)
    model = FusionClassifier(TINY).fit(cohort)
    maps = model.inputs(cohort).maps
    sums = np.stack([model.features_of_map(m) for m in maps])
    pixels = model.features_of_map(np.ones(maps.shape[1:]))
    X = cohort.table.X
    expected = np.arcsinh(np.nan_to_num((X - np.nanmean(X, 0)) / np.nanstd(X, 0)))
    np.testing.assert_allclose(sums / pixels, expected, atol=1e-5)


def test_of_each_type_the_features_of_highest_variance_are_kept_and_the_others_get_nothing() -> None:
    cohort = planted(40, p=30)
    X = cohort.table.X * np.where(np.arange(30) % 3 == 0, 5, 1).astype(np.float32)
    cohort = dataclasses.replace(cohort, table=dataclasses.replace(cohort.table, X=X))
    model = FusionClassifier(dataclasses.replace(TINY, max_features=5)).fit(cohort)
    assert model.scaling_.kept.tolist() == list(range(0, 30, 3)), "five of each type"
    assert model.layout_.n_features == 30
    found = model.features_of_map(np.ones((2, 24, 24)))
    assert (found[model.scaling_.kept] > 0).all()
    assert found.sum() == found[model.scaling_.kept].sum()


def test_the_random_solver_places_features_elsewhere() -> None:
    cohort = planted(24)
    placed, random = (
        FusionClassifier(dataclasses.replace(TINY, solver=solver)).fit(cohort).layout_ for solver in ("ot", "random")
    )
    assert random.solver == "random"
    assert (placed.positions != random.positions).any()


def test_a_sparse_table_is_scaled_like_the_same_dense_one() -> None:
    cohort = planted(30)
    X = np.where(cohort.table.X > 0, cohort.table.X, 0)
    dense, sparse = (
        dataclasses.replace(cohort, table=dataclasses.replace(cohort.table, X=x)) for x in (X, sp.csr_matrix(X))
    )
    a, b = fit_scaling(dense, 8), fit_scaling(sparse, 8)
    np.testing.assert_array_equal(a.kept, b.kept)
    np.testing.assert_allclose(a.table(dense), b.table(sparse), atol=1e-6)


def test_a_constant_feature_stays_zero() -> None:
    cohort = planted(20)
    X = cohort.table.X.copy()
    X[:, 4] = 0.1
    cohort = dataclasses.replace(cohort, table=dataclasses.replace(cohort.table, X=X))
    scaling = fit_scaling(cohort, 100)
    assert scaling.scale[4] == 1
    assert np.abs(scaling.table(cohort)[:, 4]).max() < 1e-6
