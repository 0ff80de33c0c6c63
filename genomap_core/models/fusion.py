"""Images and omics maps in one network: stacked, one alone, late fusion, cross-attention. One interface for all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from genomap_core.data.images.networks import BACKBONES, VARIANTS
from genomap_core.errors import InputError
from genomap_core.models.fusion_parts import CrossAttention, Encoder, Tokens, block_means, build_trunk

SHARE = 0.25
"""Scale at which omics maps enter the convolutions: at full scale they drown the image in a common first layer, and are
learnt by heart. The linear path sees them whole."""


@dataclass(frozen=True, slots=True)
class FusionSpec:
    """Enough to build a network again."""

    variant: str
    image_channels: int
    omics_types: int
    grid: tuple[int, int]
    """Cells of the omics maps: each covers a block of pixels"""
    n_classes: int
    backbone: str = "small"
    width: int = 16
    """Channels of the trunk's first layer; 64 as published for ResNet and DenseNet. Two encoders: narrower"""
    hidden: int = 64
    """Units of its dense layer"""
    dropout: float = 0.3
    linear: bool = True
    """A linear path over the omics cells beside the convolutions, in every variant that has omics"""
    n_slices: int = 1
    """Of the image's channels, for a backbone in 3-D"""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise InputError(f"Unknown variant {self.variant!r}: choose one of {', '.join(VARIANTS)}.")
        if self.backbone not in BACKBONES:
            raise InputError(f"Unknown backbone {self.backbone!r}: choose one of {', '.join(BACKBONES)}.")
        if self.image_channels < 1 and self.variant != "omics":
            raise InputError(f"The variant {self.variant!r} needs images: choose 'omics' for a cohort without them.")
        if self.width < 1 or self.hidden < 1 or not 0 <= self.dropout < 1:
            raise InputError("`width` and `hidden` must be >= 1 and `dropout` in [0, 1).")


class FusionNet(nn.Module):
    """``logits = f(images, maps) + W maps + b``: a convolutional body beside a linear path over the omics cells.

    Maps of a type a patient lacks are silenced, and an indicator beside the features says so (as planes beside the
    channels it would shift what the convolutions make of the image). The last layer of ``f`` starts at zero: a network
    with omics starts as its linear path.

    **Shape**: images ``(B, c, H, W)``, maps ``(B, t, H, W)``, present ``(B, t)`` of 0 and 1 -> ``(B, C)`` logits; any
    height and width.
    """

    def __init__(self, body: nn.Module, n_features: int, spec: FusionSpec) -> None:
        super().__init__()
        self.body = body
        self.grid = spec.grid
        self.dropout = nn.Dropout(spec.dropout)
        self.indicators = 0 if spec.variant == "image" else spec.omics_types
        self.out = nn.Linear(n_features + self.indicators, spec.n_classes)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.linear: nn.Linear | None = None
        if spec.linear and spec.variant != "image":
            self.linear = nn.Linear(spec.omics_types * math.prod(spec.grid), spec.n_classes)
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

    def forward(self, images: Tensor, maps: Tensor, present: Tensor) -> Tensor:
        shown = maps * present[:, :, None, None].to(maps)
        features = self.dropout(self.body(images, SHARE * shown))
        lacking = 1 - present[:, : self.indicators].to(features)
        logits = self.out(torch.cat([features, lacking], dim=1))
        if self.linear is not None:
            logits = logits + self.linear(block_means(shown, self.grid).flatten(1))
        return logits

    @property
    def image_trunk(self) -> nn.Module | None:
        """The convolutions that see the image; None where none does."""
        if isinstance(self.body, Late | Attention):
            return self.body.of_images.trunk
        if isinstance(self.body, Single) and not self.body.of_images:
            return None
        return self.body.encoder.trunk  # type: ignore[union-attr, return-value]


def _trunk(spec: FusionSpec, images: bool = True, omics: bool = True) -> nn.Module:
    channels = (spec.image_channels * images, spec.omics_types * omics)
    return build_trunk(spec.backbone, *channels, spec.n_slices, spec.width)


