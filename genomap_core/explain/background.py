"""Attribution where an image shows nothing: what lies there can't be the disease.

Some of every attribution does. How much is too much is told by a network that learned from the images (or the
expression) of other patients: what it answers has nothing to do with what is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genomap_core.data.images.patients import FusionInputs
from genomap_core.data.images.statistics import empty_background
from genomap_core.explain.fusion import pixel_values

_STEPS = 8
"""Of Integrated Gradients, where only a share of their sum is asked."""


def background_share(values: np.ndarray, slices: np.ndarray) -> tuple[float, float]:
    """Share of ``|values| (s, H, W)`` on the empty background of ``slices (s, c, H, W)``, and how much of the area is
    empty. 0 without any attribution."""
    empty, weight = np.stack([empty_background(image) for image in slices]), np.abs(values)
    total = float(weight.sum())
    return (float(weight[empty].sum()) / total if total > 0 else 0.0), float(empty.mean())


def region_share(values: np.ndarray, labels: np.ndarray, image: np.ndarray) -> tuple[float, float]:
    """The same of regions: values ``(R,)``, each spread evenly over its pixels ``labels (H, W)``, of an image
    ``(c, H, W)``."""
    pixels = (values / np.maximum(np.bincount(labels.ravel(), minlength=len(values)), 1))[labels]
    return background_share(pixels[None], image[None])


def fusion_background(modules: Sequence[Any], inputs: FusionInputs) -> np.ndarray:
    """:func:`background_share` of every patient, for the likeliest class: ``(n, 2)``.

    ``modules``: ``(images, maps, present)`` -> logits.
    """
    found = np.empty((len(inputs.images), 2))
    for i in range(len(found)):
        one = inputs.take(np.array([i]))
        with torch.inference_mode():
            given = [torch.from_numpy(a) for a in (one.images, one.maps, one.present)]
            target = int(torch.stack([module(*given) for module in modules]).mean(0).argmax())
        pixels = pixel_values(modules, one, target, _STEPS)[0]
        found[i] = background_share(pixels.sum(axis=0)[None], one.images)
    return found


def expression_background(module: Any, pictures: np.ndarray) -> np.ndarray:
    """:func:`background_share` of every patient, for the mean square of all that is predicted: ``(n, 2)``.

    ``module``: ``(B, s, c, H, W)`` -> ``(B, g)``; ``pictures (n, s, c, H, W)``.
    """
    from captum.attr import IntegratedGradients

    def forward(rows: Tensor) -> Tensor:
        found: Tensor = module(rows).pow(2).mean(1)
        return found

    found = np.empty((len(pictures), 2))
    for i, slices in enumerate(pictures):
        x = torch.from_numpy(np.ascontiguousarray(slices[None], np.float32))
        values = IntegratedGradients(forward).attribute(x, n_steps=_STEPS, internal_batch_size=8)
        found[i] = background_share(values.detach()[0].sum(1).numpy(), slices)
    return found
