"""PhysNet: a ResNet whose features pass through a model of tumour growth.

After Fisher-KPP reaction-diffusion inside a residual network (arXiv 2603.28057). Where in the network, the scheme and
the re-entry are our own choices. The last frame is the image's own time: earlier frames are the growth up to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomap_core.errors import InputError
from genomap_core.models.reaction_diffusion import GrowthScheme, evolve
from genomap_core.models.resnet import ResNet


@dataclass(frozen=True, slots=True)
class PhysicsConfig:
    """The growth model inside the network. Lengths are in cells of its grid, times in steps."""

    n_steps: int = 20
    """K. 0 turns the growth off and leaves every parameter in place: the matched control."""
    stage: int = 2
    """The features behind this stage of the ResNet, 1 to 4, pass through the growth."""
    upscale: int = 2
    """Cells of the growth's grid for each cell of the features, in either direction."""
    fields: str = "scalar"
    """``scalar``: one D and one rho for an image; ``map``: one for each cell."""
    diffusion_range: tuple[float, float] = (0.01, 0.5)
    rate_range: tuple[float, float] = (0.15, 0.6)
    """The unit of time is free with one image: the lower end makes every tumour grow at least e^3-fold in 20 steps, so
    that the growth, and not the first density, has to explain it."""
    n_views: int = 3
    """Frames that re-enter the ResNet, evenly spaced from the first to the last."""
    method: str = "explicit"
    checkpointing: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.stage <= 4 or self.upscale < 1 or self.n_views < 1:
            raise InputError(
                f"`stage` must be 1 to 4, `upscale` and `n_views` >= 1, got {self.stage}, {self.upscale}, "
                f"{self.n_views}."
            )
        if self.fields not in ("scalar", "map"):
            raise InputError(f'`fields` must be "scalar" or "map", got {self.fields!r}.')
        for name in ("diffusion_range", "rate_range"):
            low, high = getattr(self, name)
            if not 0 < low < high:
                raise InputError(f"`{name}` must be two growing positive numbers, got {getattr(self, name)}.")

    @property
    def scheme(self) -> GrowthScheme:
        """The numerical scheme, stable for every D and rho within the ranges."""
        return GrowthScheme(
            n_steps=self.n_steps,
            method=self.method,
            max_diffusion=self.diffusion_range[1],
            max_rate=self.rate_range[1],
            checkpointing=self.checkpointing,
        )

    @property
    def views(self) -> list[int]:
        """Numbers of the frames that re-enter."""
        return torch.linspace(0, self.n_steps, self.n_views).round().int().tolist()


class Growth(NamedTuple):
    """What the growth model inside the network did."""

    frames: Tensor
    """``(B, n_steps + 1, h, w)`` densities in [0, 1]; the last one belongs to the image."""
    diffusion: Tensor
    """D in cells^2 per step, ``(B, 1, 1)`` or ``(B, h, w)``."""
    rate: Tensor
    """rho per step, of the same shape."""


def bounded(z: Tensor, low: float, high: float) -> Tensor:
    """Any number -> (low, high), evenly in the logarithm: ``low (high / low)^(1 - exp(-softplus(z)))``."""
    return low * (high / low) ** (1 - torch.exp(-F.softplus(z)))


class PhysicsLayer(nn.Module):
    """Features -> first density, D and rho -> growth -> features.

    ``u0 = sigmoid(conv1x1(f))``; D and rho are bounded functions of the features. The densities of ``n_views`` frames
    gate the features, ``f (1 + tanh(conv1x1(u)))``, and are put beside them: ``conv1x1([f, u])``. At its start the
    layer gives back its input.

    **Shape**: ``(B, channels, h, w)`` -> the same, and a :class:`Growth` on ``(upscale h, upscale w)`` cells.
    """

    def __init__(self, channels: int, config: PhysicsConfig) -> None:
        super().__init__()
        self.config = config
        cells = config.upscale**2
        self.density = nn.Conv2d(channels, cells, 1)
        nn.init.constant_(self.density.bias, -8.0)  # type: ignore[arg-type]
        if config.fields == "map":
            self.rates: nn.Module = nn.Conv2d(channels, 2 * cells, 1)
        else:
            self.rates = nn.Sequential(nn.Linear(2 * channels, 32), nn.ReLU(), nn.Linear(32, 2))
        views = config.n_views * cells
        self.gate = nn.Conv2d(views, channels, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)  # type: ignore[arg-type]
        self.fuse = nn.Conv2d(channels + views, channels, 1, bias=False)
        nn.init.zeros_(self.fuse.weight)
        with torch.no_grad():
            self.fuse.weight[:, :channels, 0, 0] = torch.eye(channels)

    def grow(self, features: Tensor) -> Growth:
        """First density, D and rho of the features, and every frame; in full precision."""
        config = self.config
        with torch.autocast(features.device.type, enabled=False):
            f = features.float()
            u0 = torch.sigmoid(self._upscale(self.density(f)))[:, 0]
            z = self._rates(f, u0)
            diffusion = bounded(z[:, 0], *config.diffusion_range)
            rate = bounded(z[:, 1], *config.rate_range)
            return Growth(evolve(u0, diffusion, rate, config.scheme), diffusion, rate)

    def _rates(self, f: Tensor, u0: Tensor) -> Tensor:
        if self.config.fields == "map":
            return self._upscale(self.rates(f))
        weight = F.avg_pool2d(u0.detach()[:, None], self.config.upscale)
        inside = (f * weight).sum((2, 3)) / weight.sum((2, 3)).clamp_min(1e-6)
        return self.rates(torch.cat([f.mean((2, 3)), inside], dim=1))[..., None, None]

    def _upscale(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(x, self.config.upscale)

    def forward(self, features: Tensor) -> tuple[Tensor, Growth]:
        growth = self.grow(features)
        seen = F.pixel_unshuffle(growth.frames[:, self.config.views], self.config.upscale).to(features.dtype)
        gated = features * (1 + torch.tanh(self.gate(seen)))
        return self.fuse(torch.cat([gated, seen], dim=1)), growth


class PhysNet(nn.Module):
    """A ResNet with a :class:`PhysicsLayer` behind one of its stages.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, n_classes)`` logits; :meth:`observe` gives the growth too.
    """

    def __init__(
        self,
        in_channels: int,
        n_classes: int,
        *,
        depth: int = 18,
        width: int = 64,
        stem_stride: int = 4,
        physics: PhysicsConfig = PhysicsConfig(),
    ) -> None:
        super().__init__()
        self.backbone = ResNet(in_channels, n_classes, depth=depth, width=width, stem_stride=stem_stride)
        self.physics = PhysicsLayer(self.backbone.channels(physics.stage), physics)

    def observe(self, x: Tensor) -> tuple[Tensor, Growth]:
        """Logits and what the growth model did."""
        stage = self.physics.config.stage
        features, growth = self.physics(self.backbone.until(x, stage))
        return self.backbone.since(features, stage), growth

    def forward(self, x: Tensor) -> Tensor:
        return self.observe(x)[0]
