"""One patient under every model of a comparison: predictions and attributions by the models that never saw him.

These functions run in a worker process that stays warm between two movements of a slider; ``cache`` keeps the cohort
and the fitted models of a fold there.
"""

from __future__ import annotations

import warnings
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.workflows.compare import NETWORKS, CompareResult, build, fit_on_rows

Cache = MutableMapping[Any, Any]
Arrays = dict[str, np.ndarray]

GRADIENT_METHODS = {
    "integrated_gradients": "Integrated Gradients",
    "deeplift": "DeepLift",
    "gradient_shap": "GradientShap",
    "occlusion": "Occlusion",
    "gradcam": "Layer Grad-CAM",
}
"""Captum methods that need the network's inside."""
REGION_METHODS = {"shapley": "Shapley values of map regions", "ablation": "Ablation of map regions"}
"""Captum methods for any predictor."""


def predict(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Class probabilities of raw rows under the models of one fold.

    Parameters
    ----------
    spec
        ``run``: folder of the comparison; ``fold``: whose models answer; ``models``: their names.
    arrays
        ``X (m, p)``: rows in the units of the cohort, NaN where a feature is missing.

    Returns
    -------
    Nothing, and ``model -> (m, C)`` probabilities.
    """
    run, fold = Path(spec["run"]), int(spec["fold"])
    return {}, {name: _proba(run, fold, name, arrays["X"], cache) for name in spec["models"]}


def attribute(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Why one model of one fold gives one raw row its probability of a class.

    Parameters
    ----------
    spec
        ``run``, ``fold``, ``model``, ``target`` (class code), ``method`` (of `GRADIENT_METHODS` for networks, of
        `REGION_METHODS` for any model), ``n_samples`` permutations for Shapley values.
    arrays
        ``x (p,)``: the row; ``groups (p,)``: map region of each feature, -1 outside the map.

    Returns
    -------
    ``output``, ``baseline_output``, ``completeness_gap``, ``method``; and ``values (p,)``.
    """
    from genomap_core.explain import explain

    run, fold = Path(spec["run"]), int(spec["fold"])
    dataset, result = _cohort(run, cache)
    model = _fitted(run, fold, spec["model"], cache)
    train = np.flatnonzero(result.fold_of_row != fold)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = explain(
            model,
            arrays["x"],
            target=int(spec["target"]),
            method=spec["method"],
            groups=arrays["groups"].astype(np.int64),
            background=dataset.X[train],
            feature_names=dataset.feature_names,
            classes=dataset.classes,
            n_samples=int(spec.get("n_samples", 12)),
        )
    about = {
        "output": float(found.output),
        "baseline_output": float(found.baseline_output),
        "completeness_gap": float(found.completeness_gap),
        "method": found.method,
    }
    return about, {"values": np.asarray(found.values, np.float32)}


def agreement(a: np.ndarray, b: np.ndarray, k: int = 50) -> Any:
    """How much two attributions ``(p,)`` of the same features agree: ``spearman`` and ``top_k_overlap``."""
    from genomap_core.explain.attribution import agreement_of

    return agreement_of(a, b, k)


def predict_bundle(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Class probabilities of raw rows under a saved model: ``spec["path"]``, ``X (m, p)`` -> ``proba (m, C)``."""
    from genomap_core.training import load_bundle

    key = ("bundle", spec["path"])
    if key not in cache:
        cache[key] = load_bundle(Path(spec["path"]))
    bundle = cache[key]
    bundle.check_features(spec["feature_names"])
    return {"classes": list(bundle.classes)}, {"proba": bundle.pipeline.predict_proba(arrays["X"])}


def _cohort(run: Path, cache: Cache) -> tuple[Dataset, CompareResult]:
    key = ("cohort", str(run))
    if key not in cache:
        cache[key] = Dataset.load(run / "dataset.npz"), CompareResult.load(run)
    return cache[key]


def _fitted(run: Path, fold: int, name: str, cache: Cache) -> Any:
    """The model of this fold: read from its bundle, or fitted again on the fold's training rows."""
    key = ("model", str(run), fold, name)
    if key not in cache:
        dataset, result = _cohort(run, cache)
        if name in NETWORKS:
            from genomap_core.training import load_bundle

            cache[key] = load_bundle(run / f"{name}-fold{fold}.safetensors").pipeline
        else:
            rows = np.flatnonzero(result.fold_of_row != fold)
            cache[key] = fit_on_rows(build(name, result.config, dataset), dataset, rows)
    return cache[key]


def _proba(run: Path, fold: int, name: str, X: np.ndarray, cache: Cache) -> np.ndarray:
    _, result = _cohort(run, cache)
    model = _fitted(run, fold, name, cache)
    full = np.zeros((len(X), len(result.classes)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        full[:, model.classes_] = model.predict_proba(X)
    return full
