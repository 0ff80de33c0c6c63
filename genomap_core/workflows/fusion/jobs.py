"""Jobs of the Fusion page: train one fusion network on a cohort, and compare all of them with their controls."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genomap_core.data.images.patients import PatientImages
from genomap_core.files import write_atomically
from genomap_core.progress import OnProgress
from genomap_core.workflows.fusion.compare import FusionCompareConfig, compare_fusion
from genomap_core.workflows.fusion.words import verdict

COHORT = "imaging.npz"
MODEL, ABOUT = "fusion.safetensors", "train.json"
CHECKPOINTS = "checkpoints"


def train_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: train with ``spec["config"]`` (of :class:`FusionConfig`) on ``imaging.npz``; writes the model and about it.

    The state after each epoch lies in ``folder`` until the model is written: a training that was stopped goes on from
    it.
    """
    from genomap_core.training.fusion import FusionClassifier, FusionConfig
    from genomap_core.training.fusion_bundle import save_fusion

    cohort = PatientImages.load(folder / COHORT)
    config = FusionConfig(**spec.get("config", {}))
    model = FusionClassifier(config, on_progress, folder / CHECKPOINTS).fit(cohort)
    provenance = {"cohort": cohort.name, "patients": cohort.n_samples, "digest": cohort.digest}
    save_fusion(folder / MODEL, model, provenance=provenance)
    about = {
        "config": asdict(config),
        "classes": model.classes_,
        "channels": model.channels_,
        "omics": model.omics_names_,
        "size": model.canvas_.size,
        "grid": model.layout_.shape,
        "parameters": model.n_parameters,
        "history": model.history_,
        **provenance,
    }
    write_atomically(folder / ABOUT, json.dumps(about).encode())
    shutil.rmtree(folder / CHECKPOINTS)
    return {"classes": list(model.classes_), "patients": cohort.n_samples, "parameters": model.n_parameters}


def compare_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: every variant, control and baseline with ``spec["config"]``; writes a :class:`FusionResult`."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in spec.get("config", {}).items()}
    cohort = PatientImages.load(folder / COHORT)
    result = compare_fusion(cohort, FusionCompareConfig(**values), on_progress, keep=folder)
    result.save(folder)
    scores = {m: {k: asdict(s) for k, s in row.items()} for m, row in result.scores.items()}
    return {"scores": scores, "verdict": list(verdict(result))}
