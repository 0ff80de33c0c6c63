"""Jobs of the Expression page: train one network on a cohort, and compare networks with controls and linear models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genomap_core.data.images.expression import ExpressionCohort, ExpressionOptions, expression_cohort
from genomap_core.data.images.networks import ExpressionConfig
from genomap_core.data.images.patients import PatientImages
from genomap_core.files import write_atomically
from genomap_core.progress import OnProgress
from genomap_core.workflows.expression.compare import ExpressionCompareConfig, compare_expression

COHORT = "imaging.npz"
MODEL, ABOUT = "expression.safetensors", "train.json"
CHECKPOINTS = "checkpoints"


def train_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: train with ``spec["config"]`` (of :class:`ExpressionConfig`) on ``imaging.npz``; writes the model.

    The state after each epoch lies in ``folder`` until the model is written: a training that was stopped goes on from
    it.
    """
    from genomap_core.training.expression import ExpressionRegressor
    from genomap_core.training.expression_bundle import save_expression

    cohort = read_cohort(folder, spec.get("options", {}))
    config = ExpressionConfig(**spec.get("config", {}))
    model = ExpressionRegressor(config, on_progress, folder / CHECKPOINTS).fit(cohort)
    provenance = {"cohort": cohort.name, "patients": cohort.n_samples, "digest": cohort.digest}
    save_expression(folder / MODEL, model, provenance=provenance)
    about = {"config": asdict(config), "options": asdict(cohort.options), "history": model.history_, **provenance}
    write_atomically(folder / ABOUT, json.dumps(about).encode())
    shutil.rmtree(folder / CHECKPOINTS)
    return {"patients": cohort.n_samples, "genes": len(cohort.genes), "parameters": model.n_parameters}


def compare_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: every network, control and baseline; writes an :class:`ExpressionResult`.

    ``spec``: ``options`` of :class:`ExpressionOptions`, ``config`` of :class:`ExpressionCompareConfig`.
    """
    cohort = read_cohort(folder, spec.get("options", {}))
    result = compare_expression(cohort, compare_config(spec.get("config", {})), on_progress, keep=folder)
    result.save(folder)
    return {name: row[result.champion.name].summary() for name, row in result.statistics.items()}


def compare_config(values: Mapping[str, Any]) -> ExpressionCompareConfig:
    """From plain values, as a job or a result holds them."""
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    plain["training"] = ExpressionConfig(**plain.get("training", {}))
    return ExpressionCompareConfig(**plain)


def read_cohort(folder: Path, options: Mapping[str, Any]) -> ExpressionCohort:
    """The cohort of a job's folder, made ready as ``options`` say."""
    return expression_cohort(PatientImages.load(folder / COHORT), ExpressionOptions(**options))
