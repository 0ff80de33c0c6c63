"""Drawn lesions in training images: what a network has to look at is known in them, and no person drew a mask.

The collections of brain MRI take healthy heads and tumours from different hospitals, so that a network can tell them
apart without looking at a tumour. A healthy head with a lesion drawn into it belongs to the hospital of the healthy and
is none of them: only the lesion tells. Cut-and-paste supervision (CutPaste, Li et al., CVPR 2021), with smooth blobs in
place of pieces of images. Tensors in, tensors out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from genomap_core.training.growth_augment import standardise
from genomap_core.training.growth_losses import Targets

_KINDS = ("bright", "bright", "ring", "dark", "swollen")
_RADIUS = (0.05, 0.2)
"""Of a lesion, as a share of the image's side"""
_MARGIN = 1 / 12
"""A lesion's middle lies this far inside the head, as a share of the side, where the head has room"""


@dataclass(frozen=True, slots=True)
class Planted:
    """How often lesions are drawn."""

    healthy: float = 0.3
    """Share of the images without tumour that get a lesion: any tumour is right then, and its place is known"""
    tumour: float = 0.15
    """Share of the images with a tumour that get a lesion too: drawn or not tells nothing"""

    def __call__(self, x: Tensor, targets: Targets, generator: torch.Generator) -> tuple[Tensor, Targets]:
        """Standardised images ``(B, c, H, W)`` and what is known of them, some with lesions drawn."""
        if targets.tumour is None:
            return x, targets
        free = (targets.tumour == 0).cpu()
        share = torch.where(free, self.healthy, torch.where((targets.tumour == 1).cpu(), self.tumour, 0.0))
        chosen = torch.rand(len(x), generator=generator) < share
        masks = targets.masks
        if masks is None:
            masks = torch.full((len(x), *x.shape[2:]), float("nan"), device=x.device)
        if chosen.any():
            x, masks = x.clone(), masks.clone()
            x[chosen.to(x.device)], inside = draw_lesions(x[chosen.to(x.device)], generator)
            fresh = (chosen & free).to(x.device)
            masks[fresh] = inside[free[chosen].to(x.device)]
            targets = replace(
                targets,
                one_hot=torch.where(fresh[:, None], 1 - targets.one_hot, targets.one_hot),
                tumour=torch.where(fresh, 1.0, targets.tumour),
            )
        return x, replace(targets, masks=masks)


def draw_lesions(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One lesion in each standardised image ``(B, c, H, W)``: the images, standardised again, and ``(B, H, W)`` masks.

    Lesions are uneven ellipses with a soft edge, brighter than the tissue, darker, bright with a dark core, or faint in
    a swollen surrounding, which belongs to the mask then; some cover the tissue and some shine through it.
    """
    n, side = len(x), x.shape[-1]
    head = (x != 0).any(1, keepdim=True).to(x)

    def even(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(n, generator=generator)).view(n, 1, 1, 1).to(x)

    def waves(cells: int) -> Tensor:
        coarse = torch.randn((n, 1, cells, cells), generator=generator).to(x)
        return F.interpolate(coarse, size=x.shape[2:], mode="bicubic", align_corners=False)

    distance = _distance(head, even, generator) + even(0, 0.4) * waves(8)
    soft = even(0.04, 0.3)
    lesion = torch.sigmoid((1 - distance) / soft) * head
    core = torch.sigmoid((even(0.3, 0.75) - distance) / (0.7 * soft)) * head
    swollen = torch.sigmoid((even(1.1, 1.8) - distance) / even(0.1, 0.4)) * head
    contrast, texture = even(1.0, 2.8), 1 + even(0, 0.4) * waves(max(4, side // 5))
    kinds = {
        "bright": contrast * lesion * texture,
        "ring": contrast * (lesion - core).clamp_min(0) * texture - even(0, 1.2) * core,
        "dark": -even(0.8, 1.8) * lesion * texture,
        "swollen": 0.6 * contrast * lesion * texture + 0.8 * swollen,
    }
    drawn = torch.randint(len(_KINDS), (n,), generator=generator).tolist()
    added = torch.stack([kinds[_KINDS[k]][i] for i, k in enumerate(drawn)])
    opaque = (even(0, 1) < 0.5) * even(0.3, 0.9) * lesion
    whole = torch.stack([(swollen if _KINDS[k] == "swollen" else lesion)[i, 0] for i, k in enumerate(drawn)])
    return standardise(x * (1 - opaque) + added * head, head.expand_as(x)), (whole > 0.5).to(x)


def _distance(head: Tensor, even: Callable[[float, float], Tensor], generator: torch.Generator) -> Tensor:
    """Distance from the middle of an ellipse of random place, size and direction; 1 on its edge: ``(B, 1, H, W)``."""
    n, _, height, width = head.shape
    margin = round(_MARGIN * width)
    inner = (F.avg_pool2d(head, 2 * margin + 1, 1, margin) > 0.95) * head
    # Where no place lies far enough inside, any of the head, and of an empty image any at all.
    inner = inner + 1e-6 * head + 1e-12
    middle = torch.multinomial(inner.flatten(1).cpu(), 1, generator=generator)[:, 0].to(head.device)
    y = torch.arange(height, device=head.device).view(1, 1, -1, 1) - (middle // width).view(n, 1, 1, 1)
    x = torch.arange(width, device=head.device).view(1, 1, 1, -1) - (middle % width).view(n, 1, 1, 1)
    radius, angle = even(*_RADIUS) * width, even(0, math.pi)
    along, across = y * angle.cos() + x * angle.sin(), x * angle.cos() - y * angle.sin()
    return torch.hypot(along / (radius * even(0.7, 1.3)), across / (radius * even(0.7, 1.3)))
