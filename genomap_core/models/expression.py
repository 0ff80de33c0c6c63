"""From pictures to gene expression: a CNN, a transformer encoder over its feature map, and a head for all genes.

As described for TransUNet-like radiogenomics (arXiv 2408.00311): convolutional stages, a patch embedding of their
feature map, eight pre-norm encoder layers, one embedding a patient, a head trained on squared error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomap_core.errors import InputError
from genomap_core.models.fusion_parts import SmallTrunk
from genomap_core.models.resnet import ResNet

LOW_RANK = 256
"""Rank of a dense head for more than :data:`MANY` genes: 20,000 outputs of 768 numbers each would be 15 million."""
MANY = 2000
PATCH = 4
"""Side of a patch of a map, in cells."""
_COARSE = 4
"""The decoder of a genomap starts at the map's side divided by this."""


@dataclass(frozen=True, slots=True)
class ExpressionSpec:
    """Enough to build a network again; of options that :class:`ExpressionConfig` has checked."""

    channels: int
    """Of one slice"""
    size: tuple[int, int]
    """Height and width of the pictures"""
    n_genes: int
    front: str = "small"
    width: int = 16
    """Channels of the first stage; 64 as published for ResNet"""
    embedding: int = 64
    n_layers: int = 8
    n_heads: int = 4
    expansion: int = 2
    """Width of a layer's feed-forward part, in embeddings"""
    dropout: float = 0.1
    pooling: str = "attention"
    head: str = "dense"
    grid: tuple[int, int] = (1, 1)
    """Of a head that predicts the genomap"""
    paths: str = "both"
    """Of :data:`genomap_core.data.images.networks.PATHS`"""


