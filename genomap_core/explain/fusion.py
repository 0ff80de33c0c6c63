"""What each part of one patient does in a fusion network: types of data, image regions, gene modules, and pairs.

A part that is absent has the value 0, the mean of the training patients: pixels of a region, cells of a module, or all
channels of a type. Everything is said of the log-odds of one class, unless it is said of the probabilities of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy.special import logsumexp, softmax

from genomap_core.data.images.patients import FusionInputs
from genomap_core.errors import InputError
from genomap_core.explain.faithfulness import DeletionInsertion, deletion_insertion
from genomap_core.explain.regions import Game, all_coalitions, shapley_of, shapley_values
from genomap_core.progress import OnProgress, ignore


class FusionModel(Protocol):
    """A trained fusion network, or several whose answers are averaged."""

    def logits(self, inputs: FusionInputs) -> np.ndarray:
        """``(n, C)``."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Which region every pixel and which module every cell of the omics maps belongs to."""

    image: np.ndarray
    """``(H, W)`` int, regions numbered from 0; -1 is never absent"""
    maps: np.ndarray
    """``(t, H, W)`` int, modules numbered from 0; -1 is never absent"""

    @property
    def n_regions(self) -> int:
        return int(self.image.max(initial=-1)) + 1

    @property
    def n_modules(self) -> int:
        return int(self.maps.max(initial=-1)) + 1


@dataclass(frozen=True, eq=False)
class PartValues:
    """Shapley values of regions and modules together, for the log-odds of one class."""

    regions: np.ndarray
    """``(R,)``"""
    modules: np.ndarray
    """``(M,)``"""
    output: float
    baseline: float
    """Log-odds of the patient, and with every part absent: their difference is the sum of all values"""
    faithfulness: DeletionInsertion


class PatientGame:
    """The log-odds of one class for every choice of present regions and modules of one patient.

    Parameters
    ----------
    inputs
        Of one patient: ``n = 1``.
    target
        Index of the class.
    """

    def __init__(
        self,
        model: FusionModel,
        inputs: FusionInputs,
        parts: Parts,
        target: int,
        *,
        batch_rows: int = 64,
        on_progress: OnProgress = ignore,
    ) -> None:
        if len(inputs.images) != 1:
            raise InputError(f"One patient is explained at a time, got {len(inputs.images)}.")
        self.model, self.inputs, self.parts, self.target = model, inputs, parts, target
        k = parts.n_regions + parts.n_modules
        self.game = Game(
            self._score, np.ones(k), np.zeros(k), np.arange(k), batch_rows=batch_rows, on_progress=on_progress
        )

    def play(self, regions: np.ndarray, modules: np.ndarray) -> np.ndarray:
        """``(B, R)`` and ``(B, M)`` bool -> ``(B,)``."""
        return self.game.play(np.concatenate([regions, modules], axis=1))

    def _score(self, presence: np.ndarray) -> np.ndarray:
        regions, modules = np.split(presence, [self.parts.n_regions], axis=1)
        logits = self.model.logits(
            replace(
                self.inputs,
                images=_present(self.inputs.images, regions, self.parts.image),
                maps=_present(self.inputs.maps, modules, self.parts.maps),
                present=np.repeat(self.inputs.present, len(presence), axis=0),
            )
        )
        return odds(logits, self.target)


def odds(logits: np.ndarray, target: int) -> np.ndarray:
    """Log-odds of a class: ``(n, C)`` -> ``(n,)``, exact where its probability rounds to 0 or 1."""
    others = np.delete(logits, target, axis=1)
    return np.asarray(logits[:, target] - logsumexp(others, axis=1))


