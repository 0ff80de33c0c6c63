"""Fusion networks: shapes, parameters, and that each sees what it is meant to see and nothing else."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from genomap_core.data.images.networks import BACKBONES, VARIANTS
from genomap_core.errors import GenomapError, InputError
from genomap_core.models.fusion import FusionNet, FusionSpec, build_fusion, matched, n_parameters
from genomap_core.models.fusion_parts import VolumeTrunk, block_means

SPEC = FusionSpec("stacked", image_channels=2, omics_types=3, grid=(3, 4), n_classes=5, width=6, hidden=16)


def network(variant: str, **options: object) -> FusionNet:
    torch.manual_seed(0)
    net = build_fusion(dataclasses.replace(SPEC, variant=variant, **options)).eval()
    for parameter in net.parameters():  # its last layers start at zero, which would hide what it looks at
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return net


def batch(n: int = 2, height: int = 16, width: int = 20) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(n, 2, height, width), torch.randn(n, 3, height, width), torch.ones(n, 3)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("sides", [(16, 20), (7, 9), (33, 64)])
def test_any_height_and_width_gives_logits(variant: str, sides: tuple[int, int]) -> None:
    assert network(variant)(*batch(2, *sides)).shape == (2, 5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_resnet_is_a_backbone_of_every_variant(variant: str) -> None:
    assert network(variant, backbone="resnet18", width=8)(*batch(2, 32, 40)).shape == (2, 5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_slices_are_a_volume_in_3d(variant: str) -> None:
    _, maps, present = batch()
    volume = torch.randn(2, 6, 16, 20)
    net = network(variant, backbone="small3d", image_channels=6, n_slices=3, linear=False)
    assert net(volume, maps, present).shape == (2, 5)
    if variant == "omics":
        assert net.image_trunk is None
    else:
        assert isinstance(net.image_trunk, VolumeTrunk)


def test_a_volume_is_taken_apart_into_its_slices_and_the_maps() -> None:
    """A first layer that passes one channel on shows that channel of every second slice, and the maps at each depth."""
    trunk = VolumeTrunk(image_channels=6, omics_types=1, n_slices=3, width=4).eval()
    first = trunk.layers[0]
    seen: list[torch.Tensor] = []
    first.register_forward_hook(lambda module, given, got: seen.append(got[0, 0]))
    x = torch.rand(1, 7, 8, 8)
    for channel in range(3):  # two of each slice, then the map
        with torch.no_grad():
            first.weight.zero_()
            first.weight[0, channel, 1, 1, 1] = 1
            assert trunk(x).shape == (1, 16, 1, 1)
        expected = x[0, [channel, 4 + channel]] if channel < 2 else x[0, [6, 6]]
        torch.testing.assert_close(seen[-1], expected[:, ::2, ::2])


@pytest.mark.parametrize("variant", ["stacked", "late"])
def test_densenet_is_a_backbone_where_monai_is_installed(variant: str) -> None:
    pytest.importorskip("monai")
    assert network(variant, backbone="densenet121", width=8)(*batch(2, 64, 64)).shape == (2, 5)


def test_densenet_without_monai_says_what_to_install() -> None:
    try:
        import monai  # noqa: F401
    except ImportError:
        with pytest.raises(GenomapError, match="pip install monai"):
            network("stacked", backbone="densenet121")
    else:
        pytest.skip("monai is installed")


@pytest.mark.parametrize("backbone", [b for b in BACKBONES if b != "densenet121"])
@pytest.mark.parametrize("width", [8, 16, 32])
@pytest.mark.parametrize("variant", ["late", "attention"])
def test_two_encoders_have_as_many_parameters_as_the_stacked_one(backbone: str, width: int, variant: str) -> None:
    spec = FusionSpec("stacked", 3, 2, (9, 8), 4, backbone, width)
    assert n_parameters(dataclasses.replace(spec, variant=variant)) == pytest.approx(n_parameters(spec), rel=0.03)


def test_the_count_of_parameters_is_that_of_the_network() -> None:
    for variant in VARIANTS:
        spec = dataclasses.replace(SPEC, variant=variant)
        assert n_parameters(spec) == sum(p.numel() for p in build_fusion(spec).parameters())
        assert matched(spec).variant == variant


@pytest.mark.parametrize(("variant", "blind_to"), [("image", 1), ("omics", 0)])
def test_a_network_of_one_kind_ignores_the_other_exactly(variant: str, blind_to: int) -> None:
    given = [t.requires_grad_() for t in batch()]
    network(variant)(*given).square().sum().backward()
    seen, unseen = given[1 - blind_to].grad, given[blind_to].grad
    assert seen is not None
    assert seen.abs().max() > 0
    assert unseen is None or unseen.abs().max() == 0


@pytest.mark.parametrize("variant", ["stacked", "late", "attention"])
def test_a_network_of_both_kinds_sees_both(variant: str) -> None:
    images, maps, present = batch()
    given = [images.requires_grad_(), maps.requires_grad_()]
    network(variant)(*given, present).square().sum().backward()
    for tensor in given:
        assert tensor.grad is not None
        assert (tensor.grad.abs().amax((2, 3)) > 0).all()


@pytest.mark.parametrize("variant", ["stacked", "omics", "late", "attention"])
def test_what_a_missing_type_holds_changes_nothing_but_its_absence_does(variant: str) -> None:
    images, maps, present = batch()
    net = network(variant)
    lacking = present.clone()
    lacking[:, 1] = 0
    other = maps.clone()
    other[:, 1] = 7.0
    assert torch.equal(net(images, maps, lacking), net(images, other, lacking))
    silent = maps.clone()
    silent[:, 1] = 0
    assert not torch.allclose(net(images, silent, lacking), net(images, silent, present))


@pytest.mark.parametrize("variant", VARIANTS)
def test_patients_of_a_batch_do_not_see_each_other(variant: str) -> None:
    images, maps, present = batch(3)
    net = network(variant)
    alone = torch.cat([net(images[i : i + 1], maps[i : i + 1], present[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(net(images, maps, present), alone)


def test_a_network_starts_as_its_linear_path() -> None:
    net = build_fusion(SPEC)
    assert net.linear is not None
    torch.nn.init.normal_(net.linear.weight)
    images, maps, present = batch()
    linear = net.linear(block_means(maps, SPEC.grid).flatten(1))
    torch.testing.assert_close(net(images, maps, present), linear)
    assert build_fusion(dataclasses.replace(SPEC, variant="image")).linear is None
    assert build_fusion(dataclasses.replace(SPEC, linear=False)).linear is None


def test_block_means_give_back_what_was_spread_in_blocks() -> None:
    cells = torch.randn(2, 3, 3, 4)
    rows, columns = torch.arange(16) * 3 // 16, torch.arange(18) * 4 // 18
    torch.testing.assert_close(block_means(cells[:, :, rows][..., columns], (3, 4)), cells)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variant": "magic"}, "Unknown variant 'magic'"),
        ({"backbone": "vgg"}, "Unknown backbone 'vgg'"),
        ({"image_channels": 0}, "needs images: choose 'omics'"),
        ({"dropout": 1.0}, "`dropout`"),
    ],
)
def test_what_can_not_be_built_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        dataclasses.replace(SPEC, **change)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_convolutions_that_see_the_image_are_known(variant: str) -> None:
    net = network(variant)
    trunk = net.image_trunk
    assert (trunk is None) == (variant == "omics")
    if trunk is not None:
        seen = []
        trunk.register_forward_hook(lambda module, given, out: seen.append(given[0].shape[1]))
        net(*batch())
        assert seen in ([2], [5])  # the image's channels, or all of them
