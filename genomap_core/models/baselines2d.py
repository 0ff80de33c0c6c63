"""Image classifiers that PhysNet is compared with: VGG here, and all of them by name."""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from genomap_core.data.images.networks import NETWORKS
from genomap_core.errors import InputError
from genomap_core.models.mobile import EfficientNetLite, MobileNetV2
from genomap_core.models.physnet import PhysicsConfig, PhysNet
from genomap_core.models.resnet import ResNet
from genomap_core.models.staged import Staged

_VGG = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_VGG_CHANNELS = (64, 128, 256, 512, 512)


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
    """The network of this name, see :data:`NETWORKS`; ``stem_stride`` concerns the ResNets, which alone have it.

    ``width`` does not concern EfficientNet-Lite0, ``physics`` concerns the networks with a growth layer.
    """
    if name not in NETWORKS:
        raise InputError(f"Unknown network {name!r}: choose one of {', '.join(NETWORKS)}.")
    if name == "mobilenet_v2":
        return MobileNetV2(in_channels, n_classes, width=width)
    plain = name.removesuffix("_matched")
    if name.startswith("vgg"):
        return VGG(in_channels, n_classes, depth=int(name[-2:]), width=width)
    backbone: Staged
    if "lite" in name:
        backbone = EfficientNetLite(in_channels, n_classes)
    else:
        backbone = ResNet(in_channels, n_classes, depth=int(plain[-2:]), width=width, stem_stride=stem_stride)
    if plain == name and not name.startswith("physnet"):
        return backbone
    return PhysNet(backbone, dataclasses.replace(physics, n_steps=0) if plain != name else physics)
