"""The network inside a map model as explanations need it: maps in, one number out, and the way back to features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genomap_core.errors import InputError
from genomap_core.explain.attribution import Output
from genomap_core.explain.stages import Stages, map_stages


@dataclass(frozen=True, eq=False)
class MapModel:
    """The network that predicts, and the stages around it."""

    network: nn.Module
    """Maps ``(B, c, H, W)`` -> logits ``(B, k)``, all seeds averaged."""
    stages: Stages

    @property
    def members(self) -> list[nn.Module]:
        """The networks whose logits are averaged, one a seed."""
        return list(getattr(self.network, "members", [self.network]))

    def maps(self, X: np.ndarray) -> Tensor:
        """Raw rows ``(n, p)`` as maps on the network's device, float32."""
        device = next(self.network.parameters()).device
        return torch.as_tensor(np.ascontiguousarray(self.stages.maps(X)), device=device)

    def to_raw(self, maps: Tensor) -> np.ndarray:
        """Values of cells as values of raw features: ``(n, c, H, W)`` -> ``(n, p)``; 0 for features without a cell."""
        of_layout = self.stages.layout.to_features(maps.detach().cpu().double().numpy())
        values = np.zeros((len(of_layout), self.stages.n_features))
        values[:, self.stages.kept] = np.nan_to_num(of_layout, nan=0.0)
        return values

    def explained(self, index: int, output: Output) -> Callable[[Tensor], Tensor]:
        """The explained output of class ``index``: maps ``(B, c, H, W)`` -> ``(B,)``."""
        return lambda maps: from_logits(self.network(maps), index, output)


def from_logits(logits: Tensor, index: int, output: Output) -> Tensor:
    """Log-odds or probability of one class: logits ``(B, k)`` -> ``(B,)``."""
    if output == "probability":
        return logits.softmax(1)[:, index]
    others = torch.cat([logits[:, :index], logits[:, index + 1 :]], 1)
    return logits[:, index] - others.logsumexp(1)


def map_model(model: Any) -> MapModel:
    """Open a fitted map model, its network in evaluation mode.

    Raises
    ------
    InputError
        The model has no network on maps, so there is nothing to differentiate.
    """
    stages = map_stages(model)
    if stages is None:
        raise InputError(
            "Gradient methods explain a network on maps (`genomap`, `genonet`); explain this model by regions: "
            "`method='shapley'`."
        )
    return MapModel(stages.network.module_.eval(), stages)
