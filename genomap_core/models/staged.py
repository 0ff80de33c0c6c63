"""An image network in stages, with a place between two of them for another layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Staged(nn.Module):
    """Stem, stages, mean over the image, head.

    Who inherits makes ``stem``, ``stages`` and ``out``.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, n_classes)`` logits.

    Parameters
    ----------
    widths
        Channels behind the stem and behind each stage.
    """

    stem: nn.Module
    stages: nn.ModuleList
    out: nn.Module

    def __init__(self, n_classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.widths = tuple(widths)

    def until(self, x: Tensor, stage: int) -> Tensor:
        """Features behind ``stage`` (0: the stem)."""
        x = self.stem(x)
        for module in list(self.stages)[:stage]:
            x = module(x)
        return x

    def since(self, features: Tensor, stage: int) -> Tensor:
        """Logits from the features behind ``stage``."""
        for module in list(self.stages)[stage:]:
            features = module(features)
        logits: Tensor = self.out(features.mean((2, 3)))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        return self.since(self.until(x, 0), 0)
