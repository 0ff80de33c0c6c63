"""One patient under every model of a comparison: predictions and attributions by the models that never saw the patient.

These functions run in a worker process that stays warm between two movements of a slider; ``cache`` keeps the cohort
and the fitted models of a fold there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import some
from genomap_core.data.perturb import Perturbation, perturb
from genomap_core.errors import Cancelled, InputError, ModelLimitError
from genomap_core.explain.stages import used_features
from genomap_core.pfn import find_weights
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.workflows.comparison.result import changed, exists
from genomap_core.workflows.tabular.agreement import agreed, ceiling_of
from genomap_core.workflows.tabular.compare import NETWORKS, CompareConfig, CompareResult, build, compare, fit_on_rows
from genomap_core.workflows.tabular.genomap import GenomapResult, region_groups
from genomap_core.workflows.tabular.saved_model import seen_in_training
from genomap_core.workflows.tabular.shipped import cohort_of

_BATCH_ROWS = 128  # a stop is noticed between two batches

DRAWS = 16
LEAST_NOISE = 0.05
"""Of the draws whose range is shown, in standard deviations of each feature, where the slider stands lower."""

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
TABULAR_METHODS = {"integrated_gradients": "Integrated Gradients (differentiable view)"}
"""Methods that need the gradients of a tabular foundation model."""
LINEAR_METHODS = {"integrated_gradients": "Integrated Gradients"}
"""Methods that need the weights of logistic regression."""
REGION_METHODS = {"shapley": "Shapley values of map regions", "ablation": "Ablation of map regions"}
"""Captum methods for any predictor."""


def methods_for(model: str) -> dict[str, str]:
    """Methods that can explain a model of a comparison, with their titles; the first is the default."""
    own = GRADIENT_METHODS if model in NETWORKS else LINEAR_METHODS if model == "logistic" else {}
    return own | REGION_METHODS | (TABULAR_METHODS if model == "pfn" else {})


def method_title(model: str, method: str) -> str:
    """A method of a model's explanation for people."""
    return methods_for(model).get(method, method)


def noisy_rows(dataset: Dataset, row: int, shown: Perturbation, scale: np.ndarray) -> np.ndarray:
    """``(1 + DRAWS, p)`` raw rows: the one that is shown, then other draws of the noise for the interval.

    ``scale (p,)``: of :func:`spread_of`.
    """
    x = dataset.X[[row]]
    again = Perturbation(max(shown.level, LEAST_NOISE), shown.keep, shown.seed)
    drawn = [perturb(x, np.array([dataset.n_samples * (k + 1) + row]), scale, again) for k in range(DRAWS)]
    return np.vstack([perturb(x, np.array([row]), scale, shown), *drawn])


def spread_of(dataset: Dataset) -> np.ndarray:
    """``(p,)`` float32 standard deviation of every feature in the cohort, missing values left out."""
    X = dataset.X if isinstance(dataset.X, np.ndarray) else dataset.X.toarray()
    count = (~np.isnan(X)).sum(0)
    return np.where(count > 0, np.nanstd(np.where(count > 0, X, 0), axis=0), 0).astype(np.float32)


