"""The network inside a map pipeline as explanations need it: maps in, one number out, and the way back to features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genomap_core.errors import InputError
from genomap_core.explain.attribution import Output
from genomap_core.layout import Layout


@dataclass(frozen=True, eq=False)
class MapModel:
    """The networks that predict, and the steps around them.

    ``networks``: one module for each seed, maps ``(B, c, H, W)`` -> logits ``(B, k)``; their probabilities are averaged.
    """

    networks: tuple[nn.Module, ...]
    layout: Layout
    kept: np.ndarray
    """``(q,)`` raw feature of each column of the layout."""
    n_features: int
    """Raw features."""
    transform: Callable[[np.ndarray], np.ndarray]
    """Raw rows ``(n, p)`` -> maps ``(n, c, H, W)``."""

    def maps(self, X: np.ndarray) -> Tensor:
        """Raw rows ``(n, p)`` as maps on the networks' device, float32."""
        device = next(self.networks[0].parameters()).device
        return torch.as_tensor(np.ascontiguousarray(self.transform(X), np.float32), device=device)

    def to_raw(self, maps: Tensor) -> np.ndarray:
        """Values of cells as values of raw features: ``(n, c, H, W)`` -> ``(n, p)``; 0 for features without a cell."""
        of_layout = self.layout.to_features(maps.detach().cpu().double().numpy())
        values = np.zeros((len(of_layout), self.n_features))
        values[:, self.kept] = np.nan_to_num(of_layout, nan=0.0)
        return values

    def explained(self, index: int, output: Output) -> Callable[[Tensor], Tensor]:
        """The explained output of class ``index``: maps ``(B, c, H, W)`` -> ``(B,)``."""

        def forward(maps: Tensor) -> Tensor:
            return combine([network(maps) for network in self.networks], index, output)

        return forward


def combine(logits: list[Tensor], index: int, output: Output) -> Tensor:
    """Log-odds or probability of one class under the mean of the networks' probabilities: each ``(B, k)`` -> ``(B,)``."""
    log_p = torch.stack([z.log_softmax(1) for z in logits])  # (seeds, B, k)
    own = log_p[:, :, index].logsumexp(0)
    if output == "probability":
        return own.exp() / len(logits)
    others = torch.cat([log_p[:, :, :index], log_p[:, :, index + 1 :]], 2)
    return own - others.logsumexp((0, 2))


def map_model(model: Any) -> MapModel:
    """Open a fitted pipeline of preprocessing, map and network.

    Raises
    ------
    InputError
        The model has no network on maps, so there is nothing to differentiate.
    """
    steps = dict(getattr(model, "steps", []))
    network, genomap = steps.get("network"), steps.get("genomap")
    networks = networks_of(network)
    if not networks or genomap is None:
        raise InputError(
            "Gradient methods explain a network on maps (`genomap`, `genonet`); explain this model by regions: "
            "`method='region-shapley'`."
        )
    preprocess = steps.get("preprocess")
    kept = preprocess.kept_ if preprocess is not None else np.arange(genomap.n_features_in_)
    return MapModel(
        networks=networks,
        layout=genomap.layout_,
        kept=np.asarray(kept),
        n_features=int(model[0].n_features_in_),
        transform=model[:-1].transform,
    )


def networks_of(classifier: Any) -> tuple[nn.Module, ...]:
    """The modules of a fitted map classifier, one a seed, in evaluation mode; empty where it has none."""
    modules = getattr(classifier, "modules_", None) or [getattr(classifier, "module_", None)]
    networks = tuple(m for m in modules if isinstance(m, nn.Module))
    for network in networks:
        network.eval()
    return networks
