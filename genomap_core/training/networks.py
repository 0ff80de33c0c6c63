"""Networks by name, and how one is put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn

from genomap_core.errors import InputError
from genomap_core.models.map_cnn import GenoNet, MapCNN
from genomap_core.training.linear_start import LinearStart

NETWORKS: Mapping[str, type[nn.Module]] = {"mapcnn": MapCNN, "genonet": GenoNet}
LEARNING_RATES: Mapping[str, float] = {"mapcnn": 3e-3, "genonet": 1e-3}
"""What each is trained with unless told otherwise."""


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


def seeded_network(spec: NetworkSpec, mask: np.ndarray, seed: int) -> nn.Module:
    """A network before training: seeded, silent outside ``mask`` ``(c, H, W)``."""
    torch.manual_seed(seed)
    module = spec.build()
    with torch.no_grad():
        module.get_buffer("mask").copy_(torch.from_numpy(mask.astype(np.float32)))
    return module


def has_linear_path(spec: NetworkSpec) -> bool:
    """Whether a linear model stands beside this network's convolutions."""
    return spec.name == "mapcnn" and bool(spec.options.get("linear", True))


def convolutions_alone(spec: NetworkSpec) -> NetworkSpec:
    """The same network without its linear path."""
    return replace(spec, options={**spec.options, "linear": False}) if has_linear_path(spec) else spec


def joined(spec: NetworkSpec, convolutions: nn.Module, start: LinearStart, factors: tuple[float, float]) -> nn.Module:
    """The whole network: ``factors[0]`` times the linear model plus ``factors[1]`` times trained convolutions."""
    module = spec.build()
    module.load_state_dict(convolutions.state_dict(), strict=False)
    linear, out = module.get_submodule("linear"), module.get_submodule("out")
    assert isinstance(linear, nn.Linear)
    assert isinstance(out, nn.Linear)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(factors[0] * start.weight.reshape(spec.n_classes, -1)))
        linear.bias.copy_(torch.from_numpy(factors[0] * start.bias))
        out.weight.mul_(factors[1])
        out.bias.mul_(factors[1])
    return module
