"""What parts of a patient do in a fusion network, against models whose inner life is known."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from genomap_core.data.images.patients import FusionInputs
from genomap_core.errors import InputError
from genomap_core.explain.fusion import (
    Parts,
    PatientGame,
    interaction,
    odds,
    part_values,
    pixel_values,
    type_values,
)
from genomap_core.explain.images import superpixels

REGIONS = np.repeat([0, 1], 32).reshape(8, 8)  # upper and lower half
MODULES = np.stack([np.tile(np.repeat([0, 1], 4), (8, 1)), np.tile(np.repeat([2, -1], 4), (8, 1))])


class Known:
    """Two classes; the first one's logit is a given function of means over regions and modules."""

    def __init__(self, function):
        self.function = function

    def logits(self, inputs):
        r = np.stack([inputs.images[:, 0][:, k == REGIONS].mean(1) for k in range(2)], axis=1)
        m = np.stack([inputs.maps[:, k == MODULES].mean(1) for k in range(3)], axis=1)
        return np.stack([self.function(r, m), np.zeros(len(r))], axis=1)


def patient(n: int = 1) -> FusionInputs:
    rng = np.random.default_rng(3)
    return FusionInputs(
        rng.normal(1, 0.2, (n, 1, 8, 8)).astype(np.float32),
        rng.normal(2, 0.2, (n, 2, 8, 8)).astype(np.float32),
        np.ones((n, 2), np.float32),
    )


def game(function) -> PatientGame:
    return PatientGame(Known(function), patient(), Parts(REGIONS, MODULES), 0)


def means():
    x = patient()
    return (
        np.array([x.images[0, 0][k == REGIONS].mean() for k in range(2)]),
        np.array([x.maps[0][k == MODULES].mean() for k in range(3)]),
    )


def test_parts_that_add_up_are_given_what_they_add():
    found = part_values(game(lambda r, m: 2 * r[:, 0] - r[:, 1] + 0.5 * m[:, 2]))
    r, m = means()
    np.testing.assert_allclose(found.regions, [2 * r[0], -r[1]], rtol=1e-5)
    np.testing.assert_allclose(found.modules, [0, 0, 0.5 * m[2]], atol=1e-6)
    assert found.output - found.baseline == pytest.approx(found.regions.sum() + found.modules.sum())


def test_an_explanation_that_is_right_beats_random_orders():
    found = part_values(game(lambda r, m: 3 * r[:, 0] - 2 * r[:, 1] + m[:, 0] - m[:, 1] + 0.3 * m[:, 2]))
    assert found.faithfulness.deletion_advantage > 0
    assert found.faithfulness.beaten > 0.6


def test_parts_that_act_on_their_own_do_not_interact():
    found = interaction(game(lambda r, m: 2 * r[:, 0] - r[:, 1] ** 2 + m[:, 2] * m[:, 1]))
    np.testing.assert_allclose(found, np.zeros((3, 2)), atol=1e-5)


def test_a_module_that_multiplies_a_region_interacts_with_it_alone():
    found = interaction(game(lambda r, m: 2 * r[:, 0] + 1.5 * m[:, 1] * r[:, 1]))
    r, m = means()
    expected = np.zeros((3, 2))
    expected[1, 1] = 1.5 * m[1] * r[1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_cells_outside_every_module_never_go():
    seen = []
    model = Known(lambda r, m: r[:, 0])
    asked = model.logits
    model.logits = lambda inputs: seen.append(inputs.maps[:, MODULES == -1]) or asked(inputs)
    interaction(PatientGame(model, patient(), Parts(REGIONS, MODULES), 0))
    assert all((values != 0).all() for values in seen)


def test_types_share_the_change_of_every_classs_probability():
    x = patient(5)
    model = Known(lambda r, m: 2 * r[:, 0] + m[:, 2])
    values = type_values(model, x)
    assert values.shape == (5, 3, 2)
    nobody = FusionInputs(0 * x.images, 0 * x.maps, x.present)
    change = np.exp(log_softmax(model.logits(x), 1)) - np.exp(log_softmax(model.logits(nobody), 1))
    np.testing.assert_allclose(values.sum(1), change, atol=1e-6)
    np.testing.assert_allclose(values[:, 1], 0, atol=1e-9)  # the first omics type is not looked at


def test_without_an_image_the_types_alone_play():
    class OmicsOnly:
        def logits(self, inputs):
            value = inputs.maps[:, 0].mean((1, 2))
            return np.stack([value, -value], axis=1)

    x = patient(2)
    no_image = FusionInputs(np.zeros((2, 0, 0, 0), np.float32), x.maps, x.present)
    values = type_values(OmicsOnly(), no_image)
    assert values.shape == (2, 2, 2)
    assert (values[:, 0, 0] > 0.4).all()
    np.testing.assert_allclose(values[:, 1], 0, atol=1e-9)
    one = PatientGame(OmicsOnly(), no_image.take(np.array([0])), Parts(np.full((8, 8), -1), MODULES), 0)
    found = part_values(one)
    assert found.regions.shape == (0,)
    np.testing.assert_allclose(found.modules[2], 0, atol=1e-6)


def test_log_odds_are_exact_where_probabilities_round_to_one():
    assert odds(np.array([[800.0, 0.0, -5.0]]), 0) == pytest.approx(800 - np.log1p(np.exp(-5)))


def test_gradients_of_a_linear_network_are_its_weights_times_the_values():
    rng = np.random.default_rng(0)
    wi, wm = (torch.from_numpy(rng.normal(size=s).astype(np.float32)) for s in ((1, 8, 8), (2, 8, 8)))

    def network(images, maps, present):
        logit = 0.05 * ((images * wi).sum((1, 2, 3)) + (maps * wm).sum((1, 2, 3)))
        return torch.stack([logit, torch.zeros_like(logit)], dim=1)

    x = patient()
    on_image, on_maps, gap = pixel_values([network], x, 0)
    assert gap < 0.02
    ratio = on_image / (x.images[0] * wi.numpy())
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-3)
    np.testing.assert_allclose(on_maps / (x.maps[0] * wm.numpy()), ratio.mean(), rtol=1e-3)


def test_two_patients_at_once_are_refused():
    with pytest.raises(InputError, match="One patient"):
        PatientGame(Known(lambda r, m: r[:, 0]), patient(2), Parts(REGIONS, MODULES), 0)


def test_superpixels_follow_what_the_image_shows():
    image = np.zeros((1, 40, 40), np.float32)
    image[0, 10:25, 12:30] = 1
    labels = superpixels(image, 20, compactness=0.01)
    assert set(np.unique(labels)) == set(range(labels.max() + 1))
    inside = np.zeros((40, 40), bool)
    inside[10:25, 12:30] = True
    mixed = [k for k in np.unique(labels) if 0.1 < inside[labels == k].mean() < 0.9]
    assert not mixed
    with pytest.raises(InputError, match="0 channels"):
        superpixels(image[:0], 20)


@pytest.mark.parametrize("kind", ["omics alone", "no use of the omics"])
def test_gradients_of_a_network_of_one_kind_of_data_are_of_that_kind(kind):
    x = patient()

    def network(images, maps, present):
        seen = maps if kind == "omics alone" else images
        logit = seen.mean((1, 2, 3))
        return torch.stack([logit, -logit], dim=1)

    if kind == "omics alone":
        x = FusionInputs(np.zeros((1, 0, 8, 8), np.float32), x.maps, x.present)
    on_image, on_maps, gap = pixel_values([network], x, 0)
    assert gap < 0.02
    assert on_image.shape == x.images.shape[1:]
    assert np.abs(on_maps).any() == (kind == "omics alone")
