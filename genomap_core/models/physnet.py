"""PhysNet: an image network that sees an image only where a model of tumour growth has put tumour cells.

After Fisher-KPP reaction-diffusion inside a residual network (arXiv 2603.28057). Where in the network, the scheme and
the re-entry are our own choices. The last frame is the image's own time: earlier frames are the growth up to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomap_core.errors import InputError
from genomap_core.models.mobile import EfficientNetLite
from genomap_core.models.reaction_diffusion import GrowthScheme, evolve
from genomap_core.models.staged import Staged

SHORTEST_LENGTH = 1.5
"""Cells. Below about this sqrt(D / rho) the lattice, and not the equation, sets the speed of a front."""
N_SUMMARY = 6
_FIRST_DENSITY = -5.0
_VOLUME, _NO_VOLUME = 0.01, 5e-4
"""Mean density that speaks neither for nor against a tumour before training; what is added to the volume of none"""
_SLOPE = 2.0


@dataclass(frozen=True, slots=True)
class PhysicsConfig:
    """The growth model inside the network. Lengths are in cells of its grid, times in steps."""

    n_steps: int = 10
    """K. 0 turns the growth off and leaves every parameter in place: the matched control."""
    stage: int = 2
    """The features behind this stage of the network, 1 to 4, pass through the growth."""
    upscale: int = 2
    """Cells of the growth's grid for each cell of the features, in either direction."""
    fields: str = "scalar"
    """``scalar``: one D and one rho for an image; ``map``: one for each cell."""
    length_range: tuple[float, float] = (SHORTEST_LENGTH, 3.0)
    """sqrt(D / rho), at least :data:`SHORTEST_LENGTH`: finer fronts need a larger ``upscale``."""
    rate_range: tuple[float, float] = (0.15, 0.5)
    """rho. The unit of time is free with one image: the lower end makes every tumour grow, so that the growth, and not
    the first density, has to explain it."""
    clear: int = -1
    """Number of the class without a tumour: the logarithm of the last density's volume counts against it. -1: none."""
    method: str = "implicit"
    checkpointing: bool = False
    """Less memory for a third more time, where the grid is large."""

    def __post_init__(self) -> None:
        if not 1 <= self.stage <= 4 or self.upscale < 1:
            raise InputError(f"`stage` must be 1 to 4 and `upscale` >= 1, got {self.stage} and {self.upscale}.")
        if self.fields not in ("scalar", "map"):
            raise InputError(f'`fields` must be "scalar" or "map", got {self.fields!r}.')
        for name in ("length_range", "rate_range"):
            low, high = getattr(self, name)
            if not 0 < low < high:
                raise InputError(f"`{name}` must be two growing positive numbers, got {getattr(self, name)}.")
        if self.length_range[0] < SHORTEST_LENGTH:
            raise InputError(
                f"`length_range` starts at {self.length_range[0]:g} cells, where the grid and not the equation sets a "
                f"front's speed: start at {SHORTEST_LENGTH:g} or more, and raise `upscale` for finer fronts."
            )

    @property
    def diffusion_range(self) -> tuple[float, float]:
        """Smallest and largest D, cells^2 per step."""
        (short, long), (slow, fast) = self.length_range, self.rate_range
        return short**2 * slow, long**2 * fast

    @property
    def scheme(self) -> GrowthScheme:
        """The numerical scheme, for every D and rho within the ranges."""
        return GrowthScheme(
            n_steps=self.n_steps,
            method=self.method,
            max_diffusion=self.diffusion_range[1],
            max_rate=self.rate_range[1],
            checkpointing=self.checkpointing,
        )


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
    """Features -> first density, D and rho -> growth -> the features that the last density selects.

    ``u0 = sigmoid(conv1x1(f))``; sqrt(D / rho) and rho are bounded functions of the features under u0. What goes on is
    ``f u_K`` and the growth's summary, nothing else: where the density is zero the network is blind.

    **Shape**: ``(B, channels, h, w)`` -> a :class:`Growth` on ``(upscale h, upscale w)`` cells.
    """

    def __init__(self, channels: int, config: PhysicsConfig) -> None:
        super().__init__()
        self.config = config
        cells = config.upscale**2
        self.density = nn.Conv2d(channels, cells, 1)
        nn.init.constant_(self.density.bias, _FIRST_DENSITY)  # type: ignore[arg-type]
        if config.fields == "map":
            self.rates: nn.Module = nn.Conv2d(channels, 2 * cells, 1)
        else:
            self.rates = nn.Sequential(nn.Linear(channels, 32), nn.ReLU(), nn.Linear(32, 2))

    def grow(self, features: Tensor) -> Growth:
        """First density, D and rho of the features, and every frame; in full precision."""
        config = self.config
        with torch.autocast(features.device.type, enabled=False):
            f = features.float()
            u0 = torch.sigmoid(self._upscale(self.density(f)))[:, 0]
            z = self._rates(f, u0)
            rate = bounded(z[:, 1], *config.rate_range)
            diffusion = bounded(z[:, 0], *config.length_range) ** 2 * rate
            return Growth(evolve(u0, diffusion, rate, config.scheme), diffusion, rate)

    def _rates(self, f: Tensor, u0: Tensor) -> Tensor:
        if self.config.fields == "map":
            return self._upscale(self.rates(f))
        weight = self._downscale(u0.detach())
        inside = (f * weight).sum((2, 3)) / weight.sum((2, 3)).clamp_min(1e-6)
        return self.rates(inside)[..., None, None]

    def _upscale(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(x, self.config.upscale)

    def _downscale(self, u: Tensor) -> Tensor:
        """``(B, upscale h, upscale w)`` -> ``(B, 1, h, w)``"""
        return F.avg_pool2d(u[:, None], self.config.upscale)

    def select(self, features: Tensor, growth: Growth) -> Tensor:
        """The features under the last density: ``f u_K``."""
        return features * self._downscale(growth.frames[:, -1]).to(features.dtype)

    def summary(self, growth: Growth) -> Tensor:
        """The growth in :data:`N_SUMMARY` numbers, all 0 without a density: ``(B, 6)``.

        Volume and length of the front of the last frame, volume of the first, their difference, and the places of
        sqrt(D / rho) and rho in their ranges (-1 to 1), weighted with the volume's saturation.
        """
        first, last = growth.frames[:, 0], growth.frames[:, -1]
        volume, start = last.mean((1, 2)), first.mean((1, 2))
        front = 4 * (last * (1 - last)).mean((1, 2))
        there = volume / (volume + 0.01)
        length = place_in_range((growth.diffusion / growth.rate).sqrt(), self.config.length_range)
        rate = place_in_range(growth.rate, self.config.rate_range)
        return torch.stack(
            [10 * volume, 10 * front, 10 * start, 10 * (volume - start), there * length, there * rate], dim=1
        )


class PhysNet(nn.Module):
    """A network whose later stages see the features that a :class:`PhysicsLayer` selects.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, n_classes)`` logits; :meth:`observe` gives the growth too.
    """

    def __init__(self, backbone: Staged, physics: PhysicsConfig = PhysicsConfig()) -> None:
        super().__init__()
        self.backbone = backbone
        self.physics = PhysicsLayer(backbone.widths[physics.stage], physics)
        self.summary = nn.Linear(N_SUMMARY, backbone.n_classes, bias=False)
        nn.init.zeros_(self.summary.weight)
        if physics.clear >= backbone.n_classes:
            raise InputError(f"`clear` must be the number of one of {backbone.n_classes} classes, got {physics.clear}.")
        if physics.clear >= 0:
            self.presence = nn.Parameter(torch.tensor([0.0, _SLOPE]))

    def features(self, x: Tensor) -> Tensor:
        """What the growth is told from: the features behind its stage."""
        return self.backbone.until(x, self.physics.config.stage)

    def classify(self, features: Tensor, growth: Growth) -> Tensor:
        """Logits of features under any growth: the image's own, or another in its place."""
        selected = self.physics.select(features, growth)
        logits = self.backbone.since(selected, self.physics.config.stage)
        logits = logits + self.summary(self.physics.summary(growth).to(logits.dtype))
        if self.physics.config.clear < 0:
            return logits
        volume = growth.frames[:, -1].mean((1, 2))
        none = self.presence[0] - self.presence[1] * ((volume + _NO_VOLUME) / _VOLUME).log()
        clear = torch.arange(logits.shape[1], device=logits.device) == self.physics.config.clear
        return logits + torch.where(clear, none[:, None], 0)

    def observe(self, x: Tensor) -> tuple[Tensor, Growth]:
        """Logits and what the growth model did."""
        features = self.features(x)
        growth = self.physics.grow(features)
        return self.classify(features, growth), growth

    def forward(self, x: Tensor) -> Tensor:
        return self.observe(x)[0]

    def adopt(self, weights: Mapping[str, Tensor]) -> None:
        """Start from published weights, see :meth:`EfficientNetLite.adopt`.

        Raises
        ------
        InputError
            The weights are those of another network, or this one is no EfficientNet-Lite0.
        """
        if not isinstance(self.backbone, EfficientNetLite):
            raise InputError("A ResNet can't start from published weights here: choose an EfficientNet-Lite0.")
        self.backbone.adopt(weights)
        # Published features are large: a random density would fill the head or leave it from the first step on.
        nn.init.zeros_(self.physics.density.weight)


def place_in_range(values: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Mean place of ``(B, h, w)`` values in a range, in the logarithm: -1 its lower end, 1 its upper end."""
    low, high = torch.tensor(bounds, dtype=torch.float64).log().tolist()
    return ((values.log() - (low + high) / 2) / ((high - low) / 2)).mean((1, 2))
