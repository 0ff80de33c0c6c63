"""What one picture of a tumour says about its growth: grown with known D and rho, then compared with every other.

Runs in the warm worker (torch).
"""

from __future__ import annotations

from typing import Any

import numpy as np

SIDE = 48
STEPS = 24
DIFFUSION = (0.02, 0.25)
RATE = (0.05, 0.5)
N_VALUES = 11
_ALL = "growth lesson: every tumour"


def values(limits: tuple[float, float]) -> np.ndarray:
    """``(N_VALUES,)`` evenly spaced on a logarithmic scale."""
    return np.geomspace(*limits, N_VALUES)


def growth_lesson(
    spec: dict[str, Any], arrays: dict[str, np.ndarray], cache: dict[Any, Any]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Grow a seed with ``spec["diffusion"]`` (cells^2 per step) and ``spec["rate"]`` (per step).

    Returns ``frames (STEPS + 1, SIDE, SIDE)``, and against the last one the root-mean-square difference
    ``same_time (N_VALUES, N_VALUES)`` (rows: D, columns: rho) of tumours grown equally long, and ``any_time`` of the
    nearest of all their frames, as when nobody knows how long it has grown.
    """
    import torch

    from genomap_core.models.reaction_diffusion import GrowthScheme, grow

    scheme = GrowthScheme(n_steps=STEPS, max_diffusion=DIFFUSION[1], max_rate=RATE[1], checkpointing=False)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    seed = torch.from_numpy(0.4 * np.exp(-(x**2 + y**2) / (2 * 1.5**2)).astype(np.float32))
    d, r = (torch.tensor([spec[name]], dtype=torch.float32).view(-1, 1, 1) for name in ("diffusion", "rate"))
    with torch.no_grad():
        truth = grow(seed[None], d, r, scheme)[0]
        if _ALL not in cache:
            grid = np.stack(np.meshgrid(values(DIFFUSION), values(RATE), indexing="ij"), -1).reshape(-1, 2)
            D, rho = (torch.from_numpy(grid[:, k].astype(np.float32)).view(-1, 1, 1) for k in (0, 1))
            longer = GrowthScheme(n_steps=2 * STEPS, max_diffusion=DIFFUSION[1], max_rate=RATE[1], checkpointing=False)
            cache[_ALL] = grow(seed.expand(len(grid), -1, -1), D, rho, longer)
        off = ((cache[_ALL] - truth[-1]) ** 2).mean((2, 3)).sqrt().reshape(N_VALUES, N_VALUES, -1)
    return {}, {
        "frames": truth.numpy(),
        "same_time": off[..., STEPS].numpy(),
        "any_time": off.min(-1).values.numpy(),
    }
