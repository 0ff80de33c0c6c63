"""What PhysNet is taught: classes, the tumour's edge where a mask exists, and plausible growth."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from genomap_core.errors import InputError
from genomap_core.models.physnet import Growth, PhysicsConfig

VISIBLE = 0.16
"""Density at the edge that T2 and FLAIR show; T1 with contrast agent shows about 0.8 (Swanson et al., 2008)."""
_EDGE = 0.04
_EMPTY = 0.004
"""Mean density below which there is no tumour to be seen through"""


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each term counts; 0 leaves it out."""

    cross_entropy: float = 1.0
    density: float = 1.0
    """The 16 % contour of the last frame against the mask: cross-entropy of its pixels + 1 - Dice."""
    burden: float = 1.0
    """Without a mask: how far the mean density of the last frame lies outside of ``tumour_burden`` where there is a
    tumour, and above 0 where there is none, in units of its lower end."""
    known: float = 1.0
    """Squared error of log D and log rho, where they are known (simulations)."""
    smooth: float = 0.05
    """Mean absolute slope of log D and log rho between neighbouring cells."""
    prior: float = 0.01
    """Squared distance of log sqrt(D / rho) and log rho from the middle of their ranges, in half ranges."""
    misplaced: float = 0.0
    """Of half of the slices, seen through the density of another one: how far from "no tumour" they are, see
    :func:`misplaced_loss`. Needs `PhysicsConfig.clear`; costs the later stages once more for a half."""
    seed: float = 0.5
    """Mean density of the first frame: growth, not the start, shall explain the tumour."""
    tumour_burden: tuple[float, float] = (0.02, 0.10)
    """Least and most mean density of an image with a tumour; an image of which that is not known keeps the most."""

    def __post_init__(self) -> None:
        values = {name: value for name, value in asdict(self).items() if name != "tumour_burden"}
        negative = [name for name, value in values.items() if value < 0]
        if negative:
            raise InputError(f"Loss weights must be >= 0: {', '.join(negative)}.")
        least, most = self.tumour_burden
        if not 0 < least < most < 1:
            raise InputError(f"`tumour_burden` must be two growing shares between 0 and 1, got {self.tumour_burden}.")


@dataclass(frozen=True, eq=False)
class Targets:
    """What is known of a batch; NaN where it is not."""

    one_hot: Tensor
    """``(B, C)``, 1 where an image may be of this class: of more than one where only that is known"""
    masks: Tensor | None = None
    """``(B, H, W)`` in [0, 1]; a row of NaN has no mask."""
    tumour: Tensor | None = None
    """``(B,)`` 1 with a tumour, 0 without"""
    known: Tensor | None = None
    """``(B, 2)``: log(D / rho) and log(D rho), in the growth model's own units"""

    def rows(self, rows: Tensor) -> Targets:
        """These rows only."""
        parts = (self.masks, self.tumour, self.known)
        return Targets(self.one_hot[rows], *(None if p is None else p[rows] for p in parts))

    def to(self, device: torch.device) -> Targets:
        """On this device."""
        parts = (self.masks, self.tumour, self.known)
        return Targets(self.one_hot.to(device), *(None if p is None else p.to(device) for p in parts))


def growth_losses(
    logits: Tensor,
    growth: Growth | None,
    targets: Targets,
    class_weights: Tensor,
    weights: LossWeights,
    physics: PhysicsConfig,
) -> tuple[Tensor, dict[str, float]]:
    """The weighted sum, and every term before weighting; ``growth`` None: cross-entropy alone."""
    terms = {"cross_entropy": class_loss(logits, targets.one_hot, class_weights)}
    if growth is not None:
        terms |= _density_terms(growth, targets, weights)
        terms |= _field_terms(growth, targets, physics)
    total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
    return total, {name: float(term.detach()) for name, term in terms.items()}


def class_loss(logits: Tensor, allowed: Tensor, class_weights: Tensor) -> Tensor:
    """Mean ``-log sum of p`` over each image's ``allowed`` classes ``(B, C)``, its weight the mean of theirs ``(C,)``.

    Of images of one class the weighted cross-entropy.
    """
    said = (F.log_softmax(logits, dim=1) + allowed.log()).logsumexp(1)
    weight = (allowed * class_weights).sum(1) / allowed.sum(1)
    return -(weight * said).sum() / weight.sum()


