"""What a comparison of fusion networks runs: variants, controls and linear baselines, and the rows each is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from genomap_core.data.images.networks import VARIANTS
from genomap_core.data.images.patients import PatientImages
from genomap_core.data.images.statistics import image_statistics
from genomap_core.errors import InputError
from genomap_core.workflows.fusion.adaptive import ADAPTIVE


def logistic_proba(
    kind: str, train: PatientImages, test: PatientImages, max_features: int, seed: int
) -> tuple[np.ndarray, int]:
    """Probabilities ``(n, C)`` of the test patients, and how many numbers were learned.

    ``kind`` is "logistic_omics", "logistic_image" or "logistic_both"; the penalty is chosen on inner folds. Both kinds
    of features weigh alike: each is divided by the root of its number of columns.
    """
    from genomap_core.training.fusion_inputs import fit_scaling
    from genomap_core.training.logistic import TunedLogistic

    scaling = fit_scaling(train, max_features)
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    if kind != "logistic_image":
        rows.append((scaling.table(train), scaling.table(test)))
    if kind != "logistic_omics":
        rows.append(_standardised(image_statistics(train.images), image_statistics(test.images)))
    X, X_test = (np.hstack([p[k] / np.sqrt(p[k].shape[1]) for p in rows]) for k in (0, 1))
    model = TunedLogistic(class_weight="balanced", random_state=seed).fit(X, train.table.y, train.table.groups)
    proba = np.zeros((test.n_samples, len(train.table.classes)))
    proba[:, model.classes_] = model.predict_proba(X_test)
    return proba, model.coef_.size + model.intercept_.size


def _standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, sd = train.mean(0), train.std(0)
    sd = np.where(sd > 1e-9, sd, 1.0)
    return (train - mean) / sd, (test - mean) / sd


CONTROLS: dict[str, str] = {
    "shuffled_omics": "Control: omics of other patients",
    "shuffled_images": "Control: images of other patients",
    "shuffled_layout": "Control: features placed at random",
}
"""Name -> title. Rows are exchanged among the training patients, and among the test patients: an image or a row of
omics stays as it is, only whose it is gets lost."""
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