class Pool(nn.Module):
    """Many vectors to one: their mean, or their sum weighted by gated attention (Ilse et al., ICML 2018).

    **Shape**: ``(B, k, d)`` -> ``(B, d)``.
    """

    def __init__(self, size: int, kind: str) -> None:
        super().__init__()
        self.score: nn.Module | None = None
        if kind == "attention":
            self.value, self.gate = nn.Linear(size, size // 2 + 1), nn.Linear(size, size // 2 + 1)
            self.score = nn.Linear(size // 2 + 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.score is None or x.shape[1] == 1:
            return x.mean(1)
        return (self.weights(x) * x).sum(1)

    def weights(self, x: Tensor) -> Tensor:
        """What each vector counts: ``(B, k, d)`` -> ``(B, k, 1)``, of sum 1."""
        if self.score is None:
            return x.new_full((*x.shape[:2], 1), 1 / x.shape[1])
        return self.score(self.value(x).tanh() * self.gate(x).sigmoid()).softmax(1)


class Statistics(nn.Module):
    """Mean, deviation and maximum of every channel beside the transformer: textures are told by them from few images.

    **Shape**: ``(B, c, H, W)`` -> ``(B, d)``.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3 * channels)
        self.out = nn.Linear(3 * channels, size)

    def forward(self, x: Tensor) -> Tensor:
        deviation = (x.var((2, 3), correction=0) + 1e-6).sqrt()
        return self.out(self.norm(torch.cat([x.mean((2, 3)), deviation, x.amax((2, 3))], dim=1)))


class DenseHead(nn.Module):
    """One output a gene; through a narrow layer where genes are many. Starts at zero, every gene's mean.

    **Shape**: ``(B, d)`` -> ``(B, g)``.
    """

    def __init__(self, size: int, n_genes: int) -> None:
        super().__init__()
        narrow = n_genes > MANY and size > 2
        self.narrow: nn.Module = nn.Linear(size, min(LOW_RANK, size // 2)) if narrow else nn.Identity()
        self.out = nn.Linear(min(LOW_RANK, size // 2) if narrow else size, n_genes)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.narrow(x))


class MapHead(nn.Module):
    """The expression as a picture: a coarse grid, twice enlarged and convolved, read at the genes' cells.

    Genes that vary together are neighbours on the map, so that few numbers describe many genes. ``cell_of_gene``
    ``(g,)`` numbers the cells row by row; it comes with the layout.

    **Shape**: ``(B, d)`` -> ``(B, g)``.
    """

    cell_of_gene: Tensor

    def __init__(self, size: int, n_genes: int, grid: tuple[int, int], width: int) -> None:
        super().__init__()
        self.grid = grid
        self.coarse = tuple(-(-side // _COARSE) for side in grid)
        self.seed = nn.Linear(size, 2 * width * math.prod(self.coarse))
        self.refine = nn.ModuleList(
            [nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.Conv2d(2 * width, width, 3, padding=1)]
        )
        self.out = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]
        self.register_buffer("cell_of_gene", torch.zeros(n_genes, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        y = self.seed(x).unflatten(1, (-1, *self.coarse))
        for convolution in self.refine:
            y = F.gelu(convolution(F.interpolate(y, scale_factor=2, mode="nearest")))
        picture = self.out(y)[:, 0, : self.grid[0], : self.grid[1]]
        return picture.flatten(1)[:, self.cell_of_gene]


class ExpressionNet(nn.Module):
    """Pictures of patients, each with as many slices, to standardised expression.

    **Shape**: ``(B, s, c, H, W)`` -> ``(B, g)``; ``s`` slices of a patient are pooled to one embedding.
    """

    def __init__(self, spec: ExpressionSpec) -> None:
        super().__init__()
        self.front, channels, side = _front(spec)
        self.paths = spec.paths
        if spec.paths != "statistics":
            tokens = [-(-s // side) if spec.front != "patches" else max(1, s // side) for s in spec.size]
            self.embed = nn.Conv2d(channels, spec.embedding, 1)
            self.place = nn.Parameter(0.02 * torch.randn(1, spec.embedding, *tokens))
            self.encoder = _encoder(spec)
            self.over_tokens = Pool(spec.embedding, spec.pooling)
        self.over_slices = Pool(spec.embedding, spec.pooling)
        if spec.paths != "transformer":
            self.skip = Statistics(channels, spec.embedding)
        self.norm = nn.BatchNorm1d(spec.embedding)  # else what patients share drowns what tells them apart
        self.head: nn.Module = (
            DenseHead(spec.embedding, spec.n_genes)
            if spec.head == "dense"
            else MapHead(spec.embedding, spec.n_genes, spec.grid, spec.width)
        )

    def embedding(self, pictures: Tensor) -> Tensor:
        """``(B, s, c, H, W)`` -> ``(B, d)``."""
        n_slices = pictures.shape[1]
        seen = self.front(pictures.flatten(0, 1))
        if self.paths == "both":
            pooled = self._through(seen) + self.skip(seen)
        else:
            pooled = self._through(seen) if self.paths == "transformer" else self.skip(seen)
        return self.norm(self.over_slices(pooled.unflatten(0, (-1, n_slices))))

    def _through(self, seen: Tensor) -> Tensor:
        """The transformer's embedding of a feature map: ``(B, c, H, W)`` -> ``(B, d)``."""
        features = self.embed(seen)
        place: Tensor = self.place
        if features.shape[2:] != place.shape[2:]:  # another size of pictures
            place = F.interpolate(place, features.shape[2:], mode="bicubic")
        return self.over_tokens(self.encoder((features + place).flatten(2).mT))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.embedding(pictures))


def _encoder(spec: ExpressionSpec) -> nn.Module:
    """The transformer's layers; without any only its last normalisation."""
    if spec.n_layers == 0:
        return nn.LayerNorm(spec.embedding)
    sizes = (spec.embedding, spec.n_heads, spec.expansion * spec.embedding)
    layer = nn.TransformerEncoderLayer(*sizes, spec.dropout, "gelu", batch_first=True, norm_first=True)
    layer.self_attn.dropout = 0.0  # fused attention has none, and is twice as fast
    encoder = nn.TransformerEncoder(layer, spec.n_layers, nn.LayerNorm(spec.embedding), enable_nested_tensor=False)
    for parameters in (p for p in encoder.parameters() if p.dim() > 1):  # its copies start alike otherwise
        nn.init.xavier_uniform_(parameters)
    return encoder


def _front(spec: ExpressionSpec) -> tuple[nn.Module, int, int]:
    """What comes before the transformer, its channels, and how many pixels of a side become one token."""
    if spec.front == "small":
        return SmallTrunk(spec.channels, spec.width), 4 * spec.width, 8
    if spec.front == "resnet18":
        network = ResNet(spec.channels, 1, depth=18, width=spec.width, stem_stride=4)
        return nn.Sequential(network.stem, *list(network.stages)[:3]), network.widths[3], 16
    patch = min(PATCH, *spec.size)
    return nn.Conv2d(spec.channels, 4 * spec.width, patch, patch), 4 * spec.width, patch


def randomise_head(module: ExpressionNet) -> ExpressionNet:
    """The network with a random last layer instead of zeros: an untrained model that still answers."""
    out = module.head.out
    nn.init.normal_(out.weight, std=1 / math.sqrt(out.weight[0].numel()))  # type: ignore[union-attr, arg-type, index]
    return module


def adopt_resnet(module: ExpressionNet, weights: Mapping[str, Tensor]) -> None:
    """Take stem and three stages from a ResNet-18's state dict, named as MONAI (2-D) and torchvision name them.

    A first layer for another number of channels is averaged over them and repeated.

    Raises
    ------
    InputError
        The weights are those of another network.
    """
    own = module.front.state_dict()
    taken = {}
    for name, value in own.items():
        theirs = weights.get(_their_name(name))
        if theirs is None:
            raise InputError(f"The file has no weights {_their_name(name)!r}: it is no 2-D ResNet-18.")
        if name == "0.0.weight" and theirs.shape[1:2] != value.shape[1:2]:
            theirs = theirs.mean(1, keepdim=True).expand(-1, value.shape[1], -1, -1)
        if theirs.shape != value.shape:
            raise InputError(
                f"The weights {_their_name(name)!r} are {tuple(theirs.shape)}, the network needs "
                f"{tuple(value.shape)}: a ResNet-18 in 2-D needs `width` 64."
            )
        taken[name] = theirs.to(value)
    module.front.load_state_dict(taken)


def _their_name(name: str) -> str:
    """``"1.0.first.0.weight"`` -> ``"layer1.0.conv1.weight"``; ``"0.1.bias"`` -> ``"bn1.bias"``."""
    stage, rest = name.split(".", 1)
    if stage == "0":
        number, what = rest.split(".", 1)
        return f"{'conv1' if number == '0' else 'bn1'}.{what}"
    block, part, number, what = rest.split(".", 3)
    if part == "shortcut":
        return f"layer{stage}.{block}.downsample.{number}.{what}"
    place = {"first": 1, "second": 2}[part]
    return f"layer{stage}.{block}.{'conv' if number == '0' else 'bn'}{place}.{what}"
