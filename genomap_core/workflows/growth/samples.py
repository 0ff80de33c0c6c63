"""Simulated MRI slices whose tumours the network's own solver has grown; also written to ``sample_data/growth``."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from PIL import Image

from genomap_core.data.simulated.mri import CLASSES, SimulatedSlices, simulate_slices
from genomap_core.errors import InputError
from genomap_core.files import SAMPLE_DATA

FOLDER = SAMPLE_DATA / "growth"
SIZE, PER_CLASS, SEED = 128, 30, 8


def grow_arrays(u0: np.ndarray, spread: np.ndarray, growth: np.ndarray) -> np.ndarray:
    """Fisher-KPP over one unit of time, in pixels: :data:`genomap_core.data.simulated.mri.Grow`. ``(n, H, W)``."""
    return np.stack([_grown(*arrays) for arrays in zip(u0, spread, growth)])


def _grown(u0: np.ndarray, spread: np.ndarray, growth: np.ndarray) -> np.ndarray:
    """One slice: with steps of its own, so that it does not depend on the others."""
    import torch

    from genomap_core.models.reaction_diffusion import GrowthScheme, grow

    d, r = float(spread.max()), float(growth.max())
    n_steps = max(1, math.ceil(max(r / 0.4, d / 2.0)))
    scheme = GrowthScheme(n_steps=n_steps, dt=1 / n_steps, method="implicit", max_diffusion=d, max_rate=r)
    with torch.inference_mode():
        u, diffusion, rate = (torch.from_numpy(v[None].astype(np.float32)) for v in (u0, spread, growth))
        last: np.ndarray = grow(u, diffusion, rate, scheme)[0, -1].numpy()
    return last


def simulated(n_per_class: int, size: int = SIZE, seed: int = SEED, contrast: str = "t1gd") -> SimulatedSlices:
    """Slices of all four classes, grown by the network's solver."""
    return simulate_slices(n_per_class, size, seed, grow_arrays, contrast)


def write_samples(folder: Path = FOLDER) -> int:
    """Write the sample slices as PNG with their masks and truth; returns the bytes written."""
    slices = simulated(PER_CLASS)
    folder.mkdir(parents=True, exist_ok=True)
    truth = []
    for i, (image, mask, c) in enumerate(zip(slices.images, slices.masks, slices.y)):
        name = f"{CLASSES[c].replace(' ', '_')}_{i // len(CLASSES) + 1:02d}"
        Image.fromarray((image * 255).round().astype(np.uint8)).save(folder / f"{name}.png", optimize=True)
        if mask.any():
            Image.fromarray(mask).save(folder / f"{name}_mask.png", optimize=True)
        values = (slices.diffusion[i], slices.rate[i], slices.time[i])
        figures = {k: round(float(v), 6) for k, v in zip(("diffusion", "rate", "time"), values) if np.isfinite(v)}
        truth.append({"name": name, "class": CLASSES[c], **figures})
    (folder / "truth.json").write_text(json.dumps({"classes": CLASSES, "seed": SEED, "slices": truth}, indent=1))
    return sum(f.stat().st_size for f in folder.iterdir())


def read_samples(folder: Path = FOLDER) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """Images ``(n, s, s)`` uint8, masks ``(n, s, s)`` bool, class codes ``(n,)`` and the slices' names."""
    if not (folder / "truth.json").is_file():
        raise InputError(
            "The simulated slices are missing: write them again with `python -m genomap_core.workflows.growth.jobs`."
        )
    header = json.loads((folder / "truth.json").read_text())
    names = tuple(s["name"] for s in header["slices"])
    images = np.stack([np.asarray(Image.open(folder / f"{n}.png")) for n in names])
    masks = np.zeros(images.shape, bool)
    for i, n in enumerate(names):
        if (folder / f"{n}_mask.png").is_file():
            masks[i] = np.asarray(Image.open(folder / f"{n}_mask.png")) > 0
    y = np.array([header["classes"].index(s["class"]) for s in header["slices"]])
    return images, masks, y, names


def sample_lengths(folder: Path = FOLDER) -> np.ndarray:
    """sqrt(D / rho) that each slice of :func:`read_samples` was grown with: ``(n,)`` pixels, NaN but for gliomas."""
    slices = json.loads((folder / "truth.json").read_text())["slices"]
    known = [s["diffusion"] / s["rate"] if s["class"] == "glioma" else np.nan for s in slices]
    return np.sqrt(np.array(known))
