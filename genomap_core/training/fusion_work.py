"""One step of a fusion network's training: a batch as it may look on another day, and its loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from genomap_core.models.fusion import FusionNet
from genomap_core.training.augment import vary_images
from genomap_core.training.device import autocast
from genomap_core.training.fusion_config import FusionConfig
from genomap_core.training.fusion_inputs import Canvas
from genomap_core.training.loop import weighted_cross_entropy


class Spreading:
    """Cells in standard deviations to squashed maps on a device, with noise where features are."""

    def __init__(self, canvas: Canvas, filled: np.ndarray, device: torch.device) -> None:
        self.rows = torch.from_numpy(canvas.rows).to(device)
        self.columns = torch.from_numpy(canvas.columns).to(device)
        self.filled = torch.from_numpy(filled.astype(np.float32)).to(device)

    def maps(self, cells: Tensor, noise: float, generator: torch.Generator) -> Tensor:
        """``(B, t, gh, gw)`` -> ``(B, t, H, W)``, each patient's features noisy to his own degree."""
        level = noise * torch.rand((len(cells), 1, 1, 1), generator=generator)
        drawn = (level * torch.randn(cells.shape, generator=generator)).to(cells.device)
        return self.rows @ torch.asinh(cells + drawn * self.filled) @ self.columns.mT


@dataclass(frozen=True, eq=False)
class FusionWork:
    """The training rows on the device.

    A linear path with more weights than rows tells its own training rows nearly without error, which would leave the
    rest of the network nothing to learn: in training it speaks of every row as if it had not seen it.
    """

    images: Tensor
    cells: Tensor
    present: Tensor
    y: Tensor
    class_weights: Tensor
    honest: Tensor
    """``(n, C)``: what the linear path would say of a row without having seen it, minus what it says"""
    spreading: Spreading
    config: FusionConfig

    def loss(self, module: FusionNet, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Class-weighted cross-entropy of one batch as it may look on another day."""
        config = self.config
        images = vary_images(self.images[rows], config.noise, config.mirror, config.shift, generator)
        maps = self.spreading.maps(self.cells[rows], config.omics_noise, generator)
        present = self._hide(self.present[rows], generator)
        with autocast(rows.device):
            logits = module(images, maps, present)
        shown = (present.sum(1) / self.present[rows].sum(1).clamp_min(1))[:, None]
        logits = logits.float() + shown * self.honest[rows]
        target = F.one_hot(self.y[rows], len(self.class_weights)).float()
        return weighted_cross_entropy(logits, target, self.class_weights)

    def _hide(self, present: Tensor, generator: torch.Generator) -> Tensor:
        """Some omics types hidden; never all of them where a network sees nothing else."""
        seen = (torch.rand(present.shape, generator=generator) >= self.config.channel_dropout).to(present)
        shown = present * seen
        if self.config.variant != "omics":
            return shown
        return torch.where(shown.sum(1, keepdim=True) > 0, shown, present)
