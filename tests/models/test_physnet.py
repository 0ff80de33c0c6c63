"""PhysNet and the networks beside it."""

from __future__ import annotations

import pytest
import torch

from genomap_core.data.images.networks import NETWORKS
from genomap_core.errors import InputError
from genomap_core.models.baselines2d import build_network
from genomap_core.models.mobile import EfficientNetLite
from genomap_core.models.physnet import PhysicsConfig, PhysNet, bounded


def physnet(n_classes: int, physics: PhysicsConfig = PhysicsConfig(), in_channels: int = 1) -> PhysNet:
    net = build_network("physnet18", in_channels, n_classes, width=8, physics=physics)
    assert isinstance(net, PhysNet)
    return net


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("channels", "sides"), [(1, (32, 32)), (3, (45, 70))])
def test_every_network_takes_any_image(name: str, channels: int, sides: tuple[int, int]) -> None:
    net = build_network(name, channels, 4, width=8).eval()
    x = images(2, channels, *sides)
    logits = net(x)
    assert logits.shape == (2, 4)
    torch.testing.assert_close(net(x[:1]), logits[:1], atol=1e-5, rtol=1e-4)


def test_published_sizes() -> None:
    """Weights of the published networks for 1,000 classes; of VGG the convolutions, without their idle biases."""

    def count(module: torch.nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    with torch.device("meta"):
        nets = {name: build_network(name, 3, 1000) for name in NETWORKS}
    assert count(nets["resnet18"]) == 11_689_512
    assert count(nets["resnet34"]) == 21_797_672
    assert count(nets["mobilenet_v2"]) == 3_504_872
    assert count(nets["vgg16"].features) == 14_723_136 - 4_224
    assert count(nets["vgg19"].features) == 20_035_392 - 5_504


def test_the_class_is_read_through_the_density_alone() -> None:
    """Features where the density is zero may be anything, and nothing is seen of an image without a density."""
    net = physnet(4).eval()
    x = images(2, 1, 64, 64)
    with torch.no_grad():
        net.summary.weight.normal_()
        features = net.features(x)
        growth = net.physics.grow(features)
        half = growth.frames.clone()
        half[..., half.shape[-1] // 2 :] = 0
        seen = growth._replace(frames=half)
        changed = features.clone()
        changed[..., changed.shape[-1] // 2 :] = 100.0
        torch.testing.assert_close(net.classify(changed, seen), net.classify(features, seen))
        assert not torch.allclose(net.classify(changed, growth), net.classify(features, growth))
        blind = net.classify(features, growth._replace(frames=0 * growth.frames))
        torch.testing.assert_close(blind[0], blind[1])


def test_d_and_rho_depend_on_the_features_under_the_first_density_alone() -> None:
    layer = physnet(2).physics.eval()
    features = images(1, 16, 8, 8)
    with torch.no_grad():
        layer.density.weight.zero_()
        layer.density.weight[:, 0] = 50.0
        features[:, 0] = -10.0
        features[:, 0, 2:4, 2:4] = 10.0
        first = layer.grow(features)
        features[:, 1:, 5:] = 7.0
        again = layer.grow(features)
    torch.testing.assert_close(first.diffusion, again.diffusion)
    torch.testing.assert_close(first.rate, again.rate)


def test_a_front_that_the_grid_can_not_carry_is_refused() -> None:
    with pytest.raises(InputError, match="upscale"):
        PhysicsConfig(length_range=(0.5, 3.0))
    low, _ = PhysicsConfig().diffusion_range
    assert low == pytest.approx(1.5**2 * PhysicsConfig().rate_range[0])


def test_the_matched_control_has_the_same_parameters_and_no_growth() -> None:
    with_growth, without = (build_network(n, 1, 4, width=8) for n in ("physnet18", "resnet18_matched"))
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (with_growth, without)]
    assert shapes[0] == shapes[1]
    assert without.observe(images(2, 1, 64, 64))[1].frames.shape == (2, 1, 16, 16)


@pytest.mark.parametrize("fields", ["scalar", "map"])
@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_the_growth_obeys_its_bounds_wherever_it_stands(fields: str, stage: int) -> None:
    config = PhysicsConfig(n_steps=6, fields=fields, stage=stage)
    net = physnet(2, config, in_channels=3)
    with torch.no_grad():
        net.physics.density.weight.mul_(30)
        growth = net.observe(5 * images(2, 3, 64, 96))[1]
    side = 64 // 4 // 2 ** (stage - 1) * config.upscale
    assert growth.frames.shape == (2, 7, side, side * 3 // 2)
    assert growth.diffusion.shape == ((2, 1, 1) if fields == "scalar" else (2, side, side * 3 // 2))
    assert 0 <= float(growth.frames.min()) <= float(growth.frames.max()) <= 1
    assert float(growth.diffusion.min()) >= config.diffusion_range[0]
    assert float(growth.diffusion.max()) <= config.diffusion_range[1]
    mass = growth.frames.sum((2, 3))
    assert bool((mass.diff(dim=1) > 0).all())


def test_every_parameter_of_the_physics_learns_from_the_labels() -> None:
    net = physnet(3, PhysicsConfig(n_steps=5))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):  # The way back into D and rho opens with the first step.
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(images(4, 1, 64, 64)), torch.tensor([0, 1, 2, 0])).backward()
        optimiser.step()
    for name, parameter in net.physics.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


@pytest.mark.parametrize("method", ["explicit", "implicit"])
def test_the_scheme_can_be_exchanged(method: str) -> None:
    torch.manual_seed(0)
    net = physnet(2, PhysicsConfig(method=method))
    torch.manual_seed(0)
    other = physnet(2)
    x = images(2, 1, 64, 64)
    torch.testing.assert_close(net.observe(x)[1].frames, other.observe(x)[1].frames, atol=0.06, rtol=0)


def test_bounded_is_a_monotone_map_onto_its_range() -> None:
    z = torch.linspace(-30, 30, 1001, dtype=torch.float64)
    values = bounded(z, 0.01, 4.0)
    assert bool((values.diff() >= 0).all())
    torch.testing.assert_close(values[[0, 500, -1]], torch.tensor([0.01, 0.2, 4.0], dtype=torch.float64))


@pytest.mark.parametrize("options", [{"stage": 0}, {"fields": "both"}, {"rate_range": (0.3, 0.1)}, {"upscale": 0}])
def test_impossible_physics_is_refused(options: dict) -> None:
    with pytest.raises(InputError):
        PhysicsConfig(**options)


def test_a_density_speaks_against_the_class_without_a_tumour() -> None:
    net, same = physnet(4, PhysicsConfig(n_steps=3, clear=2)).eval(), physnet(4, PhysicsConfig(n_steps=3)).eval()
    x = images(3, 1, 64, 64)
    same.load_state_dict({n: v for n, v in net.state_dict().items() if n != "presence"})
    with torch.no_grad():
        features = net.features(x)
        growth = net.physics.grow(features)
        added = []
        for volume in (0.0, 0.01, 0.1):
            seen = growth._replace(frames=volume + 0 * growth.frames)
            change = net.classify(features, seen) - same.classify(features, seen)
            assert not bool(change[:, [0, 1, 3]].any())
            added.append(float(change[0, 2]))
        assert added[0] > 2 > added[1] > -2 > added[2]
    torch.nn.functional.cross_entropy(net(x), torch.tensor([0, 2, 3])).backward()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in net.parameters())
    assert bool((net.presence.grad != 0).all())
    with pytest.raises(InputError, match="clear"):
        physnet(2, PhysicsConfig(clear=2))


def lite_weights() -> dict[str, torch.Tensor]:
    """A state dict as a published EfficientNet-Lite0 has it: colours, other names, more layers behind."""
    own = build_network("efficientnet_lite", 3, 7).state_dict()
    named = {f"theirs.{i}": v.clone() for i, (n, v) in enumerate(own.items()) if not n.startswith("out.")}
    return {n: v + 0.01 * torch.randn_like(v) if v.ndim == 4 else v for n, v in named.items()} | {
        "head.weight": torch.zeros(9, 9)
    }


def test_published_weights_of_colour_pictures_answer_alike_on_grey_ones() -> None:
    colour, grey = (build_network("efficientnet_lite", c, 4).eval() for c in (3, 1))
    assert isinstance(colour, EfficientNetLite)
    assert isinstance(grey, EfficientNetLite)
    weights = lite_weights()
    own = {n: v for n, v in zip(colour.state_dict(), weights.values()) if not n.startswith("out.")}
    colour.load_state_dict(own, strict=False)
    grey.adopt(weights)
    x = images(2, 1, 64, 64)
    torch.testing.assert_close(grey.until(x, 5), colour.until(x.expand(-1, 3, -1, -1) / 2, 5))


@pytest.mark.parametrize(
    "spoil", [lambda w: w.popitem(), lambda w: w.clear(), lambda w: w.update({"theirs.6": w["theirs.0"]})]
)
def test_weights_of_another_network_are_refused(spoil) -> None:
    net = build_network("efficientnet_lite", 1, 4)
    weights = lite_weights()
    weights.popitem()
    spoil(weights)
    with pytest.raises(InputError, match="EfficientNet-Lite0"):
        net.adopt(weights)


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="vgg19"):
        build_network("alexnet", 1, 2)
