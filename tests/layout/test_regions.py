"""Regions of the map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from planted import factor_table
from scipy.ndimage import label

from genomap_core.errors import LayoutError
from genomap_core.layout import make_layout, map_regions, outline


def modules(k=4, size=36, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(200, k)) @ np.kron(np.eye(k), np.ones((1, size))) + 0.5 * rng.normal(size=(200, k * size))


@pytest.mark.parametrize("n_regions", [1, 7, 64])
def test_regions_are_as_many_as_asked_and_each_is_one_patch(n_regions):
    X = factor_table(p=250)
    layout = make_layout(X)
    regions = map_regions(layout, X, n_regions)
    assert set(regions) == set(range(n_regions))
    board = np.full(layout.shape, -1)
    board[tuple(layout.positions.T)] = regions
    assert all(label(board == region)[1] == 1 for region in range(n_regions))


def test_planted_modules_come_back_as_regions():
    X = modules()
    regions = map_regions(make_layout(X, balance=0.8), X, 4)
    truth = np.repeat(np.arange(4), 36)
    agree = np.mean((regions[:, None] == regions) == (truth[:, None] == truth))
    assert agree > 0.9


def test_features_without_a_cell_have_no_region_and_channels_do_not_mix():
    from genomap_core.layout import GenomapTransformer

    X, codes = factor_table(p=80), np.repeat([0, 1], 40)
    layout = GenomapTransformer(grid=(5, 5), channels=codes).fit(X).layout_
    regions = map_regions(layout, X, 6)
    np.testing.assert_array_equal(regions < 0, layout.positions[:, 0] < 0)
    for region in range(regions.max() + 1):
        assert len(set(codes[regions == region])) == 1


@settings(deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_outlines_enclose_exactly_the_cells(cells):
    """Shoelace: the rings' signed areas add up to the number of cells, and every border edge is drawn once."""
    area, edges = 0.0, 0
    for ring in outline(cells):
        assert (ring[0] == ring[-1]).all()
        steps = np.abs(np.diff(ring, axis=0)).sum(axis=1)
        assert (steps == 1).all()
        y, x = ring.T.astype(float)
        area += 0.5 * (x[:-1] * y[1:] - x[1:] * y[:-1]).sum()
        edges += len(steps)
    padded = np.pad(cells, 1)
    assert area == cells.sum()
    assert edges == (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()


def test_no_region_at_all_is_refused():
    X = factor_table(p=9)
    with pytest.raises(LayoutError, match="at least 1"):
        map_regions(make_layout(X), X, 0)
