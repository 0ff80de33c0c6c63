"""Simulated heads and tumours."""

from __future__ import annotations

import numpy as np
import pytest

from genomap_core.data.simulated import mri
from genomap_core.errors import InputError


def no_growth(u0: np.ndarray, spread: np.ndarray, growth: np.ndarray) -> np.ndarray:
    return u0


def test_the_same_seed_gives_the_same_slices_one_by_one() -> None:
    four = mri.simulate_slices(1, 64, 5, no_growth)
    eight = mri.simulate_slices(2, 64, 5, no_growth)
    np.testing.assert_array_equal(four.images, eight.images[:4])
    assert not np.array_equal(four.images, mri.simulate_slices(1, 64, 6, no_growth).images)


def test_only_tumours_have_cells_and_figures() -> None:
    slices = mri.simulate_slices(3, 64, 0, no_growth)
    clear = slices.y == mri.CLASSES.index("no tumour")
    assert not slices.density[clear].any()
    assert (slices.density[~clear].sum((1, 2)) > 1).all()
    assert np.isnan(slices.diffusion[clear]).all()
    assert (slices.diffusion[~clear] > 0).all()


def test_first_cells_lie_inside_the_brain() -> None:
    slices = mri.simulate_slices(4, 64, 1, no_growth)
    assert set(np.unique(slices.tissue[slices.density > 0])) <= {mri.FLUID, mri.GREY, mri.WHITE}


def test_a_head_holds_every_tissue_in_order() -> None:
    tissue = mri.brain_tissue(128, np.random.default_rng(2))
    shares = np.bincount(tissue.ravel(), minlength=6) / tissue.size
    assert (shares > 0.01).all()
    assert shares[mri.WHITE] + shares[mri.GREY] > 0.25
    assert not tissue[0].any()


def test_bone_stops_every_tumour_and_grey_matter_slows_gliomas() -> None:
    tissue = np.array([[mri.BONE, mri.FLUID, mri.GREY, mri.WHITE]], np.uint8)
    np.testing.assert_allclose(mri.conductance("glioma", tissue), [[0, 0, 0.1, 1]])
    np.testing.assert_allclose(mri.conductance("meningioma", tissue), [[0, 1, 1, 1]])


def test_a_planned_tumour_keeps_its_length_and_size() -> None:
    tumour = mri.Tumour(width=1.5, radius=20.0, time=2.0, seed=(0, 0))
    assert np.sqrt(tumour.diffusion / tumour.rate) == pytest.approx(1.5)
    assert 2 * np.sqrt(tumour.diffusion * tumour.rate) * tumour.time == pytest.approx(20.0)


def test_an_unknown_contrast_is_refused() -> None:
    with pytest.raises(InputError, match="flair"):
        mri.simulate_slices(1, 64, 0, no_growth, contrast="ct")