def misplaced_density(growth: Growth, generator: torch.Generator) -> tuple[Tensor, Growth, Tensor]:
    """Half of the slices, chosen by chance; the growth of another one for each; and how far it lies beside its own.

    The last ``(B // 2,)``: the share of the other density that is outside of the slice's own, 0 where it is empty.
    """
    n = len(growth.frames)
    rows = torch.randperm(n, generator=generator)[: n // 2].to(growth.frames.device)
    other = Growth(*(part[rows.roll(1)].detach() for part in growth))
    own, there = growth.frames[rows, -1].detach(), other.frames[:, -1]
    volume = there.mean((1, 2))
    beside = 1 - torch.minimum(own, there).mean((1, 2)) / volume.clamp_min(1e-6)
    return rows, other, torch.where(volume > _EMPTY, beside, 0.0)


def misplaced_loss(logits: Tensor, beside: Tensor, clear: int) -> Tensor:
    """Cross-entropy of class ``clear`` of slices seen through another's density: ``(B, C)``, weights ``(B,)``.

    Beside its lesion a head is healthy: it tells what healthy tissue looks like on the scanners that the tumours come
    from, of which the collections hold no healthy head.
    """
    return -(beside * F.log_softmax(logits, dim=1)[:, clear]).sum() / beside.sum().clamp_min(1)


def _density_terms(growth: Growth, targets: Targets, weights: LossWeights) -> dict[str, Tensor]:
    last = growth.frames[:, -1]
    terms = {"seed": growth.frames[:, 0].mean()}
    masked = torch.zeros(len(last), dtype=torch.bool, device=last.device)
    if targets.masks is not None:
        masked = ~targets.masks.flatten(1).isnan().any(1)
        if masked.any():
            terms["density"] = contour_loss(last[masked], targets.masks[masked])
    if not masked.all():
        tumour = None if targets.tumour is None else targets.tumour[~masked]
        terms["burden"] = burden_loss(last[~masked].mean((1, 2)), tumour, weights.tumour_burden)
    return terms


def burden_loss(burden: Tensor, tumour: Tensor | None, bounds: tuple[float, float]) -> Tensor:
    """How far mean densities ``(B,)`` lie outside of ``bounds``, or above 0 where there is no tumour.

    Without it the density fills the head, and may be exchanged for any other without harm: then it selects nothing.
    ``tumour``: ``(B,)`` 1 with, 0 without, NaN where that is not known.
    """
    least, most = bounds
    loss = (burden - most).relu()
    if tumour is not None:
        loss = loss + torch.where(tumour == 1, (least - burden).relu(), 0) + torch.where(tumour == 0, burden, 0)
    return loss.mean() / least


def _field_terms(growth: Growth, targets: Targets, physics: PhysicsConfig) -> dict[str, Tensor]:
    d, r = growth.diffusion.log(), growth.rate.log()
    terms = {"prior": _off_middle((d - r) / 2, physics.length_range) + _off_middle(r, physics.rate_range)}
    if d.shape[1:] != (1, 1):
        terms["smooth"] = _slope(d) + _slope(r)
    if targets.known is not None:
        truth = targets.known
        guess = torch.stack([(d - r).mean((1, 2)), (d + r).mean((1, 2))], dim=1)
        has = ~truth.isnan()
        if has.any():
            terms["known"] = (guess - truth)[has].square().mean()
    return terms


def contour_loss(density: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy and 1 - Dice of the soft inside of the 16 % contour: ``(B, h, w)`` against ``(B, H, W)``."""
    density = F.interpolate(density[:, None], size=masks.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    score = (density - VISIBLE) / _EDGE
    nothing = 1 / (1 + math.exp(VISIBLE / _EDGE))
    inside = (torch.sigmoid(score) - nothing) / (1 - nothing)
    overlap = (inside * masks).sum((1, 2))
    dice = (2 * overlap + 1) / (inside.sum((1, 2)) + masks.sum((1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(score, masks) + (1 - dice).mean()


def _off_middle(log_values: Tensor, bounds: tuple[float, float]) -> Tensor:
    low, high = torch.tensor(bounds, dtype=torch.float64).log().tolist()
    return ((log_values - (low + high) / 2) / ((high - low) / 2)).square().mean()


def _slope(field: Tensor) -> Tensor:
    return field.diff(dim=1).abs().mean() + field.diff(dim=2).abs().mean()
