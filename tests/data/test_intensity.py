"""Intensities: absolute scales stay absolute, relative ones do not depend on the scanner's, stains are recovered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomap_core.data.images.framing import choose_slices, fit_square
from genomap_core.data.images.intensity import (
    CT_WINDOWS,
    foreground,
    normalised,
    padding,
    window_hu,
    zscore,
    zscore_foreground,
)
from genomap_core.data.images.stain import RUIFROK, find_stains, normalise_stains, optical_density

RNG = np.random.default_rng(0)


def head(side: int = 64, scale: float = 1.0, offset: float = 0.0) -> np.ndarray:
    """A bright textured disc on dark ground."""
    rows, columns = np.ogrid[:side, :side]
    disc = (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < (0.35 * side) ** 2
    texture = np.random.default_rng(1).normal(500, 60, (side, side))
    return np.where(disc, texture, np.random.default_rng(2).normal(10, 3, (side, side))) * scale + offset


@pytest.mark.parametrize(("centre", "width"), CT_WINDOWS.values(), ids=CT_WINDOWS)
def test_a_window_maps_its_ends_to_two_and_its_centre_to_zero(centre, width):
    hu = np.array([-3000, centre - width / 2, centre, centre + width / 2, 3000])
    np.testing.assert_allclose(window_hu(hu, centre, width), [-2, -2, 0, 2, 2], atol=1e-5)


def test_the_same_tissue_gets_the_same_number_in_every_ct():
    one, other = np.full((4, 4), 60), np.concatenate([np.full((4, 4), 60), np.full((4, 4), 900)])
    window = CT_WINDOWS["soft tissue"]
    assert normalised(one, "ct", window)[0, 0] == normalised(other, "ct", window)[0, 0]


@given(st.floats(0.01, 50), st.floats(-1000, 1000))
def test_an_mr_image_does_not_depend_on_the_scanners_scale(scale, offset):
    np.testing.assert_allclose(
        zscore_foreground(head(scale=scale, offset=offset)), zscore_foreground(head()), atol=2e-2
    )


def test_mr_is_measured_within_the_foreground_alone():
    image = head()
    inside = foreground(image, "mr")
    assert 0.3 < inside.mean() < 0.45
    found = zscore_foreground(image)
    assert abs(found[inside].mean()) < 0.05
    assert abs(found[inside].std() - 1) < 0.1
    assert found[~inside].max() < found[inside].min() + 1


def test_a_constant_image_becomes_zero_and_outliers_are_cut():
    assert not zscore(np.full((9, 9), 7.0)).any()
    image = RNG.normal(size=(64, 64))
    image[0, 0] = 1e6
    assert zscore(image).max() == 5


def test_histology_keeps_its_scale_and_is_framed_with_glass():
    image = np.stack([np.full((8, 8), v, np.uint8) for v in (0, 255, 51)])
    np.testing.assert_allclose(normalised(image, "histology", (0, 1))[:, 0, 0], [-2, 2, -1.2], atol=1e-6)
    assert padding(image, "histology") == 2


def slide(vectors: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """``(H, W, 3)`` uint8 of stains with these optical densities."""
    density = amounts @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return np.clip(256 * np.exp(-density) - 1, 0, 255).astype(np.uint8)


@pytest.fixture
def amounts() -> np.ndarray:
    """``(96, 96, 2)``: nuclei, cytoplasm and glass."""
    rng = np.random.default_rng(3)
    kind = rng.integers(0, 3, (96, 96))
    mean = np.array([[1.2, 0.05], [0.05, 0.9], [0.0, 0.0]])[kind]
    return np.clip(mean * rng.uniform(0.5, 1.5, (96, 96, 1)), 0, None)


def test_planted_stains_are_found(amounts):
    planted = np.array([[0.55, 0.76, 0.35], [0.15, 0.95, 0.28]])
    found = find_stains(slide(planted, amounts))
    cosine = (found.vectors * planted / np.linalg.norm(planted, axis=1, keepdims=True)).sum(axis=1)
    assert (cosine > 0.99).all()


def test_two_scanners_of_one_tissue_look_alike_after_normalisation(amounts):
    one = slide(RUIFROK, amounts)
    other = slide(np.array([[0.55, 0.76, 0.35], [0.15, 0.95, 0.28]]), 0.7 * amounts)
    before = np.abs(one.astype(float) - other).mean()
    after = np.abs(normalise_stains(one).astype(float) - normalise_stains(other)).mean()
    assert after < 0.25 * before


def test_glass_alone_stays_as_it_is():
    glass = np.full((64, 64, 3), 245, np.uint8)
    assert find_stains(glass) is None
    np.testing.assert_array_equal(normalise_stains(glass), glass)
    assert optical_density(np.array([255.0])) == pytest.approx(0, abs=1e-6)


def volume(filled: list[int]) -> np.ndarray:
    voxels = np.zeros((len(filled), 64, 64), np.int16)
    for z, count in enumerate(filled):
        voxels[z, :count, 10:50] = 1000
    return voxels


def test_the_slice_with_the_largest_foreground_is_found():
    assert choose_slices(volume([0, 5, 30, 60, 20, 0]), "largest foreground", 1, "mr") == [3]
    assert choose_slices(volume([0, 5, 30, 60, 20, 0]), "middle", 1, "mr") == [3]


def test_slices_are_spread_over_what_shows_something():
    filled = [0, 0, 40, 40, 40, 40, 40, 40, 0, 0]
    assert choose_slices(volume(filled), "evenly spaced", 3, "mr") == [3, 5, 7]
    assert choose_slices(volume([40]), "evenly spaced", 3, "mr") == [0, 0, 0]


@given(st.integers(3, 80), st.integers(3, 80), st.sampled_from([16, 33, 64]))
def test_the_aspect_is_kept_and_the_rest_is_filled(h, w, side):
    image = np.ones((2, h, w), np.float32)
    out, frame = fit_square(image, side, -2.0)
    assert out.shape == (2, side, side)
    assert max(frame.inner) == side
    assert abs(frame.inner[0] / frame.inner[1] - h / w) <= (h / w + 1) / min(frame.inner)
    assert set(np.unique(out).tolist()) <= {-2.0, 1.0}
    assert (out == 1).sum() == 2 * frame.inner[0] * frame.inner[1]


def test_pixels_that_are_not_square_are_made_so():
    out, frame = fit_square(np.ones((1, 20, 40), np.float32), 40, 0.0, (2.0, 1.0))
    assert frame.inner == (40, 40)
    assert frame.spacing == pytest.approx(1.0)
    assert out.all()