class Stacked(nn.Module):
    """All channels into one standard CNN.

    **Shape**: ``(B, c, H, W)``, ``(B, t, H, W)`` -> ``(B, hidden)``.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.encoder = Encoder(_trunk(spec), spec.hidden, spec.dropout)

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        return self.encoder(torch.cat([images, maps], dim=1))


class Single(nn.Module):
    """One kind of channels into the same CNN; the other is not looked at.

    **Shape**: as :class:`Stacked`.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.of_images = spec.variant == "image"
        trunk = _trunk(spec, images=self.of_images, omics=not self.of_images)
        self.encoder = Encoder(trunk, spec.hidden, spec.dropout)

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        return self.encoder(images if self.of_images else maps)


class Late(nn.Module):
    """A narrower CNN for each kind; their features side by side.

    **Shape**: ``(B, c, H, W)``, ``(B, t, H, W)`` -> ``(B, 2 hidden)``.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        self.of_images = Encoder(_trunk(spec, omics=False), spec.hidden, spec.dropout)
        self.of_omics = Encoder(_trunk(spec, images=False), spec.hidden, spec.dropout)

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        return torch.cat([self.of_images(images), self.of_omics(maps)], dim=1)


class Attention(nn.Module):
    """Image tokens ask omics tokens and the reverse; mean and maximum over the tokens of each kind.

    **Shape**: ``(B, c, H, W)``, ``(B, t, H, W)`` -> ``(B, hidden)``.
    """

    def __init__(self, spec: FusionSpec) -> None:
        super().__init__()
        size = 4 * spec.width
        self.of_images = Tokens(_trunk(spec, omics=False), size)
        self.of_omics = Tokens(_trunk(spec, images=False), size)
        self.to_images, self.to_omics = CrossAttention(size), CrossAttention(size)
        self.dropout = nn.Dropout(spec.dropout)
        self.hidden = nn.Linear(4 * size, spec.hidden)
        self.relu = nn.ReLU()

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        seen, known = self.of_images(images), self.of_omics(maps)
        both = (self.to_images(seen, known), self.to_omics(known, seen))
        pooled = torch.cat([f(1) for tokens in both for f in (tokens.mean, tokens.amax)], dim=1)
        return self.relu(self.hidden(self.dropout(pooled)))


_BODIES = {"stacked": Stacked, "image": Single, "omics": Single, "late": Late, "attention": Attention}


def build_fusion(spec: FusionSpec) -> FusionNet:
    """The network with random weights from torch's current seed.

    Variants with two encoders are made narrower, until they have as many parameters as the stacked one.
    """
    return _build(matched(spec))


def n_parameters(spec: FusionSpec) -> int:
    """How many numbers the network of :func:`build_fusion` learns."""
    return _count(matched(spec))


@lru_cache
def matched(spec: FusionSpec) -> FusionSpec:
    """``width`` and ``hidden`` with which the variant has about as many parameters as the stacked one."""
    if spec.variant not in ("late", "attention"):
        return spec
    target = _count(replace(spec, variant="stacked"))
    narrow, wide = 1, spec.width + 1  # the widest that stays below the target lies in [narrow, wide)
    while wide - narrow > 1:
        middle = (narrow + wide) // 2
        narrow, wide = (middle, wide) if _count(replace(spec, width=middle)) <= target else (narrow, middle)
    return min((_with_hidden(replace(spec, width=w), target) for w in (narrow, narrow + 1)), key=lambda t: t[0])[1]


def _with_hidden(spec: FusionSpec, target: int) -> tuple[tuple[bool, float], FusionSpec]:
    """The dense layer with which a width comes closest to ``target``, and how far it is from what is wished."""
    least = _count(replace(spec, hidden=1))
    slope = _count(replace(spec, hidden=2)) - least
    hidden = max(1, round((target - least) / slope) + 1)
    error = abs(least + slope * (hidden - 1) - target) / target
    return (error > 0.02, abs(math.log(hidden / spec.hidden))), replace(spec, hidden=hidden)


def _build(spec: FusionSpec) -> FusionNet:
    return FusionNet(_BODIES[spec.variant](spec), spec.hidden * (2 if spec.variant == "late" else 1), spec)


def _count(spec: FusionSpec) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in _build(spec).parameters())
