"""Image classifiers that PhysNet is compared with: MobileNetV2 and VGG, and all of them by name."""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from genomap_core.data.images.networks import NETWORKS
from genomap_core.errors import InputError
from genomap_core.models.physnet import PhysicsConfig, PhysNet
from genomap_core.models.resnet import ResNet

# Of each stage: expansion, channels at width 64, blocks, stride (Sandler et al., CVPR 2018, table 2; stem 32).
_MOBILE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_VGG = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_VGG_CHANNELS = (64, 128, 256, 512, 512)


class InvertedResidual(nn.Module):
    """Expand by 1 x 1, convolve each channel by 3 x 3, project by 1 x 1; shortcut where the shape allows.

    **Shape**: ``(B, c_in, H, W)`` -> ``(B, c_out, ceil(H / stride), ceil(W / stride))``.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = c_in * expansion
        layers = [] if expansion == 1 else _convolution(c_in, hidden, 1)
        layers += _convolution(hidden, hidden, 3, stride, groups=hidden)
        layers += [nn.Conv2d(hidden, c_out, 1, bias=False), nn.BatchNorm2d(c_out)]
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.shortcut else self.layers(x)


class MobileNetV2(nn.Module):
    """Inverted residuals (Sandler et al., CVPR 2018).

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, n_classes)`` logits. ``width`` 64 is the published network; others
    scale its channels.
    """

    def __init__(self, in_channels: int, n_classes: int, *, width: int = 64, dropout: float = 0.2) -> None:
        super().__init__()
        scale = width / 64
        c_in, c_last = _scaled(32, scale), _scaled(1280, min(1.0, scale))
        layers = _convolution(in_channels, c_in, 3, 2)
        for expansion, channels, n_blocks, stride in _MOBILE:
            c_out = _scaled(channels, scale)
            for k in range(n_blocks):
                layers.append(InvertedResidual(c_in, c_out, stride if k == 0 else 1, expansion))
                c_in = c_out
        self.features = nn.Sequential(*layers, *_convolution(c_in, c_last, 1))
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(c_last, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.features(x).mean((2, 3)))


class VGG(nn.Module):
    """VGG16 and VGG19 with batch normalisation (Simonyan & Zisserman, ICLR 2015).

    The mean over the image stands where the published network flattens 7 x 7 cells into two layers of 4,096: any
    image size fits, and its 120 million weights there are gone. A side under 32 px is pooled no further than 1.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, n_classes)`` logits.
    """

    def __init__(
        self, in_channels: int, n_classes: int, *, depth: int = 16, width: int = 64, dropout: float = 0.5
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        c_in = in_channels
        for n_layers, channels in zip(_VGG[depth], _VGG_CHANNELS):
            c_out = max(1, channels * width // 64)
            for _ in range(n_layers):
                layers += [nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
                c_in = c_out
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.out = nn.Sequential(nn.Linear(c_in, c_in), nn.ReLU(), nn.Dropout(dropout), nn.Linear(c_in, n_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.features(x).mean((2, 3)))


def build_network(
    name: str,
    in_channels: int,
    n_classes: int,
    *,
    width: int = 64,
    stem_stride: int = 4,
    physics: PhysicsConfig = PhysicsConfig(),
) -> nn.Module:
    """The network of this name, see :data:`NETWORKS`; ``stem_stride`` and ``physics`` concern the ResNets."""
    if name not in NETWORKS:
        raise InputError(f"Unknown network {name!r}: choose one of {', '.join(NETWORKS)}.")
    if name == "mobilenet_v2":
        return MobileNetV2(in_channels, n_classes, width=width)
    depth = int(name.removesuffix("_matched")[-2:])
    if name.startswith("vgg"):
        return VGG(in_channels, n_classes, depth=depth, width=width)
    if name == f"resnet{depth}":
        return ResNet(in_channels, n_classes, depth=depth, width=width, stem_stride=stem_stride)
    if name.endswith("_matched"):
        physics = dataclasses.replace(physics, n_steps=0)
    return PhysNet(in_channels, n_classes, depth=depth, width=width, stem_stride=stem_stride, physics=physics)


def _convolution(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(c_out), nn.ReLU6()]


def _scaled(channels: int, scale: float) -> int:
    """Channels times scale, to a multiple of 8 that is no more than a tenth smaller."""
    c = max(8, int(channels * scale + 4) // 8 * 8)
    return c + 8 if c < 0.9 * channels * scale else c
