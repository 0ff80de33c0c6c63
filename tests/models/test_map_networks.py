"""The map networks: any map, rows apart from each other, and the two paths of the map network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from genomap_core.models import GenoNet, MapCNN, MeanLogits
from genomap_core.models.map_cnn import squashed

SIDES = st.integers(1, 21)


def randomised(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.eval()


@pytest.mark.parametrize("network", [MapCNN, GenoNet])
@given(height=SIDES, width=SIDES, channels=st.integers(1, 3), classes=st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_any_map_gives_finite_logits_and_gradients(network, height, width, channels, classes):
    module = randomised(network(channels, height, width, classes))
    x = torch.randn(3, channels, height, width, requires_grad=True)
    logits = module(x)
    logits.sum().backward()
    assert logits.shape == (3, classes)
    assert torch.isfinite(logits).all()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("network", [MapCNN, GenoNet])
def test_a_row_does_not_depend_on_the_others(network):
    module = randomised(network(2, 9, 7, 3))
    x = torch.randn(4, 2, 9, 7)
    jacobian = torch.autograd.functional.jacobian(module, x)  # (4, 3, 4, 2, 9, 7)
    for i in range(4):
        for j in range(4):
            assert bool(jacobian[i, :, j].abs().max() > 0) == (i == j)


@pytest.mark.parametrize("network", [MapCNN, GenoNet])
def test_masked_cells_are_silent_and_the_others_are_not(network):
    module = randomised(network(1, 8, 8, 2))
    module.mask[0, :4] = 0
    x = torch.randn(2, 1, 8, 8, requires_grad=True)
    module(x)[:, 0].sum().backward()
    assert (x.grad[:, :, :4] == 0).all()
    assert (x.grad[:, :, 4:] != 0).any()


def test_the_linear_path_is_silent_until_it_is_set():
    module, x = MapCNN(1, 10, 12, 3).eval(), torch.randn(5, 1, 10, 12)
    convolved = module.convolutional_path(torch.asinh(x))
    torch.testing.assert_close(module(x), convolved)
    nn.init.normal_(module.linear.weight)
    want = torch.asinh(x).flatten(1) @ module.linear.weight.T + convolved
    torch.testing.assert_close(module(x), want)


def test_convolutions_see_where_a_feature_lies_but_the_linear_path_does_not():
    x = torch.randn(6, 1, 12, 12)
    order = torch.randperm(144)
    shuffled = x.flatten(2)[:, :, order].reshape_as(x)
    module = randomised(MapCNN(1, 12, 12, 2))
    convolved = module.convolutional_path(x), module.convolutional_path(shuffled)
    assert (convolved[0] - convolved[1]).abs().max() > 1e-3
    linear = module.linear_path(x)
    module.linear.weight.data = module.linear.weight.data[:, order]
    torch.testing.assert_close(module.linear_path(shuffled), linear)


def test_without_a_linear_path_the_convolutions_alone_speak():
    module = randomised(MapCNN(1, 6, 6, 2, linear=False))
    x = torch.randn(2, 1, 6, 6)
    torch.testing.assert_close(module(x), module.convolutional_path(torch.asinh(x)))


def test_an_outlier_of_a_thousand_standard_deviations_moves_the_logits_like_one_of_eight():
    module = MapCNN(1, 4, 4, 2)
    nn.init.ones_(module.linear.weight)
    x = torch.zeros(2, 1, 4, 4)
    x[0, 0, 0, 0], x[1, 0, 0, 0] = 8.0, 1000.0
    moved = module.linear_path(torch.asinh(x))[:, 0]
    assert moved[1] < 3 * moved[0]


def test_genonet_has_the_published_layers():
    shapes = {name: tuple(p.shape) for name, p in GenoNet(1, 5, 6, 4).named_parameters()}
    assert shapes["convolution.weight"] == (8, 1, 3, 3)
    assert shapes["hidden.weight"] == (100, 8 * 5 * 6)
    assert shapes["out.weight"] == (4, 100)


def test_an_ensemble_gives_the_mean_of_its_members_logits():
    members = [randomised(GenoNet(1, 4, 4, 2)) for _ in range(3)]
    x = torch.randn(5, 1, 4, 4)
    want = sum(member(x) for member in members) / 3
    torch.testing.assert_close(MeanLogits(members).eval()(x), want)


def test_squashed_values_are_the_arcsinh_with_and_without_a_gradient():
    x = torch.tensor([-3e4, -800.0, -2.5, -1e-4, 0.0, 1e-6, 0.3, 7.0, 3e4])
    torch.testing.assert_close(squashed(x), torch.asinh(x.double()).float(), rtol=1e-6, atol=0)
    x.requires_grad_(True)
    (slope,) = torch.autograd.grad(squashed(x).sum(), x)
    torch.testing.assert_close(slope, 1 / torch.sqrt(1 + x.detach() ** 2))