def _present(values: np.ndarray, presence: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``values (1, c, H, W)`` with absent parts at 0, once for each row of ``presence (B, k)``."""
    if values.shape[1] == 0:  # no image
        return np.repeat(values, len(presence), axis=0)
    always = np.ones((len(presence), 1), presence.dtype)
    mask = np.concatenate([presence, always], axis=1)[:, labels]  # the label -1 takes the last column
    mask = mask[:, None] if labels.ndim == 2 else mask
    return np.asarray(values * mask, np.float32)


def part_values(game: PatientGame, n_permutations: int = 16, seed: int = 0) -> PartValues:
    """Shapley values of all regions and modules as players of one game, and how faithful they are.

    Sampled in antithetic permutations where there are more than ten players.
    """
    values = shapley_values(game.game, n_permutations, seed)
    k, r = len(values), game.parts.n_regions
    ends = game.game.play(np.array([[True] * k, [False] * k]))
    checked = deletion_insertion(
        lambda rows: game.game.play(rows > 0.5), np.ones(k), np.zeros(k), values, n_steps=k, random_state=seed
    )
    return PartValues(values[:r], values[r:], float(ends[0]), float(ends[1]), checked)


def interaction(game: PatientGame) -> np.ndarray:
    """How the attribution of image regions changes when a gene module is ablated: ``(M, R)``.

    The attribution of a region is what its absence takes from the log-odds; the entry is that attribution with the
    module minus that without it, ``f(1) - f(-r) - f(-m) + f(-r -m)``, with all other parts present (second difference;
    the interaction index of Grabisch & Roubens, 1999, at the full coalition). Zero wherever the two act on their own.
    """
    n_regions, n_modules = game.parts.n_regions, game.parts.n_modules
    no_region = np.vstack([np.ones(n_regions, bool), ~np.eye(n_regions, dtype=bool)])
    no_module = np.vstack([np.ones(n_modules, bool), ~np.eye(n_modules, dtype=bool)])
    regions = np.tile(no_region, (len(no_module), 1))
    modules = np.repeat(no_module, len(no_region), axis=0)
    f = game.play(regions, modules).reshape(len(no_module), len(no_region))
    with_module, without = f[0, 0] - f[0, 1:], f[1:, :1] - f[1:, 1:]
    return np.asarray(with_module - without)


def type_values(model: FusionModel, inputs: FusionInputs) -> np.ndarray:
    """Exact Shapley values of the types of data for every class's probability: ``(n, 1 + t, C)``.

    The players are the image (all its channels) and each omics type; without image channels the types alone,
    ``(n, t, C)``. They sum to the patient's probabilities minus those of a patient who is the mean in everything.
    """
    with_image = inputs.images.shape[1] > 0
    k = int(with_image) + inputs.maps.shape[1]
    outputs = []
    for coalition in all_coalitions(k).astype(np.float32):
        image, types = (coalition[0], coalition[1:]) if with_image else (1, coalition)
        changed = replace(
            inputs,
            images=inputs.images * np.float32(image),
            maps=inputs.maps * types[:, None, None],
        )
        outputs.append(softmax(model.logits(changed), axis=1))
    return np.moveaxis(shapley_of(np.stack(outputs)), 0, 1)


def pixel_values(
    modules: Sequence[Any], inputs: FusionInputs, target: int, n_steps: int = 32
) -> tuple[np.ndarray, np.ndarray, float]:
    """Integrated Gradients of the class's log-probability on image and omics maps at once (Sundararajan et al., 2017).

    Parameters
    ----------
    modules
        The networks, ``forward(images, maps, present) -> logits``; their mean log-probability is explained.
    inputs
        Of one patient.

    Returns
    -------
    ``(c, H, W)`` on the image, ``(t, H, W)`` on the maps, and by how much their sum misses the change from the mean
    patient, as a share of it.
    """
    import torch
    from captum.attr import IntegratedGradients

    images, maps = (torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (inputs.images, inputs.maps))
    present = torch.from_numpy(np.ascontiguousarray(inputs.present, np.float32))

    def forward(x: torch.Tensor, m: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        unseen = 0 * (
            x.flatten(1).sum(1) + m.flatten(1).sum(1)
        )  # a network of one kind alone takes no gradient of both
        return torch.stack([module(x, m, p).log_softmax(1)[:, target] for module in modules]).mean(0) + unseen

    on_image, on_maps = IntegratedGradients(forward).attribute(
        (images, maps), additional_forward_args=(present,), n_steps=n_steps, internal_batch_size=8
    )
    with torch.no_grad():
        change = float(forward(images, maps, present) - forward(0 * images, 0 * maps, present))
    total = float(on_image.sum() + on_maps.sum())
    gap = abs(total - change) / max(abs(change), 1e-6)
    return on_image[0].detach().numpy(), on_maps[0].detach().numpy(), gap


def image_values(module: Any, inputs: FusionInputs, target: int, method: str) -> np.ndarray:
    """Contribution of every pixel to the class's logit with the omics as they are: ``(H, W)`` float32.

    ``method``: of :data:`genomap_core.explain.images.IMAGE_METHODS`; Grad-CAM weighs the last convolution's features.

    Raises
    ------
    InputError
        The network sees no image, or the method is unknown.
    """
    from genomap_core.explain.images import explain_image

    trunk = module.image_trunk
    if trunk is None or inputs.images.shape[1] == 0:
        raise InputError("This network sees no image.")
    return explain_image(_with_omics(module, inputs), trunk, inputs.images[0], target, method)


def _with_omics(module: Any, inputs: FusionInputs) -> Any:
    """The network as a function of the image alone."""
    import torch

    class OnImage(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module
            self.maps, self.present = (
                torch.from_numpy(a[:1].astype(np.float32)) for a in (inputs.maps, inputs.present)
            )

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            n = len(images)
            return self.network(images, self.maps.expand(n, -1, -1, -1), self.present.expand(n, -1))

    return OnImage()
