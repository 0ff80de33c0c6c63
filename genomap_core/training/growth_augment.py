"""Training images as another scanner might have made them. Tensors in, tensors out.

The collections of brain MRI take each class from a hospital of its own: what tells the hospitals apart (sharpness,
shading, contrast, the crop of the head) is varied here, so that it tells no class. Images are those of
:func:`genomap_core.data.images.hygiene.normalise`: mean 0 and standard deviation 1 inside the head, 0 outside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Shift:
    """How far images are moved away from their own scanner; 0 everywhere leaves them as they are."""

    degrees: float = 15.0
    """Largest rotation"""
    zoom: float = 0.2
    """Largest share by which a side is stretched or shrunk"""
    move: float = 0.08
    """Largest displacement, as a share of the image's side"""
    ranked: float = 0.3
    """Share of the images whose grey values are replaced by their ranks"""
    gamma: float = 0.6
    """Largest logarithm of the exponent that grey values are raised to"""
    shading: float = 0.4
    """Largest standard deviation of the logarithm of a smooth field over the head (coil sensitivity)"""
    coarsest: float = 0.45
    """Smallest share of its resolution that an image keeps"""
    noise: float = 0.2
    """Largest standard deviation of noise, in standard deviations of the head"""

    def __call__(self, x: Tensor, masks: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Images ``(B, c, H, W)`` and their masks ``(B, H, W)``, changed in the same place and way."""
        x, masks = self._place(x, masks, generator)
        return self._appearance(x, generator), masks

    def _place(self, x: Tensor, masks: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        n = len(x)
        angle = math.radians(self.degrees) * _signed(n, generator)
        scales = 1 + self.zoom * _signed(2 * n, generator).view(n, 2)
        flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
        cos, sin = torch.cos(angle), torch.sin(angle)
        move = 2 * self.move * _signed(2 * n, generator).view(n, 2)
        rows = [
            torch.stack([flip * cos * scales[:, 0], -sin * scales[:, 1], move[:, 0]], 1),
            torch.stack([flip * sin * scales[:, 0], cos * scales[:, 1], move[:, 1]], 1),
        ]
        grid = F.affine_grid(torch.stack(rows, 1).to(x), list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, align_corners=False)
        if masks is not None:
            # A row of NaN, an image without mask, stays one.
            masks = F.grid_sample(masks[:, None], grid, align_corners=False)[:, 0]
        return x, masks

    def _appearance(self, x: Tensor, generator: torch.Generator) -> Tensor:
        n, device = len(x), x.device
        head = (x != 0).to(x.dtype)

        def each(values: Tensor) -> Tensor:
            return values.view(n, 1, 1, 1).to(device)

        low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        grey = (x - low) / (high - low).clamp_min(1e-6)
        ranked = torch.rand(n, generator=generator) < self.ranked
        if ranked.any():
            grey[ranked.to(device)] = ranks(grey[ranked.to(device)], head[ranked.to(device)])
        grey = grey.clamp_min(1e-4) ** torch.exp(self.gamma * each(_signed(n, generator)))
        coarse = torch.randn((n, 1, 4, 4), generator=generator).to(x)
        field = F.interpolate(coarse, size=x.shape[2:], mode="bicubic", align_corners=False)
        grey = grey * torch.exp(self.shading * each(torch.rand(n, generator=generator)) * field)
        keep = self.coarsest + (1 - self.coarsest) * float(torch.rand((), generator=generator))
        small = [max(8, round(keep * s)) for s in x.shape[2:]]
        blurred = F.interpolate(
            F.interpolate(grey, size=small, mode="bilinear", antialias=True), size=x.shape[2:], mode="bilinear"
        )
        grey = torch.where(each(torch.rand(n, generator=generator) < 0.6), blurred, grey)
        level = self.noise * each(torch.rand(n, generator=generator) ** 2)
        scaled = standardise(grey, head)
        return standardise(scaled + level * torch.randn(x.shape, generator=generator).to(x), head)


def ranks(grey: Tensor, head: Tensor) -> Tensor:
    """Each grey value's rank inside the head, 0 to 1: ``(B, c, H, W)``."""
    flat = torch.where(head > 0, grey, -1.0).flatten(2)
    order = flat.argsort(2).argsort(2).to(grey.dtype)
    outside = (head == 0).flatten(2).sum(2, keepdim=True)
    inside = (head.flatten(2).sum(2, keepdim=True) - 1).clamp_min(1)
    return ((order - outside) / inside).clamp(0, 1).view(grey.shape)


def standardise(x: Tensor, head: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 inside the head, 0 outside."""
    count = head.sum((2, 3), keepdim=True).clamp_min(1)
    mean = (x * head).sum((2, 3), keepdim=True) / count
    variance = ((x - mean).square() * head).sum((2, 3), keepdim=True) / count
    return (x - mean) / variance.sqrt().clamp_min(1e-6) * head


def _signed(n: int, generator: torch.Generator) -> Tensor:
    """``(n,)`` even in [-1, 1]."""
    return 2 * torch.rand(n, generator=generator) - 1
