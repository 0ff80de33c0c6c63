"""A simulated cohort whose images show a part of the expression: which genes, and by which trait, is known.

Every patient has an organ with a lesion in it. Three traits of the lesion vary from patient to patient,
independently: its size, the darkness of its core, the contrast of its stripes. Each planted gene follows one of them,
up or down; all other genes belong to modules of which the image shows nothing. How large the organ is, where the lesion
lies, how its edge runs and where its stripes point is chance: plain means over the image show the traits only in part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.patients import PatientImages
from genomap_core.data.simulated.organ import REGIONS, draw_organ, grainy, stripes

TRAITS = ("lesion size", "core darkness", "stripe contrast")


@dataclass(frozen=True, slots=True)
class RadiogenomicSimulation:
    """Size and difficulty."""

    n_samples: int = 200
    side: int = 64
    n_genes: int = 400
    n_planted: int = 120
    n_modules: int = 10
    """Modules of the other genes"""
    loading: tuple[float, float] = (0.60, 0.85)
    """Correlation of a planted gene with its trait, between these"""
    contrast: float = 1.6
    """Strength with which the image shows core and stripes"""
    seed: int = 11

    def __post_init__(self) -> None:
        if self.n_samples < 10 or self.side < 32 or self.n_modules < 1:
            raise ValueError("At least 10 patients, 32 x 32 pixels and one module are needed.")
        if not 0 <= self.n_planted <= self.n_genes or not 0 <= self.loading[0] <= self.loading[1] <= 1:
            raise ValueError("No more genes can be planted than there are, with correlations from 0 to 1.")


@dataclass(frozen=True, eq=False)
class SimulatedRadiogenomics:
    """The cohort and the truth behind it."""

    cohort: PatientImages
    """``regions``: organ and lesion; ``table``: log2(1 + TPM), no labels, ``planted`` the genes that follow a trait"""
    pictures: np.ndarray
    """``(n, s, s)`` uint8, the images as they would be given"""
    factors: np.ndarray
    """``(n, 3)`` the :data:`TRAITS`, in standard deviations"""
    driven_by: np.ndarray
    """``(p,)`` int64, the trait that each gene follows, -1 for none"""


def simulate_radiogenomics(config: RadiogenomicSimulation = RadiogenomicSimulation()) -> SimulatedRadiogenomics:
    """Draw the cohort; the same for the same seed."""
    rng = np.random.default_rng(config.seed)
    factors = rng.normal(0, 1, (config.n_samples, len(TRAITS)))
    X, driven_by = _expression(config, factors, rng)
    drawn = [_picture(config, traits, rng) for traits in factors]
    pictures = np.stack([picture for picture, _ in drawn])
    names = tuple(f"GENE{j + 1:03d}" for j in range(config.n_genes))
    table = Dataset(
        name="Simulated images + expression cohort",
        X=X,
        feature_names=names,
        sample_ids=tuple(f"P{i + 1:03d}" for i in range(config.n_samples)),
        omics_names=("expression",),
        unit="log2(1 + TPM)",
        planted=tuple(name for name, trait in zip(names, driven_by, strict=True) if trait >= 0),
    )
    values = pictures.astype(np.float32)
    images = ((values - values.mean()) / values.std())[:, None]
    regions = np.stack([region for _, region in drawn])
    cohort = PatientImages(images, table, ("grey",), None, regions, REGIONS)
    return SimulatedRadiogenomics(cohort, pictures, factors, driven_by)


def _expression(
    config: RadiogenomicSimulation, factors: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Values ``(n, p)`` float32 >= 0 and the trait of each gene ``(p,)``; planted genes lie anywhere in the table."""
    n, p = len(factors), config.n_genes
    driven_by = np.full(p, -1)
    driven_by[rng.choice(p, config.n_planted, replace=False)] = np.arange(config.n_planted) % len(TRAITS)
    activity = rng.normal(0, 1, (n, config.n_modules))
    module = rng.integers(0, config.n_modules, p)
    source = np.where(driven_by >= 0, factors[:, driven_by], activity[:, module])
    loading = rng.uniform(*config.loading, p) * rng.choice([-1, 1], p)
    latent = loading * source + np.sqrt(1 - loading**2) * rng.normal(0, 1, (n, p))
    values = np.maximum(rng.uniform(3, 9, p) + rng.uniform(0.5, 1.0, p) * latent, 0)
    return np.round(values, 3).astype(np.float32), driven_by


def _picture(
    config: RadiogenomicSimulation, traits: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One patient: ``(s, s)`` uint8 grey values and ``(s, s)`` uint8 regions (1 organ, 2 lesion)."""
    size, dark, striped = np.clip(traits, -2.5, 2.5)
    radius = 0.14 * np.exp(0.18 * size)
    organ = draw_organ(config.side, (radius, radius), rng)
    core = np.exp(-((organ.distance / 0.55) ** 2))
    texture = 0.02 * (2.5 + striped) * stripes(config.side, rng)
    shown = texture - 0.06 * (1.0 + dark) * core
    return grainy(organ.values + config.contrast * shown * organ.lesion, rng), organ.regions