def predict(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Class probabilities of raw rows under the models of one fold.

    Parameters
    ----------
    spec
        ``run``: folder of the comparison; ``fold``: whose models answer; ``models``: their names; ``estimators`` of
        the tabular model (those of the comparison where it is not given).
    arrays
        ``X (m, p)``: rows in the units of the cohort, NaN where a feature is missing.

    Returns
    -------
    Nothing, and ``model -> (m, C)`` probabilities.
    """
    run, fold = Path(spec["run"]), int(spec["fold"])
    return {}, {name: _proba(run, fold, name, arrays["X"], cache, spec.get("estimators")) for name in spec["models"]}


def attribute(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Why one model of one fold gives one raw row its probability of a class.

    Parameters
    ----------
    spec
        ``run``, ``fold``, ``model``, ``target`` (class code), ``method`` (of `GRADIENT_METHODS` for networks, of
        `TABULAR_METHODS` for the tabular model, of `REGION_METHODS` for any), ``n_samples`` permutations for Shapley
        values, ``estimators`` as above, ``desk``: a folder for :class:`Desk`; ``seed``: of a model like that of the
        comparison, fitted for this explanation.
    arrays
        ``x (p,)``: the row; ``groups (p,)``: map region of each feature, -1 outside the map.

    Returns
    -------
    ``output``, ``baseline_output``, ``completeness_gap``, ``method``; and ``values (p,)``, ``used (p,)``: which
    features the model looks at.
    """
    from genomap_core.explain import explain

    run, fold = Path(spec["run"]), int(spec["fold"])
    dataset, result = _cohort(run, cache)
    desk = Desk(Path(spec["desk"])) if spec.get("desk") else None
    if desk is not None:
        desk.check()
    model = _fitted(run, fold, spec["model"], cache, spec.get("estimators"), spec.get("seed"))
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
            n_samples=int(spec.get("n_samples", 12 if spec["method"] in REGION_METHODS else 32)),
            batch_rows=_BATCH_ROWS,
            on_progress=ignore if desk is None else desk.report,
        )
    about = {
        "output": float(found.output),
        "baseline_output": float(found.baseline_output),
        "completeness_gap": float(found.completeness_gap),
        "method": found.method,
    }
    used = used_features(model, dataset.n_features)
    return about, {"values": np.asarray(found.values, np.float32), "used": used}


