"""Networks on maps: small convolutions at several scales beside a linear path; genoNet as published; several as one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MeanLogits(nn.Module):
    """Mean of the members' logits: one network to predict with and to explain.

    **Shape**: ``(B, c, H, W)`` -> ``(B, n_classes)`` logits, whatever the members share.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members]).mean(dim=0)


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


class MapCNN(nn.Module):
    """Wide and deep: ``logits = W s + b + g(s)``, ``s = arcsinh(map)``, with ``g`` a multi-scale convolutional network.

    A cell always holds the same feature, so positions carry meaning: ``g`` pools the map to a coarse grid and flattens
    it, instead of averaging over all places. A linear model is hard to beat on small cohorts: it stands beside the
    convolutions, and is zero until set.

    Values pass through ``arcsinh`` first: near 0 as they are, logarithmic in the tails, so that one outlying gene of
    one patient (hundreds of standard deviations in mass spectra) doesn't decide alone. The buffer ``mask``
    ``(c, H, W)`` silences cells that never varied in training; all ones until set.

    **Shape**: ``(B, n_channels, height, width)`` -> ``(B, n_classes)`` logits; any height and width from 1 on.

    Parameters
    ----------
    scales
        The map is averaged over ``s x s`` cells before the 3 x 3 convolutions of scale ``s``; neighbourhoods of
        correlated features average their noise away.
    n_filters
        Convolutional channels of each scale; twice as many in its second layer.
    coarse
        Side of the coarse grid, in cells; a smaller map keeps its own size.
    hidden
        Width of the dense layer over the coarse grid.
    dropout
        On the coarse grid and on the dense layer.
    linear
        False: convolutions only.
    """

    def __init__(
        self,
        n_channels: int,
        height: int,
        width: int,
        n_classes: int,
        *,
        scales: Sequence[int] = (1, 2, 4),
        n_filters: int = 8,
        coarse: int = 8,
        hidden: int = 64,
        dropout: float = 0.25,
        linear: bool = True,
    ) -> None:
        super().__init__()
        self.mask: Tensor
        self.register_buffer("mask", torch.ones(n_channels, height, width))
        self.scales = tuple(s for s in scales if s == 1 or s <= max(height, width))
        self.coarse = coarse
        self.branches = nn.ModuleList(Branch(n_channels, n_filters) for _ in self.scales)
        features = sum(2 * n_filters * math.prod(self._grid(height, width, s)) for s in self.scales)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(features, hidden)
        self.relu = nn.ReLU()  # a module, not a function: explanations by DeepLift hook onto it
        self.out = nn.Linear(hidden, n_classes)
        self.linear = nn.Linear(n_channels * height * width, n_classes) if linear else None
        if self.linear is not None:
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

    def convolutional_path(self, x: Tensor) -> Tensor:
        """``g``: squashed maps ``(B, c, H, W)`` -> ``(B, n_classes)``."""
        coarse = [self._coarsen(branch(pool(x, (s, s)))) for s, branch in zip(self.scales, self.branches)]
        h = self.relu(self.hidden(self.dropout(torch.cat(coarse, dim=1))))
        return self.out(self.dropout(h))

    def linear_path(self, x: Tensor) -> Tensor:
        """``W x + b``: squashed maps ``(B, c, H, W)`` -> ``(B, n_classes)``; zero without a linear path."""
        if self.linear is None:
            return x.new_zeros(len(x), self.out.out_features)
        return self.linear(x.flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        x = squashed(x * self.mask)
        return self.linear_path(x) + self.convolutional_path(x)

    def _coarsen(self, maps: Tensor) -> Tensor:
        kernel = tuple(math.ceil(side / self.coarse) for side in maps.shape[2:])
        return pool(maps, kernel).flatten(1)

    def _grid(self, height: int, width: int, scale: int) -> tuple[int, ...]:
        """Sides of the coarse grid at a scale."""
        sides = [math.ceil(side / min(scale, side)) for side in (height, width)]
        sides = [math.ceil(side / min(2, side)) for side in sides]
        return tuple(math.ceil(side / math.ceil(side / self.coarse)) for side in sides)


class Branch(nn.Module):
    """Two 3 x 3 convolutions, the first of stride 2.

    **Shape**: ``(B, c, H, W)`` -> ``(B, 2 n_filters, ceil(H / 2), ceil(W / 2))``.
    """

    def __init__(self, n_channels: int, n_filters: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_channels, n_filters, 3, stride=2, padding=1)
        self.second = nn.Conv2d(n_filters, 2 * n_filters, 3, padding=1)
        # Modules, not functions, and one for each place: explanations by DeepLift hook onto them.
        self.relu_first, self.relu_second = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu_second(self.second(self.relu_first(self.first(x))))


def squashed(x: Tensor) -> Tensor:
    """``arcsinh``; written out where no gradient is asked for: torch's own takes six times as long."""
    if x.requires_grad:
        return torch.asinh(x)
    size = x.abs()
    return torch.copysign(torch.log1p(size + size * size / (1 + torch.sqrt(1 + size * size))), x)


def pool(x: Tensor, kernel: Sequence[int]) -> Tensor:
    """Mean over ``kernel`` cells: ``(B, c, H, W)`` -> ``(B, c, ceil(H / kh), ceil(W / kw))``; fewer at the borders."""
    kernel = [min(k, side) for k, side in zip(kernel, x.shape[2:])]
    if kernel == [1, 1]:
        return x
    return F.avg_pool2d(x, kernel, kernel, ceil_mode=True, count_include_pad=False)
