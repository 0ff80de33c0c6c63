"""A tiny cohort in which the brightness of the image drives the first genes and nothing drives the others."""

from __future__ import annotations

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.expression import ExpressionCohort, ExpressionOptions, expression_cohort
from genomap_core.data.images.networks import ExpressionConfig
from genomap_core.data.images.patients import PatientImages

TINY = ExpressionConfig(width=4, embedding=16, n_layers=2, n_heads=2, epochs=8, device="cpu")
DRIVEN = 8


def images_and_genes(
    n: int = 64, seed: int = 0, *, size: int = 16, genes: int = 20, slices: int = 1, **table: object
) -> PatientImages:
    """``(n, slices, size, size)`` images; genes in log2 units, 0 to about 14."""
    rng = np.random.default_rng(seed)
    state = rng.normal(size=n)
    pixels = rng.normal(0, 0.5, (n, slices, size, size)) + 0.7 * state[:, None, None, None]
    X = 7 + rng.normal(size=(n, genes))
    X[:, :DRIVEN] += 1.5 * state[:, None]
    fields: dict[str, object] = {
        "name": "planted",
        "X": X.astype(np.float32),
        "feature_names": tuple(f"G{j:02d}" for j in range(genes)),
        "sample_ids": tuple(f"patient {i}" for i in range(n)),
        "omics_names": ("expression",),
        "unit": "log2(1 + TPM)",
    }
    channels = ("grey",) if slices == 1 else tuple(f"slice {k + 1}" for k in range(slices))
    return PatientImages(pixels.astype(np.float32), Dataset(**fields | table), channels)  # type: ignore[arg-type]


def planted_expression(
    n: int = 64, seed: int = 0, options: ExpressionOptions = ExpressionOptions(), **made: object
) -> ExpressionCohort:
    """The same, ready to be predicted."""
    return expression_cohort(images_and_genes(n, seed, **made), options)  # type: ignore[arg-type]


def two_types(n: int = 64, seed: int = 0) -> PatientImages:
    """No images: 12 features of a type "ct" that carry the state, and the genes."""
    cohort = images_and_genes(n, seed)
    rng = np.random.default_rng(seed + 100)
    state = np.asarray(cohort.table.X)[:, :DRIVEN].mean(axis=1)
    ct = ((state - state.mean())[:, None] + rng.normal(0, 0.7, (n, 12))) * np.logspace(0, 6, 12)
    table = Dataset(
        name="two types",
        X=np.hstack([ct, np.asarray(cohort.table.X)]).astype(np.float32),
        feature_names=(*(f"ct:{j}" for j in range(12)), *cohort.table.feature_names),
        sample_ids=cohort.table.sample_ids,
        omics=np.repeat([0, 1], [12, cohort.table.n_features]),
        omics_names=("ct", "rna"),
    )
    return PatientImages(np.zeros((n, 0, 0, 0), np.float32), table, ())
