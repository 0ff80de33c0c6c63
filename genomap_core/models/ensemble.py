"""Several networks as one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class MeanLogits(nn.Module):
    """Mean of the members' logits: one network to predict with and to explain.

    **Shape**: ``(B, c, H, W)`` -> ``(B, n_classes)`` logits, whatever the members share.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members]).mean(dim=0)
