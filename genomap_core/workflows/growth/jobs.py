"""Jobs of the Growth page: train a PhysNet, and compare it with its baselines. Also writes the sample models."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.images.labelled import LabelledImages
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.store import decode
from genomap_core.workflows.growth.compare import GrowthCompareConfig, compare_growth, knowledge_of, training_of
from genomap_core.workflows.growth.data import describe, simulated_cohort, zip_cohort
from genomap_core.workflows.growth.samples import FOLDER, write_samples
from genomap_core.workflows.growth.view import PHYSNET, PLAIN

SIZE = 96
CHECKPOINTS = "checkpoints"
SAMPLE = GrowthCompareConfig(width=8, stem_stride=2, upscale=4, max_epochs=14, batch_size=16, learning_rate=4e-3)
"""Of the models in ``sample_data/growth``: small, so that they stay small on disk."""


def cohort_of(spec: dict[str, Any], folder: Path, on_progress: OnProgress = ignore) -> LabelledImages:
    """The cohort a job works on: ``images.zip`` in its folder, or ``n_per_class`` simulated slices."""
    size = int(spec.get("size", SIZE))
    if (folder / "images.zip").is_file():
        on_progress(Progress("cleaning the images", 0, 1))
        cohort, report = zip_cohort(folder / "images.zip", size, str(spec.get("name", "Uploaded images")))
        (folder / "hygiene.json").write_text(describe(report))
        return cohort
    on_progress(Progress("simulating", 0, 1))
    return simulated_cohort(int(spec.get("n_per_class", 40)), size, int(spec.get("seed", 0)))


def train_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: train a PhysNet of ``spec["n_seeds"]`` seeds and a ResNet without growth on all images; writes both."""
    cohort = cohort_of(spec, folder, on_progress)
    config = decode(GrowthCompareConfig, spec.get("config", {}))
    train_pair(cohort, config, folder, int(spec.get("n_seeds", 3)), on_progress)
    return {"classes": cohort.classes, "images": len(cohort.y)}


def compare_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: the table of all networks on the same folds; writes a :class:`GrowthResult`."""
    cohort = cohort_of(spec, folder, on_progress)
    result = compare_growth(cohort, decode(GrowthCompareConfig, spec.get("config", {})), on_progress, keep=folder)
    result.save(folder)
    return {"scores": {m: {k: asdict(s) for k, s in row.items()} for m, row in result.scores.items()}}


def train_pair(
    cohort: LabelledImages, config: GrowthCompareConfig, folder: Path, n_seeds: int, on_progress: OnProgress = ignore
) -> None:
    """Train PhysNet and the same ResNet without growth on ``cohort``; write ``physnet`` and ``resnet``.

    Of real images a part is held out, for the limits of what is like them. The state after each epoch lies in
    ``folder`` until both are written: a training that was stopped goes on from it.
    """
    from genomap_core.training.growth import GrowthClassifier
    from genomap_core.training.growth_bundle import save_growth
    from genomap_core.training.growth_likeness import FEWEST_HELD, fit_likeness

    simulated = cohort.lengths is not None
    rows, held = (np.arange(len(cohort.y)),) * 2 if simulated else _hold_out(cohort, config.seed)
    x, y = cohort.images[rows], cohort.y[rows]
    for network, name, seeds in (("physnet18", PHYSNET, n_seeds), ("resnet18", PLAIN, 1)):
        training = replace(training_of(config, network), n_seeds=seeds)
        model = GrowthClassifier(training, on_progress, folder / CHECKPOINTS / network)
        model.fit(x, y, len(cohort.classes), knowledge_of(cohort, training).take(rows))
        gated = network.startswith("physnet") and not simulated and len(held) >= FEWEST_HELD
        save_growth(
            folder / name,
            model,
            classes=cohort.classes,
            infiltrating=cohort.infiltrating,
            size=cohort.images.shape[-1],
            provenance={
                "cohort": cohort.name,
                "images": len(rows),
                "digest": cohort.digest,
                "simulated": simulated,
                "lengths_taught": cohort.lengths is not None,
            },
            likeness=fit_likeness(model.modules_, x, y, cohort.images[held]) if gated else None,
            half=True,
        )
    shutil.rmtree(folder / CHECKPOINTS)


def _hold_out(cohort: LabelledImages, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and 15 % by groups of copies or patients that are not."""
    groups = np.arange(len(cohort.y)) if cohort.groups is None else cohort.groups
    chosen = np.random.default_rng(seed).permutation(np.unique(groups))
    held = np.isin(groups, chosen[: round(0.15 * len(chosen))])
    return np.flatnonzero(~held), np.flatnonzero(held)


def write_sample_models(folder: Path = FOLDER, n_per_class: int = 120) -> None:
    """Train the models that come with the simulated slices, on others than those in the folder."""
    train_pair(simulated_cohort(n_per_class, SIZE, seed=1), SAMPLE, folder, n_seeds=3)


if __name__ == "__main__":
    write_samples()
    write_sample_models()
