"""Colours: read in order by everyone, told apart by people with any common colour vision, the same everywhere."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomap_core.errors import InputError
from genomap_core.plotting.colour import (
    CATEGORICAL,
    HATCH_RGB,
    MISSING_RGB,
    blend_overlay,
    cividis,
    label_ticks,
    normalise,
    robust_range,
    ticks,
    vik,
)

# Machado, Oliveira & Fernandes (2009), severity 1, for linear RGB
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.119192, 0.9503041]])


def lab(rgb, vision="normal"):
    """CIELAB (D65) of ``(..., 3)`` uint8 colours as seen with one kind of colour vision."""
    c = np.asarray(rgb, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.asarray(VISION[vision]).T, 0, 1) @ XYZ.T / XYZ.sum(axis=1)
    f = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def rgb_of(text):
    return [int(text[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize("vision", VISION)
def test_cividis_grows_lighter_throughout_for_everyone(vision):
    lightness = lab(cividis(), vision)[:, 0]
    assert (np.diff(lightness[::4]) > 0).all()
    assert lightness[-1] - lightness[0] > 60


@pytest.mark.parametrize("vision", VISION)
def test_equal_positive_and_negative_attributions_look_different_to_everyone(vision):
    seen = lab(vik(), vision)
    difference = np.linalg.norm(seen - seen[::-1], axis=1)[:64]  # from half the limit to the limit
    assert difference.min() > 35
    if vision == "deutan":  # the same measure finds the classic mistake
        red_green = lab(np.array([[215, 48, 39], [26, 152, 80]]), vision)
        assert np.linalg.norm(red_green[0] - red_green[1]) < 35


def test_vik_is_lightest_in_the_middle_and_cividis_agrees_with_matplotlib():
    lightness = lab(vik())[:, 0]
    assert lightness.argmax() in range(120, 137)
    matplotlib = pytest.importorskip("matplotlib")
    theirs = np.rint(np.array(matplotlib.colormaps["cividis"].colors) * 255)
    np.testing.assert_array_equal(cividis(), theirs)


@pytest.mark.parametrize("vision", VISION)
def test_categories_are_told_apart_by_everyone(vision):
    seen = lab(np.array([rgb_of(c) for c in CATEGORICAL]), vision)
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen[:6], 2)) > 15
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen[:3], 2)) > 24


def test_missing_is_never_the_colour_of_an_end_of_a_scale():
    for table in (cividis(), vik()):
        for end in (table[0], table[-1]):
            for grey in (MISSING_RGB, HATCH_RGB):
                assert np.linalg.norm(lab(np.array(grey)) - lab(end)) > 30


def test_tables_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        cividis()[0] = 0


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), st.floats(-10, 10), st.floats(0.01, 100))
def test_normalising_keeps_the_order_and_clips_at_the_ends(values, low, width):
    index = normalise(np.array(values), low, low + width).astype(int)
    assert (np.diff(index[np.argsort(values)]) >= 0).all()
    assert (index[np.array(values) <= low] == 0).all()
    assert (index[np.array(values) >= low + width] == 255).all()


def test_normalising_refuses_an_empty_scale():
    with pytest.raises(InputError, match="low < high"):
        normalise(np.zeros(2), 1, 1)
    assert normalise(np.array([np.nan, np.inf, -np.inf]), 0, 1).tolist() == [0, 255, 0]


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), max_size=30), st.booleans())
def test_a_range_is_never_empty_and_symmetric_when_signed(values, symmetric):
    low, high = robust_range(np.array(values), symmetric=symmetric)
    assert low < high
    if symmetric:
        assert low == -high


@given(st.floats(-1e6, 1e6), st.floats(1e-5, 1e6))
def test_ticks_are_few_even_and_inside(low, width):
    marks = ticks(low, low + width)
    assert len(marks) <= 9
    assert all(low - 1e-9 * width <= m <= low + width + 1e-9 * (abs(low) + width) for m in marks)
    if width > abs(low) * 1e-9:
        assert len(marks) >= 2
        assert len(label_ticks(marks)) == len(marks)


def test_tick_labels_share_their_decimals_and_have_a_true_minus():
    assert label_ticks((-0.5, 0.0, 0.25)) == ("−0.50", "0.00", "0.25")
    assert label_ticks((-2e-5, 0.0, 2e-5)) == ("−2e−5", "0", "2e−5")
    assert ticks(-2.3, 2.6) == (-2, -1, 0, 1, 2)


def test_no_opacity_shows_the_values_and_full_opacity_the_attribution_alone():
    base = cividis()[[0, 128, 255]]
    strong = np.array([1.0, -1.0, 5.0])
    np.testing.assert_array_equal(blend_overlay(base, strong, 1.0, 0.0), base)
    np.testing.assert_array_equal(blend_overlay(base, strong, 1.0, 1.0), vik()[[255, 0, 255]])
    without = blend_overlay(base, np.array([0.0, 0.0, np.nan]), 1.0, 1.0)
    assert (without == without[:, :1]).all(), "no attribution is drawn as grey"
