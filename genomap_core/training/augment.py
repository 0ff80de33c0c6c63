"""Noise, mixup, mirrors and shifts: what a batch of maps or images may look like on another day."""

from __future__ import annotations

import torch
from torch import Tensor


def add_noise(x: Tensor, level: float, mask: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian noise on the cells of ``mask``: each sample draws its own strength between 0 and ``level``.

    ``x`` ``(B, c, H, W)`` in standard deviations; ``mask`` ``(c, H, W)`` of 0 and 1.
    """
    if level <= 0:
        return x
    strength = level * torch.rand((len(x), 1, 1, 1), generator=generator, device=x.device)
    return x + strength * torch.randn(x.shape, generator=generator, device=x.device) * mask


def mixup(x: Tensor, target: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Convex combinations of pairs of samples and of their targets ``(B, n_classes)`` (Zhang et al., ICLR 2018).

    The weight is Beta(alpha, alpha), one for each pair.
    """
    if alpha <= 0 or len(x) < 2:
        return x, target
    # Beta from two gammas: torch's Beta takes no generator, its gamma sampler does.
    shape = torch.full((2, len(x)), float(alpha))
    gammas = torch._standard_gamma(shape, generator=_cpu_twin(generator)).clamp_min(1e-12).to(x.device)
    weight = gammas[0] / gammas.sum(dim=0)
    partner = torch.randperm(len(x), generator=generator, device=x.device)
    w = weight.view(-1, 1, 1, 1)
    return w * x + (1 - w) * x[partner], weight.view(-1, 1) * target + (1 - weight.view(-1, 1)) * target[partner]


def vary_images(x: Tensor, noise: float, mirror: bool, shift: float, generator: torch.Generator) -> Tensor:
    """Images ``(B, c, H, W)`` mirrored left to right, moved, scaled in contrast and noisy, each by its own chance.

    ``noise`` is its highest standard deviation, ``shift`` the largest move as a share of the side. The generator is of
    the CPU, wherever the images lie.
    """
    n, _, height, width = x.shape
    if not x.numel():
        return x
    rows, columns = (_moved(n, side, shift, generator) for side in (height, width))
    if mirror:
        turned = torch.rand((n, 1), generator=generator) < 0.5
        columns = torch.where(turned, columns.flip(1), columns)
    each = torch.arange(n)[:, None, None]
    moved = x[each.to(x.device), :, rows[:, :, None].to(x.device), columns[:, None].to(x.device)].permute(0, 3, 1, 2)
    contrast = 1 + 0.2 * (torch.rand((n, 1, 1, 1), generator=generator) - 0.5)
    level = noise * torch.rand((n, 1, 1, 1), generator=generator)
    return moved * contrast.to(x.device) + (level * torch.randn(x.shape, generator=generator)).to(x.device)


def _moved(n: int, side: int, shift: float, generator: torch.Generator) -> Tensor:
    """``(n, side)`` pixel numbers of moved images; the border's pixel is repeated beyond it."""
    most = round(shift * side)
    by = torch.randint(-most, most + 1, (n, 1), generator=generator)
    return (torch.arange(side)[None] + by).clamp(0, side - 1)


def _cpu_twin(generator: torch.Generator) -> torch.Generator:
    """The gamma sampler runs on the CPU: a generator there, seeded from this one's stream."""
    if generator.device.type == "cpu":
        return generator
    seed = torch.randint(2**62, (1,), generator=generator, device=generator.device).item()
    return torch.Generator().manual_seed(int(seed))
