"""A PhysNet's answers when its density is taken away, exchanged or stopped: is the class read from it?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from genomap_core.errors import InputError
from genomap_core.models.physnet import Growth, PhysNet
from genomap_core.training.growth import GrowthClassifier


def without_density(growth: Growth, order: Tensor) -> Growth:
    """No tumour cells anywhere, at any time."""
    return growth._replace(frames=torch.zeros_like(growth.frames))


def of_another_image(growth: Growth, order: Tensor) -> Growth:
    """Every image gets the growth of image ``order[i]``."""
    return Growth(*(part[order] for part in growth))


def stopped_at_start(growth: Growth, order: Tensor) -> Growth:
    """The first density for all time: nothing grows."""
    return growth._replace(frames=growth.frames[:, :1].expand_as(growth.frames))


ABLATIONS: dict[str, Callable[[Growth, Tensor], Growth]] = {
    "density zero": without_density,
    "density of another slice": of_another_image,
    "first density": stopped_at_start,
}
"""Name -> what is done to the growth before the class is read"""


def ablated_proba(model: GrowthClassifier, images: np.ndarray, ablation: str, seed: int = 0) -> np.ndarray:
    """Class probabilities ``(n, C)`` of ``(n, c, H, W)`` images under one of :data:`ABLATIONS`; mean over the networks.

    Raises
    ------
    InputError
        The name is unknown, the network holds no growth, or there are fewer than two images.
    """
    if ablation not in ABLATIONS:
        raise InputError(f"`ablation` must be one of {', '.join(ABLATIONS)}, got {ablation!r}.")
    nets = [m for m in model.modules_ if isinstance(m, PhysNet)]
    if not nets or len(images) < 2:
        raise InputError("Ablations need a trained PhysNet and at least two images.")
    # A cyclic permutation leaves no image its own density.
    cycle = np.random.default_rng(seed).permutation(len(images))
    order = np.empty(len(images), np.int64)
    order[cycle] = np.roll(cycle, 1)
    x = torch.from_numpy(np.ascontiguousarray(images, np.float32))
    total = np.zeros((len(images), model.n_classes_))
    with torch.inference_mode():
        for net in nets:
            features = torch.cat([net.features(part) for part in x.split(32)])
            growth = Growth(*(torch.cat(parts) for parts in zip(*(net.physics.grow(f) for f in features.split(32)))))
            changed = ABLATIONS[ablation](growth, torch.from_numpy(order))
            pieces = torch.arange(len(x)).split(32)
            logits = [net.classify(features[i], Growth(*(part[i] for part in changed))) for i in pieces]
            total += torch.cat(logits).softmax(1).double().numpy()
    return total / len(nets)
