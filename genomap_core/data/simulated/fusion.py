"""A simulated cohort of images and omics whose truth is known: what only the image shows, only the omics, and both.

Every patient has an organ with a lesion in it, expression and methylation. Four classes:

* *quiet*: the reference.
* *textural*: stripes in the lesion; nothing in the omics.
* *molecular*: one methylation module is raised; nothing in the image.
* *concordant*: a latent state is raised that darkens the core of the lesion and drives two expression modules.

So the image alone can't tell quiet from molecular, the omics alone can't tell quiet from textural: either of them is
right for three quarters of the patients at best, both together for all. In every class the latent state varies a
little and couples the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.patients import PatientImages
from genomap_core.data.simulated.organ import REGIONS, draw_organ, grainy, stripes

CLASSES = ("quiet", "textural", "molecular", "concordant")
OMICS = ("expression", "methylation")
STATE_MODULES = (0, 1)
"""Expression modules that follow the latent state."""
SILENT_MODULE = 2
"""Methylation module of the molecular class, not to be seen in the image."""


@dataclass(frozen=True, slots=True)
class FusionSimulation:
    """Size and difficulty."""

    n_samples: int = 240
    side: int = 64
    sizes: tuple[int, int] = (240, 120)
    """Features of expression and of methylation."""
    n_modules: int = 12
    effect: float = 3.0
    """Rise of a planted module in its class, in standard deviations of its activity."""
    contrast: float = 1.0
    """Strength of what the image shows of the textural and of the concordant class."""
    seed: int = 5

    def __post_init__(self) -> None:
        if self.n_samples < 2 * len(CLASSES) or self.side < 32 or self.n_modules < 3:
            raise ValueError("At least 8 patients, 32 x 32 pixels and 3 modules are needed.")


@dataclass(frozen=True, eq=False)
class SimulatedFusion:
    """The cohort and the truth behind it."""

    cohort: PatientImages
    """``regions``: organ and lesion; ``table.planted``: features of the three planted modules"""
    pictures: np.ndarray
    """``(n, s, s)`` uint8, the images as they would be given"""
    module: np.ndarray
    """``(p,)`` module of each feature, -1 for none"""
    state: np.ndarray
    """``(n,)`` latent state"""


def simulate_fusion(config: FusionSimulation = FusionSimulation()) -> SimulatedFusion:
    """Draw the cohort; the same for the same seed."""
    rng = np.random.default_rng(config.seed)
    y = rng.permutation(np.arange(config.n_samples) % len(CLASSES))
    state = rng.normal(0, 1, config.n_samples) + config.effect * (y == CLASSES.index("concordant"))
    X, module = _omics(config, y, state, rng)
    drawn = [_picture(config, CLASSES[label], s, rng) for label, s in zip(y, state, strict=True)]
    pictures = np.stack([picture for picture, _ in drawn])
    names = tuple(f"{kind[:4]}{j + 1:03d}" for kind, p in zip(OMICS, config.sizes, strict=True) for j in range(p))
    omics = np.repeat(np.arange(len(OMICS)), config.sizes)
    planted = np.isin(module, (*STATE_MODULES, SILENT_MODULE))
    table = Dataset(
        name="Simulated imaging + omics cohort",
        X=X,
        feature_names=names,
        sample_ids=tuple(f"P{i + 1:03d}" for i in range(config.n_samples)),
        y=y.astype(np.int64),
        classes=CLASSES,
        omics=omics,
        omics_names=OMICS,
        planted=tuple(name for name, hit in zip(names, planted, strict=True) if hit),
    )
    values = pictures.astype(np.float32)
    images = ((values - values.mean()) / values.std())[:, None]
    regions = np.stack([region for _, region in drawn])
    return SimulatedFusion(PatientImages(images, table, ("grey",), None, regions, REGIONS), pictures, module, state)


def _omics(
    config: FusionSimulation, y: np.ndarray, state: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Values ``(n, p)`` float32 and the module of each feature ``(p,)``.

    Expression in log2 units, methylation as a share in (0, 1). Seven of ten features belong to a module.
    """
    n = config.n_samples
    activity = rng.normal(0, 1, (n, config.n_modules))
    for m in STATE_MODULES:
        activity[:, m] = 0.8 * state + 0.6 * rng.normal(0, 1, n)
    activity[:, SILENT_MODULE] += config.effect * (y == CLASSES.index("molecular"))
    others = [m for m in range(config.n_modules) if m > SILENT_MODULE]
    allowed = ([*STATE_MODULES, *others], [SILENT_MODULE, *others])
    blocks, modules = [], []
    for kind, p, choice in zip(OMICS, config.sizes, allowed, strict=True):
        member = np.where(rng.random(p) < 0.7, rng.choice(choice, p), -1)
        loading = np.where(member >= 0, rng.normal(0.8, 0.15, p), 0.0)
        latent = loading * activity[:, np.maximum(member, 0)] + rng.normal(0, 0.8, (n, p))
        scaled = rng.normal(7, 1.5, p) + latent if kind == "expression" else 1 / (1 + np.exp(-latent))
        blocks.append(np.round(scaled, 3))
        modules.append(member)
    return np.hstack(blocks).astype(np.float32), np.concatenate(modules)


def _picture(
    config: FusionSimulation, label: str, state: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One patient: ``(s, s)`` uint8 grey values and ``(s, s)`` uint8 regions (1 organ, 2 lesion)."""
    organ = draw_organ(config.side, (0.11, 0.14), rng)
    core = np.exp(-((organ.distance / 0.55) ** 2))
    values = organ.values - config.contrast * 0.08 * state * core * organ.lesion
    if label == "textural":
        values += config.contrast * 0.10 * stripes(config.side, rng) * organ.lesion
    return grainy(values, rng), organ.regions
