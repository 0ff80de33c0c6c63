"""`Layout`: the way to maps and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomap_core.errors import LayoutError
from genomap_core.layout import Layout, LayoutQuality


@st.composite
def layouts(draw, all_placed=False):
    height, width, channels = draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = rng.permutation(channels * height * width)[: draw(st.integers(1, channels * height * width))]
    channel, cell = np.divmod(cells, height * width)
    positions = np.stack(np.divmod(cell, width), 1).astype(np.int32)
    if not all_placed:
        positions[rng.random(len(positions)) < 0.2] = -1
    return Layout((height, width), positions, channel.astype(np.int32), channels, LayoutQuality(0, 0, 0, 0), "random")


seeds = st.integers(0, 2**32 - 1)


@given(layouts(all_placed=True), seeds, st.sampled_from([np.float32, np.float64]))
def test_reading_a_map_back_gives_the_row(layout, seed, dtype):
    X = np.random.default_rng(seed).normal(size=(3, layout.n_features)).astype(dtype)
    back = layout.to_features(layout.to_maps(X))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, X)


@given(layouts(), seeds)
def test_each_value_is_found_at_its_features_position_and_fill_everywhere_else(layout, seed):
    X = np.random.default_rng(seed).normal(size=(2, layout.n_features)).astype(np.float32)
    maps = layout.to_maps(X, fill=99)
    assert maps.shape == (2, layout.n_channels, *layout.shape)
    for j, ((row, column), code) in enumerate(zip(layout.positions, layout.channel)):
        if row >= 0:
            assert (maps[:, code, row, column] == X[:, j]).all()
            assert layout.feature_of_cell[code, row, column] == j
    assert (maps == 99).sum() == 2 * (layout.feature_of_cell < 0).sum()
    assert np.isnan(layout.to_features(maps)[:, layout.positions[:, 0] < 0]).all()


@given(layouts())
def test_arrays_and_json_hold_the_whole_layout(layout):
    arrays, header = layout.to_arrays()
    again = Layout.from_arrays(arrays, json.loads(json.dumps(header)))
    np.testing.assert_array_equal(again.positions, layout.positions)
    np.testing.assert_array_equal(again.channel, layout.channel)
    assert (again.shape, again.quality, again.n_channels) == (layout.shape, layout.quality, layout.n_channels)


@pytest.mark.parametrize("positions", [[[0, 0], [0, 0]], [[0, 0], [0, 5]], [[0, 0], [0, -2]]])
def test_a_shared_cell_or_one_outside_is_refused(positions):
    with pytest.raises(LayoutError):
        Layout((2, 2), np.array(positions), np.zeros(2, np.int32), 1, LayoutQuality(0, 0, 0, 0), "x")


def test_wrong_tables_and_maps_are_refused():
    layout = Layout((1, 2), np.array([[0, 0], [0, 1]]), np.zeros(2, np.int32), 1, LayoutQuality(0, 0, 0, 0), "x")
    with pytest.raises(LayoutError, match="2 features"):
        layout.to_maps(np.zeros((3, 4)))
    with pytest.raises(LayoutError, match="shape"):
        layout.to_features(np.zeros((3, 1, 2, 2)))
