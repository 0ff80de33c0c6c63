"""The shipped PhysNet on simulated slices that it never saw: without the right density it knows the classes no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genomap_core.data.images.hygiene import normalise
from genomap_core.errors import InputError
from genomap_core.training.growth_ablation import ABLATIONS, ablated_proba
from genomap_core.training.growth_bundle import GrowthBundle, load_growth
from genomap_core.workflows.comparison.scores import score
from genomap_core.workflows.growth.samples import read_samples
from genomap_core.workflows.growth.view import sample_models


@pytest.fixture(scope="module")
def bundle() -> GrowthBundle:
    return load_growth(Path(sample_models()["physnet"]))


@pytest.fixture(scope="module")
def slices(bundle: GrowthBundle) -> tuple[np.ndarray, np.ndarray]:
    images, _, y, _ = read_samples()
    return np.stack([normalise(image, bundle.size) for image in images]), y


def test_the_class_is_lost_with_the_density_another_slices_density_or_without_growth(bundle, slices) -> None:
    images, y = slices
    own = score("macro_f1", y, bundle.model.predict_proba(images))
    assert own >= 0.8
    for name in ABLATIONS:
        assert score("macro_f1", y, ablated_proba(bundle.model, images, name)) <= own - 0.2, name


def test_without_a_density_every_image_gets_the_same_answer(bundle, slices) -> None:
    proba = ablated_proba(bundle.model, slices[0][:6], "density zero")
    np.testing.assert_allclose(proba, proba[:1].repeat(6, axis=0), atol=1e-6)


def test_unknown_ablations_and_single_images_are_refused(bundle, slices) -> None:
    with pytest.raises(InputError, match="density zero"):
        ablated_proba(bundle.model, slices[0][:2], "no such")
    with pytest.raises(InputError, match="two images"):
        ablated_proba(bundle.model, slices[0][:1], "density zero")
