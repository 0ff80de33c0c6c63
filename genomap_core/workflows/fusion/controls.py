"""What a comparison of fusion networks runs: variants, controls and baselines, and the rows each is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from genomap_core.data.images.networks import VARIANTS
from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import InputError
from genomap_core.workflows.fusion.adaptive import ADAPTIVE

CONTROLS: dict[str, str] = {
    "shuffled_omics": "Control: omics of other patients",
    "shuffled_images": "Control: images of other patients",
    "shuffled_layout": "Control: features placed at random",
}
"""Name -> title. Rows are exchanged among the training patients, and among the test patients: an image or a row of
omics stays as it is, only whose it is gets lost."""
ARTEFACTS = "shuffled_images"
"""The control whose networks tell what an attribution to images is worth: what is seen has nothing to do with its
answers."""
BASELINES: dict[str, str] = {
    "logistic_both": "Logistic regression, both",
    "logistic_image": "Logistic regression, image statistics",
    "logistic_omics": "Logistic regression, omics",
}
TYPE = "type:"
"""Before the name of an omics type that is alone: runs of a cohort without images."""


def title(name: str) -> str:
    """The name of a run for people."""
    if name.startswith(TYPE):
        return f"{name.removeprefix(TYPE)} only"
    return {**VARIANTS, **CONTROLS, **BASELINES, ADAPTIVE: "Adaptive fusion"}[name]


def pooled(names: Sequence[str]) -> tuple[str, ...]:
    """The runs that adaptive fusion combines: each kind alone, all together, and the linear models."""
    networks = ("stacked", "image", "omics")
    return tuple(name for name in names if name in networks or name in BASELINES or name.startswith(TYPE))


def planned(cohort: PatientImages, variants: Sequence[str], controls: bool, baselines: bool) -> tuple[str, ...]:
    """Names of the runs on this cohort, the network that the others are held against first.

    Without images: all omics types together and each alone, and what needs no image.
    """
    unknown = set(variants) - set(VARIANTS)
    if unknown or not variants:
        raise InputError(f"Unknown variants {sorted(unknown)}: choose some of {', '.join(VARIANTS)}.")
    if cohort.channels:
        return (*variants, *(CONTROLS if controls else ()), *(BASELINES if baselines else ()))
    types = cohort.table.omics_names
    alone = [f"{TYPE}{name}" for name in types] if len(types) > 1 else []
    rest = [*(("shuffled_omics", "shuffled_layout") if controls else ()), *(("logistic_omics",) if baselines else ())]
    return ("omics", *alone, *rest)


def parts_of(
    name: str, cohort: PatientImages, train: np.ndarray, test: np.ndarray, seed: int
) -> tuple[PatientImages, PatientImages]:
    """Training and test patients as the run ``name`` sees them."""
    if name.startswith(TYPE):
        cohort = only_type(cohort, name.removeprefix(TYPE))
    if name in ("shuffled_omics", "shuffled_images"):
        source = permute_within(cohort.n_samples, (train, test), seed)
        if name == "shuffled_omics":
            cohort = replace(cohort, table=replace(cohort.table, X=cohort.table.X[source]))
        else:
            cohort = replace(cohort, images=cohort.images[source])
    return cohort.take(train), cohort.take(test)


def permute_within(n: int, parts: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """``(n,)`` the patient whose values each gets: exchanged by chance within every part, never across."""
    rng = np.random.default_rng(seed)
    source = np.arange(n)
    for rows in parts:
        source[rows] = rng.permutation(rows)
    return source


def only_type(cohort: PatientImages, name: str) -> PatientImages:
    """The cohort with the features of one omics type."""
    code = cohort.table.omics_names.index(name)
    own = cohort.table.select(np.flatnonzero(cohort.omics == code))
    return replace(cohort, table=replace(own, omics=None, omics_names=(name,)))
