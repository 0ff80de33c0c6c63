"""The grid's geometry against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomap_core.errors import LayoutError
from genomap_core.layout.geometry import Grid, auto_shape, cell_distance, mean_cell_distance, radial_distance


@given(st.integers(1, 5000))
def test_the_automatic_grid_holds_every_feature_and_wastes_less_than_a_row(p):
    height, width = auto_shape(p)
    assert height * width >= p > (height - 1) * width
    assert 0 <= width - height <= 1


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_mean_cell_distance_equals_brute_force_with_holes(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.7
    mask[0, 0] = True
    grid = Grid((height, width), mask)
    D = cell_distance(grid.positions, grid.positions)
    expected = D.sum() / (len(D) * (len(D) - 1)) if len(D) > 1 else 1.0
    assert mean_cell_distance(grid) == pytest.approx(expected, rel=1e-6)


def test_the_published_grid_distance_puts_opposite_corners_together_and_the_true_one_does_not():
    grid = Grid((8, 8))
    corner, opposite = 0, 63
    assert radial_distance(grid.positions, grid.shape)[corner, opposite] == pytest.approx(0)
    assert cell_distance(grid.positions, grid.positions)[corner, opposite] == pytest.approx(7 * 2**0.5)


@pytest.mark.parametrize(
    "make", [lambda: Grid((0, 3)), lambda: Grid((2, 2), np.zeros((2, 2), bool)), lambda: auto_shape(0)]
)
def test_a_grid_without_cells_is_refused(make):
    with pytest.raises(LayoutError, match="at least"):
        make()
