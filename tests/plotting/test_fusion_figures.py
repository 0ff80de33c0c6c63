"""Figures of fusion show the values they are given, and an image keeps its regions apart."""

import numpy as np

from genomap_core.plotting import interaction_heatmap, type_heatmap
from genomap_core.plotting.imaging import overlaid, to_rgb, with_regions


def test_types_by_classes_are_written_in_their_cells_and_zero_lies_in_the_middle_of_the_scale():
    fig = type_heatmap(np.array([[0.2, -0.4], [np.nan, 0.1]]), ("image", "<b>rna</b>"), ("a", "b"))
    heat = fig.data[0]
    assert heat.zmin == -heat.zmax == -0.4
    assert [a.text for a in fig.layout.annotations] == ["+0.20", "-0.40", "no patient", "+0.10"]
    assert "<b>" not in "".join(heat.y)


def test_what_rounds_to_zero_has_no_sign():
    fig = type_heatmap(np.array([[-0.001, 0.004]]), ("image",), ("a", "b"))
    assert [a.text for a in fig.layout.annotations] == ["0.00", "0.00"]


def test_a_matrix_without_any_interaction_can_be_drawn():
    fig = interaction_heatmap(np.zeros((3, 5)), ("M1", "M2", "M3"), tuple("12345"))
    assert fig.data[0].zmax > 0
    assert len(fig.layout.annotations) == 0


def test_one_channel_is_grey_and_three_are_colours():
    image = np.random.default_rng(0).normal(size=(3, 20, 20))
    grey = to_rgb(image[:1])
    assert (grey[..., 0] == grey[..., 2]).all()
    assert grey.max() == 255
    assert (to_rgb(image)[..., 0] != to_rgb(image)[..., 2]).any()


def test_without_values_the_picture_stays_grey_and_signs_have_their_colours():
    rgb = np.full((10, 10, 3), 120, np.uint8)
    values = np.zeros((10, 10))
    values[0, 0], values[9, 9] = 1, -1
    found = overlaid(rgb, values, limit=1).astype(int)
    assert (np.ptp(found[5, 5]) == 0).all()
    assert found[0, 0, 0] > found[0, 0, 2]  # red for, blue against
    assert found[9, 9, 2] > found[9, 9, 0]


def test_borders_run_between_regions_and_nowhere_else():
    labels = np.repeat([0, 1], 32)[None].repeat(64, axis=0)
    rgb = np.zeros((64, 64, 3), np.uint8)
    found = with_regions(rgb, labels, numbered=False)
    assert found.shape == (576, 576, 3)
    assert set(np.nonzero((found == 255).all(axis=2))[1]) == {288}
    assert (with_regions(rgb, labels) != found).any()  # the numbers
    assert (with_regions(rgb + 255, labels, numbered=False) == 0).any(), "borders are seen on bright tissue too"
