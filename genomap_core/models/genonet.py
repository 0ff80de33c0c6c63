"""genoNet as published, for comparison."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GenoNet(nn.Module):
    """One 3 x 3 convolution, a dense layer, logits.

    Convolution with 8 maps, ReLU, flatten, dense 100, ReLU, dropout 0.25, dense ``n_classes`` (Islam & Xing, Nat
    Commun 14:679, 2023). The border is padded with zeros, so that any map of 1 x 1 cells on fits. The buffer ``mask``
    ``(c, H, W)`` silences cells that never varied in training; all ones until set.

    **Shape**: ``(B, n_channels, height, width)`` -> ``(B, n_classes)`` logits.
    """

    def __init__(
        self,
        n_channels: int,
        height: int,
        width: int,
        n_classes: int,
        *,
        n_filters: int = 8,
        hidden: int = 100,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.mask: Tensor
        self.register_buffer("mask", torch.ones(n_channels, height, width))
        self.convolution = nn.Conv2d(n_channels, n_filters, 3, padding=1)
        # Modules, not functions, and one for each place: explanations by DeepLift hook onto them.
        self.relu_maps, self.relu_hidden = nn.ReLU(), nn.ReLU()
        self.hidden = nn.Linear(n_filters * height * width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        h = self.relu_maps(self.convolution(x * self.mask)).flatten(1)
        return self.out(self.dropout(self.relu_hidden(self.hidden(h))))
