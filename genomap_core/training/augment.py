"""Noise and mixup: what a batch of maps may look like on another day."""

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


def _cpu_twin(generator: torch.Generator) -> torch.Generator:
    """The gamma sampler runs on the CPU: a generator there, seeded from this one's stream."""
    if generator.device.type == "cpu":
        return generator
    seed = torch.randint(2**62, (1,), generator=generator, device=generator.device).item()
    return torch.Generator().manual_seed(int(seed))