def attribute_bundle(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Why a saved model gives one raw row its probability of a class.

    Parameters
    ----------
    spec
        ``path`` of the bundle, ``feature_names`` of the row; ``target``, ``method`` and ``desk`` as of
        :func:`attribute`.
    arrays
        ``x (p,)``, ``groups (p,)``; ``background (m, p)``: raw rows that stand for the usual sample.

    Returns
    -------
    As of :func:`attribute`.
    """
    from genomap_core.explain import explain
    from genomap_core.workflows.tabular.saved_model import with_features_of

    desk = Desk(Path(spec["desk"])) if spec.get("desk") else None
    bundle, names = _bundle(spec["path"], cache), tuple(spec["feature_names"])
    rows = np.vstack([arrays["x"][None], arrays["background"]])
    given = Dataset("table", rows, names, tuple(f"row {i}" for i in range(len(rows))))
    X = with_features_of(bundle, given)[0].X
    at = {name: j for j, name in enumerate(names)}
    own = np.array([at.get(name, -1) for name in bundle.feature_names])  # where the model's features stand in the row
    groups = np.where(own >= 0, arrays["groups"].astype(np.int64)[own], -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = explain(
            bundle.pipeline,
            X[0],
            target=int(spec["target"]),
            method=spec["method"],
            groups=groups,
            background=X[1:],
            feature_names=bundle.feature_names,
            classes=bundle.classes,
            batch_rows=_BATCH_ROWS,
            on_progress=ignore if desk is None else desk.report,
        )
    about = {
        "output": float(found.output),
        "baseline_output": float(found.baseline_output),
        "completeness_gap": float(found.completeness_gap),
        "method": found.method,
    }
    values, used = np.zeros(len(names), np.float32), np.zeros(len(names), bool)
    values[own[own >= 0]] = np.asarray(found.values, np.float32)[own >= 0]
    used[own[own >= 0]] = used_features(bundle.pipeline, len(own))[own >= 0]
    return about, {"values": values, "used": used}


def seed_ceiling(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """How far the attributions of the same models agree that differ in their seed alone: the ceiling of any agreement.

    Parameters
    ----------
    spec
        As of :func:`attribute`, but ``models`` (two names) and ``methods`` (one each) instead of ``model`` and
        ``method``. Each model is fitted once more, with another seed.

    Returns
    -------
    ``own``: what each model reaches with itself; ``ceiling``: of both, see
    :func:`~genomap_core.workflows.tabular.agreement.ceiling_of`.
    """
    _, result = _cohort(Path(spec["run"]), cache)
    own = {}
    for model, method in zip(spec["models"], spec["methods"], strict=True):
        pair = []
        for seed in (None, result.config.seed + 1):
            about, found = attribute({**spec, "model": model, "method": method, "seed": seed}, arrays, cache)
            pair.append({**about, **found})
        own[model] = agreed(pair[0], pair[1], arrays["groups"].astype(np.int64)).value
    return {"own": own, "ceiling": ceiling_of(*own.values()) if len(own) == 2 else None}, {}


class Desk:
    """A folder over which a page follows and stops an explanation that runs in another process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def report(self, progress: Progress) -> None:
        """Write how far it is; raises :class:`~genomap_core.errors.Cancelled` once it was stopped."""
        self.check()
        part = self.folder / "progress.part"
        part.write_text(f"{progress.step} {progress.total}")
        part.replace(self.folder / "progress")

    def check(self) -> None:
        """Raise :class:`~genomap_core.errors.Cancelled` if it was stopped."""
        if not self.folder.is_dir() or (self.folder / "stop").is_file():
            raise Cancelled("Stopped.")

    def stop(self) -> None:
        """Ask for the end; it comes with the next batch of rows."""
        if self.folder.is_dir():  # otherwise it has just ended
            (self.folder / "stop").touch()

    def share(self) -> float:
        """How much is done, 0 to 1."""
        path = self.folder / "progress"
        step, total = (int(v) for v in path.read_text().split()) if path.is_file() else (0, 0)
        return min(1.0, step / total) if total else 0.0


def predict_bundle(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Class probabilities of raw rows under a saved model, also where features that it knows are lacking.

    Parameters
    ----------
    spec
        ``path`` of the model; ``feature_names`` and ``sample_ids`` of the rows.
    arrays
        ``X (m, p)``.

    Returns
    -------
    ``classes``, and ``notes`` on what is missing and what that costs; ``proba (m, C)``, and ``seen (m,)``: which rows
    were in the model's training; not there where the file does not know.
    """
    from genomap_core.workflows.tabular.saved_model import with_features_of

    bundle = _bundle(spec["path"], cache)
    given = Dataset("table", arrays["X"], tuple(spec["feature_names"]), tuple(spec["sample_ids"]))
    taken, notes = with_features_of(bundle, given)
    found = {"proba": bundle.pipeline.predict_proba(taken.X)}
    if (seen := seen_in_training(bundle, taken.X)) is not None:
        found["seen"] = seen
    return {"classes": list(bundle.classes), "notes": notes}, found


def _bundle(path: str, cache: Cache) -> Any:
    from genomap_core.training import load_bundle

    key = ("bundle", path)
    if key not in cache:
        cache[key] = load_bundle(Path(path))
    return cache[key]


def _cohort(run: Path, cache: Cache) -> tuple[Dataset, CompareResult]:
    """The cohort, and the comparison as far as it is."""
    key, written = ("cohort", str(run)), ("result", str(run), changed(run))
    if key not in cache:
        cache[key] = cohort_of(run)
    if written not in cache:
        cache[written] = CompareResult.load(run)
    return cache[key], cache[written]


def _fitted(
    run: Path, fold: int, name: str, cache: Cache, estimators: int | None = None, seed: int | None = None
) -> Any:
    """The model of this fold: read from its bundle, or fitted again on the fold's training rows: the same model."""
    key = ("model", str(run), fold, name, estimators if name == "pfn" else None, seed)
    if key not in cache:
        dataset, result = _cohort(run, cache)
        bundle = run / f"{name}-fold{fold}.safetensors"
        if name in NETWORKS and bundle.is_file() and seed is None:
            from genomap_core.training import load_bundle

            cache[key] = load_bundle(bundle).pipeline
        else:
            rows = np.flatnonzero(result.fold_of_row != fold)
            config = result.config if seed is None else replace(result.config, seed=seed)
            model = build(name, config, dataset)
            if name == "pfn":
                # The cache of keys and values makes every later prediction cheap; what the model was given is known.
                model.set_params(model_path=_weights(result), keep_cache=True)
                model.set_params(selection=_selection(result.run(name).facts, fold))
                model.set_params(n_estimators=estimators or model.n_estimators)
            cache[key] = fit_on_rows(model, dataset, rows)
    return cache[key]


def _selection(facts: Mapping[str, Any], fold: int) -> str:
    """What the tabular model was given in this fold; runs of before it answered twice say nothing of whole tables."""
    if chosen := facts.get("selections"):
        return str(chosen[fold])
    return "auto" if "answered" in facts else "none"


def _weights(result: CompareResult) -> str | None:
    """Path of the very weights that answered in the comparison; where they are gone, what the options say."""
    sha256 = result.run("pfn").facts.get("weights_sha256")
    named = [] if result.config.weights is None else [result.config.weights]
    return next((str(w.path) for w in find_weights(named) if w.sha256 == sha256), result.config.weights)


def _proba(run: Path, fold: int, name: str, X: np.ndarray, cache: Cache, estimators: int | None = None) -> np.ndarray:
    _, result = _cohort(run, cache)
    model = _fitted(run, fold, name, cache, estimators)
    full = np.zeros((len(X), len(result.classes)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        full[:, model.classes_] = model.predict_proba(X)
    return full


def row_of(dataset: Dataset, sample: str) -> int:
    """The row of a sample; :class:`InputError` names some that there are."""
    if sample not in dataset.sample_ids:
        raise InputError(
            f"{dataset.name}: there is no sample {sample!r} among the {dataset.n_samples:,} of the cohort, which are "
            f"called {some(dataset.sample_ids, 5)}."
        )
    return dataset.sample_ids.index(sample)


def comparison(
    dataset: Dataset, config: CompareConfig, folder: Path, on_progress: OnProgress = ignore
) -> CompareResult:
    """The comparison in ``folder``: read where it is finished, else made and kept there with the cohort.

    With other options than before only the models that they touch are fitted again.

    Raises
    ------
    InputError
        The folder holds a comparison of another cohort.
    """
    if exists(folder, CompareResult.kind):
        found = CompareResult.load(folder)
        if found.digest != dataset.digest:
            raise InputError(f"{folder} holds a comparison of another cohort: choose another folder.")
        if found.config == config and not found.pending:
            return found
    folder.mkdir(parents=True, exist_ok=True)
    dataset.save(folder / "dataset.npz")
    return compare(dataset, config, folder, on_progress)


def explained_answers(
    folder: Path,
    dataset: Dataset,
    genomap: GenomapResult,
    found: CompareResult,
    row: int,
    target: int,
    models: Sequence[str],
    on_progress: OnProgress = ignore,
    cache: Cache | None = None,
) -> list[dict[str, Any]]:
    """What each model of the comparison in ``folder`` says of a patient that it never saw, and why.

    Returns
    -------
    For each model ``model``, ``label``, ``proba (1 + draws, C)``, ``values (p,)``, ``method``, ``completeness_gap``.

    Raises
    ------
    ModelLimitError
        A model did not get through the comparison; its own message says why.
    """
    for name in models:
        run = found.run(name)
        if run.status != "ok":
            raise ModelLimitError(f"{run.label} has no answer ({run.status}): {run.message}")
    cache = {} if cache is None else cache
    fold = int(found.fold_of_row[row])
    X = noisy_rows(dataset, row, Perturbation(), spread_of(dataset))
    _, probas = predict({"run": folder, "fold": fold, "models": list(models)}, {"X": X}, cache)
    groups = region_groups(genomap, dataset.n_features)
    answers = []
    for k, name in enumerate(models):
        label = found.run(name).label
        on_progress(Progress(f"explaining {label}", k, len(models)))
        spec = {"run": folder, "fold": fold, "model": name, "target": target, "method": next(iter(methods_for(name)))}
        about, arrays = attribute(spec, {"x": X[0], "groups": groups}, cache)
        answers.append({"model": name, "label": label, "proba": probas[name], **arrays, **about})
    return answers
