"""Networks by name, and how each starts on a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from genomap_core.errors import InputError
from genomap_core.models.genonet import GenoNet
from genomap_core.models.map_cnn import MapCNN
from genomap_core.training.linear_start import LinearStart

NETWORKS: Mapping[str, type[nn.Module]] = {"mapcnn": MapCNN, "genonet": GenoNet}


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Enough to build a network again: its name and its constructor's arguments."""

    name: str
    n_channels: int
    height: int
    width: int
    n_classes: int
    options: Mapping[str, float | int | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in NETWORKS:
            raise InputError(f"`network` must be one of {', '.join(NETWORKS)}, got {self.name!r}.")

    def build(self) -> nn.Module:
        """The network with random weights from torch's current seed."""
        shape = (self.n_channels, self.height, self.width, self.n_classes)
        return NETWORKS[self.name](*shape, **self.options)


def started_network(spec: NetworkSpec, mask: np.ndarray, start: LinearStart | None, seed: int) -> nn.Module:
    """A network before training: seeded, silent outside ``mask`` ``(c, H, W)``, its linear path at ``start``."""
    torch.manual_seed(seed)
    module = spec.build()
    with torch.no_grad():
        module.get_buffer("mask").copy_(torch.from_numpy(mask.astype(np.float32)))
        linear = getattr(module, "linear", None)
        if linear is not None and start is not None:
            linear.weight.copy_(torch.from_numpy(start.weight.reshape(spec.n_classes, -1)))
            linear.bias.copy_(torch.from_numpy(start.bias))
    return module


def has_linear_path(spec: NetworkSpec) -> bool:
    """Whether a linear start is of use to this network."""
    return spec.name == "mapcnn" and bool(spec.options.get("linear", True))
