"""What the fusion networks are put together from: convolutional trunks, heads, cross-attention, a linear path."""

from __future__ import annotations

import importlib

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomap_core.errors import GenomapError
from genomap_core.models.resnet import ResNet

COARSE, TOKENS = 2, 4
"""Sides of the grids that features are pooled to: for a dense layer, and for attention."""


class SmallTrunk(nn.Sequential):
    """Three 3 x 3 convolutions of stride 2 with batch normalisation: for cohorts of tens to hundreds.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, 4 width, ceil(H / 8), ceil(W / 8))``.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        layers: list[nn.Module] = []
        for k, c_in in enumerate((in_channels, width, 2 * width)):
            c_out = width * 2**k
            layers += [nn.Conv2d(c_in, c_out, 3, 2, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
        super().__init__(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        self.out_channels = 4 * width


class VolumeTrunk(nn.Module):
    """:class:`SmallTrunk` in 3-D: slices are the depth of a volume, omics maps lie at every depth; mean over the depth.

    **Shape**: ``(B, n_slices * c + t, H, W)``, the slices one after the other, then the maps ->
    ``(B, 4 width, ceil(H / 8), ceil(W / 8))``.
    """

    def __init__(self, image_channels: int, omics_types: int, n_slices: int, width: int) -> None:
        super().__init__()
        self.of_images, self.n_slices = image_channels, n_slices
        layers: list[nn.Module] = []
        for k, c_in in enumerate((image_channels // n_slices + omics_types, width, 2 * width)):
            c_out = width * 2**k
            layers += [nn.Conv3d(c_in, c_out, 3, 2, 1, bias=False), nn.BatchNorm3d(c_out), nn.ReLU()]
            nn.init.kaiming_normal_(layers[-3].weight, nonlinearity="relu")  # type: ignore[arg-type]
        self.layers = nn.Sequential(*layers)
        self.out_channels = 4 * width

    def forward(self, x: Tensor) -> Tensor:
        volume = x[:, : self.of_images].unflatten(1, (self.n_slices, -1)).transpose(1, 2)
        maps = x[:, self.of_images :, None].expand(-1, -1, self.n_slices, -1, -1)
        return self.layers(torch.cat([volume, maps], dim=1)).mean(2)


class ResNetTrunk(nn.Module):
    """The stages of :class:`genomap_core.models.resnet.ResNet` of depth 18, stem of stride 2.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, 8 width, ceil(H / 16), ceil(W / 16))``.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.network = ResNet(in_channels, 1, depth=18, width=width, stem_stride=2)
        self.network.out = nn.Identity()
        self.out_channels = self.network.widths[4]

    def forward(self, x: Tensor) -> Tensor:
        return self.network.until(x, 4)


class DenseNetTrunk(nn.Module):
    """The features of MONAI's DenseNet-121; ``width`` 64 is the published network, its growth is half the width.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, f, about H / 32, about W / 32)``, sides of 32 pixels at least.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        network = _monai_networks().DenseNet121(
            spatial_dims=2,
            in_channels=in_channels,
            out_channels=1,
            init_features=width,
            growth_rate=max(1, width // 2),
        )
        self.features: nn.Module = network.features
        self.out_channels = int(network.class_layers.out.in_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).relu()


def _monai_networks():  # type: ignore[no-untyped-def]
    try:
        return importlib.import_module("monai.networks.nets")
    except ImportError as error:
        raise GenomapError(
            f"The backbone densenet121 needs the `monai` package ({error}): pip install monai, or choose resnet18."
        ) from error


_TRUNKS: dict[str, type[nn.Module]] = {"small": SmallTrunk, "resnet18": ResNetTrunk, "densenet121": DenseNetTrunk}


def build_trunk(backbone: str, image_channels: int, omics_types: int, n_slices: int, width: int) -> nn.Module:
    """The convolutions over so many channels of images (0: none) and of omics maps (0: none)."""
    if backbone == "small3d" and image_channels:
        return VolumeTrunk(image_channels, omics_types, n_slices, width)
    return _TRUNKS["small" if backbone == "small3d" else backbone](image_channels + omics_types, width)


class Pooling(nn.Module):
    """Where and how much: means over a coarse grid, beside mean, deviation and maximum over the whole, normalised.

    Textures are told by the latter from few images; on omics maps a place carries meaning.

    **Shape**: ``(B, f, H, W)`` -> ``(B, 7 f)``.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.out_features = n_channels * (COARSE**2 + 3)
        self.norm = nn.BatchNorm1d(self.out_features)

    def forward(self, x: Tensor) -> Tensor:
        deviation = (x.var((2, 3), correction=0) + 1e-6).sqrt()
        coarse = F.adaptive_avg_pool2d(x, COARSE).flatten(1)
        return self.norm(torch.cat([coarse, x.mean((2, 3)), deviation, x.amax((2, 3))], dim=1))


class Encoder(nn.Module):
    """A trunk, pooled and flattened into one dense layer.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, hidden)``; any height and width that the trunk takes.
    """

    def __init__(self, trunk: nn.Module, hidden: int, dropout: float) -> None:
        super().__init__()
        self.trunk = trunk
        self.pooling = Pooling(self.trunk.out_channels)  # type: ignore[arg-type]
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(self.pooling.out_features, hidden)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.hidden(self.dropout(self.pooling(self.trunk(x)))))


class Tokens(nn.Module):
    """A trunk whose coarse grid (mean and maximum of each cell) becomes tokens, each with a learned mark of its place.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, 16, size)``.
    """

    def __init__(self, trunk: nn.Module, size: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.project = nn.Linear(2 * self.trunk.out_channels, size)  # type: ignore[operator, arg-type]
        self.place = nn.Parameter(0.02 * torch.randn(TOKENS**2, size))

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(x)
        cells = [pool(features, TOKENS).flatten(2).mT for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)]
        return self.project(torch.cat(cells, dim=2)) + self.place


class CrossAttention(nn.Module):
    """Tokens of one kind ask those of the other, beside a shortcut (Vaswani et al., NeurIPS 2017).

    **Shape**: ``(B, k, size)``, ``(B, l, size)`` -> ``(B, k, size)``.
    """

    def __init__(self, size: int, n_heads: int = 4) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(size, n_heads, batch_first=True)
        self.norm = nn.LayerNorm(size)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        return self.norm(own + self.attention(own, other, other, need_weights=False)[0])


def block_means(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Mean of every cell's block of pixels: ``(B, t, H, W)`` -> ``(B, t, *grid)``; pixel ``i`` lies in ``i g // H``."""
    rows, columns = (_averages(side, cells, maps) for side, cells in zip(maps.shape[2:], grid))
    return rows @ maps @ columns.mT


def _averages(side: int, cells: int, like: Tensor) -> Tensor:
    """``(cells, side)``: each row averages the pixels of its cell."""
    cell = torch.arange(side, device=like.device) * cells // side
    member = (cell[None] == torch.arange(cells, device=like.device)[:, None]).to(like.dtype)
    return member / member.sum(1, keepdim=True).clamp_min(1)
