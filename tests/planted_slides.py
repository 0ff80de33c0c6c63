"""Networks for coloured patches in which darkness drives the first gene: trained in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from planted_expression import TINY

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.expression import expression_cohort
from genomap_core.data.images.intensity import scale_bytes
from genomap_core.data.images.patients import PatientImages
from genomap_core.training.expression import ExpressionRegressor
from genomap_core.training.expression_bundle import save_expression

SIDE = 16
COLOURS = ("red", "green", "blue")


def trained(patches: int = 1, n: int = 96) -> ExpressionRegressor:
    """A network whose gene DARK is high on dark tissue; ``patches`` of a patient."""
    rng = np.random.default_rng(0)
    share = rng.uniform(0, 1, n)
    dark, pale = np.array((120, 70, 150)), np.array((224, 170, 205))
    colour = share[:, None] * dark + (1 - share[:, None]) * pale
    noise = rng.normal(0, 18, (n, patches, 1, SIDE, SIDE))
    pixels = np.clip(colour[:, None, :, None, None] + noise, 0, 255).astype(np.uint8)
    images = scale_bytes(pixels.reshape(n, patches * 3, SIDE, SIDE))
    names = COLOURS if patches == 1 else tuple(f"slice {k + 1} {c}" for k in range(patches) for c in COLOURS)
    X = np.column_stack([2 + 6 * share, 5 + rng.normal(0, 1, (n, 3)).T[0], 4 + rng.normal(0, 1, n)]).astype(np.float32)
    table = Dataset(
        name="planted spots",
        X=X,
        feature_names=("DARK", "NOISE1", "NOISE2"),
        sample_ids=tuple(f"spot {i}" for i in range(n)),
        omics_names=("expression",),
        unit="log2(1 + TPM)",
    )
    cohort = expression_cohort(PatientImages(images, table, names))
    return ExpressionRegressor(replace(TINY, epochs=25)).fit(cohort)


def saved(path: Path, patches: int = 1) -> Path:
    """The same as a file."""
    save_expression(path, trained(patches), provenance={"cohort": "planted spots", "patients": 96})
    return path
