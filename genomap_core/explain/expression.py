"""Where a predicted expression comes from: every pixel's share in one gene, or in the mean of a module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genomap_core.errors import InputError
from genomap_core.explain.faithfulness import DeletionInsertion, deletion_insertion

METHODS = {"integrated_gradients": "Integrated Gradients", "occlusion": "Occlusion"}
_BLOCKS = 8
"""Blocks along each side that are removed to check an explanation."""


@dataclass(frozen=True, eq=False)
class PixelShares:
    """Of one patient and some genes, in standard deviations of their mean."""

    values: np.ndarray
    """``(s, c, H, W)`` float32; baseline: the mean picture of the training patients"""
    output: float
    baseline: float
    """Predicted for the patient, and for the mean picture"""
    faithfulness: DeletionInsertion
    """Of the values summed over blocks of pixels"""

    @property
    def gap(self) -> float:
        """By how much the values' sum misses the change from the mean picture, as a share of it."""
        change = self.output - self.baseline
        return abs(float(self.values.sum()) - change) / max(abs(change), 1e-6)


def pixel_shares(
    module: Any, pictures: np.ndarray, genes: np.ndarray, method: str = "integrated_gradients", n_steps: int = 64
) -> PixelShares:
    """Attribution of the mean of ``genes``' standardised predictions to the pixels of one patient.

    Parameters
    ----------
    module
        ``(B, s, c, H, W)`` -> ``(B, g)``.
    pictures
        ``(1, s, c, H, W)`` as the network gets them.
    genes
        Numbers of one or more outputs.

    Raises
    ------
    InputError
        Unknown method, no gene, more than one patient.
    """
    from captum.attr import IntegratedGradients, Occlusion

    if method not in METHODS:
        raise InputError(f"Unknown method {method!r}: choose one of {', '.join(METHODS)}.")
    if len(pictures) != 1 or not len(genes):
        raise InputError("One patient and at least one gene are explained at a time.")
    chosen = torch.from_numpy(np.asarray(genes, np.int64))
    x = torch.from_numpy(np.ascontiguousarray(pictures, np.float32))

    def forward(rows: Tensor) -> Tensor:
        found: Tensor = module(rows)[:, chosen].mean(1)
        return found

    if method == "integrated_gradients":
        found = IntegratedGradients(forward).attribute(x, n_steps=n_steps, internal_batch_size=8)
    else:
        side = max(1, min(x.shape[3:]) // 8)
        window, stride = (1, x.shape[2], side, side), (1, x.shape[2], max(1, side // 2), max(1, side // 2))
        with torch.no_grad():
            found = Occlusion(forward).attribute(x, window, stride, perturbations_per_eval=8)
    values = found.detach()[0].float().numpy()
    with torch.no_grad():
        output, baseline = (float(forward(rows)) for rows in (x, 0 * x))
    return PixelShares(values, output, baseline, _checked(forward, x, values.sum(1)))


def _checked(forward: Any, x: Tensor, values: np.ndarray) -> DeletionInsertion:
    """Blocks of pixels go and come in the order of their share in the change, and in random orders."""
    s, height, width = values.shape
    rows, columns = (np.arange(side) * min(_BLOCKS, side) // side for side in (height, width))
    block = rows[:, None] * (columns.max() + 1) + columns
    block = block + (block.max() + 1) * np.arange(s)[:, None, None]
    shares = np.bincount(block.ravel(), values.ravel().astype(np.float64))
    pieces = torch.from_numpy(block)

    def score(presence: np.ndarray) -> np.ndarray:
        found = []
        with torch.no_grad():
            for part in np.array_split(presence, max(1, len(presence) // 32)):
                mask = torch.from_numpy(part.astype(np.float32))[:, pieces]
                found.append(forward(x * mask[:, :, None]).numpy())
        return np.concatenate(found)

    k = len(shares)
    return deletion_insertion(score, np.ones(k), np.zeros(k), shares)
