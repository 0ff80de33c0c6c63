"""What a network that learned nothing of this cohort makes of its images: features for a linear baseline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from genomap_core.data.expression import ExpressionCohort
from genomap_core.data.expression_networks import ExpressionConfig
from genomap_core.data.imaging import slices_of
from genomap_core.models.expression import ExpressionNet, ExpressionSpec, adopt_resnet
from genomap_core.training.cycle import seeded_generator
from genomap_core.training.device import choose_device, private_randomness, threads
from genomap_core.training.expression_weights import read_resnet

_BATCH = 64


def frozen_features(cohort: ExpressionCohort, config: ExpressionConfig) -> np.ndarray:
    """Mean, deviation and maximum of every channel of the network's front: ``(n, 3 f)`` float64, mean over slices.

    The front has random weights, or those of ``config.weights``. Each channel of an image is standardised by itself:
    nothing is learned from any patient.
    """
    n, each = slices_of(cohort.source.channels)
    images = cohort.source.images
    pictures = images.reshape(len(images) * n, each, *images.shape[2:])
    size = (int(images.shape[2]), int(images.shape[3]))
    device = choose_device(config.device)
    found = []
    with private_randomness(device), threads(1), torch.inference_mode():
        seeded_generator(config.seed, 0)
        front = "small" if config.front == "patches" else config.front
        net = ExpressionNet(ExpressionSpec(each, size, 1, front, config.width, config.embedding, 1, config.n_heads))
        if config.weights:
            adopt_resnet(net, read_resnet(Path(config.weights)))
        body = net.front.to(device).eval()
        for start in range(0, len(pictures), _BATCH):
            x = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _BATCH])).to(device)
            mean, sd = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True).clamp_min(1e-6)
            y = body((x - mean) / sd)
            parts = (y.mean((2, 3)), y.var((2, 3), correction=0).sqrt(), y.amax((2, 3)))
            found.append(torch.cat(parts, 1).cpu().double().numpy())
    return np.concatenate(found).reshape(len(images), n, -1).mean(axis=1)
