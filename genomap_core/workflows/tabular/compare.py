"""Every model on the same folds of one cohort: out-of-fold probabilities, scores with intervals, time and memory."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.errors import Cancelled, GenomapError, InputError, ModelLimitError, OutOfMemoryError
from genomap_core.files import replacing
from genomap_core.pfn import STRATEGIES
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.workflows.comparison.folds import make_folds
from genomap_core.workflows.comparison.resources import measure
from genomap_core.workflows.comparison.scores import Score, paired_difference, score_table
from genomap_core.workflows.tabular.models import MODELS, make_classifier

REFERENCES = ("logistic", "genomap_random")
"""The linear baseline, and the control of the layout: every other model is compared with them."""
NETWORKS = ("genomap", "genomap_random", "genonet")
"""Models that are kept as bundles, one a fold."""


@dataclass(frozen=True, slots=True)
class CompareConfig:
    """What is compared, and how."""

    models: tuple[str, ...] = ("genomap", "genomap_random", "pfn", "logistic", "forest")
    n_folds: int = 5
    seed: int = 0
    max_features: int = 4096
    """The map's features, chosen by variance on the training rows of each fold."""
    max_epochs: int | None = None
    """None: the network's own default."""
    device: str = "auto"
    weights: str | None = None
    """Path of the tabular model's weights; None: the first that are found."""
    n_estimators: int | None = None
    """The tabular model's ensemble size; None: what is usual with its weights and so many rows."""

    def __post_init__(self) -> None:
        unknown = set(self.models) - set(MODELS)
        if unknown or not self.models:
            raise InputError(f"Unknown models {sorted(unknown)}: choose some of {', '.join(MODELS)}.")


@dataclass(frozen=True, eq=False)
class ModelRun:
    """One model over all folds. A failure is a result: ``status`` and ``message`` say what happened."""

    name: str
    label: str
    """What answered, weights named: "TabPFN v2 (sha256 ...)"."""
    status: str
    """``ok``, ``refused``, ``oom`` or ``error``"""
    message: str
    proba: np.ndarray | None
    """``(n, C)`` out-of-fold probabilities, None unless ``ok``."""
    fit_seconds: float
    """Sum over the folds."""
    predict_seconds: float
    peak_mb: float
    note: str = ""
    """Such as the number of features a model was given, and how they were chosen."""
    weights_sha256: str = ""
    """Of the weights that answered, for models that come with weights."""
    licence: str = ""
    """Of these weights."""
    selections: tuple[str, ...] = ()
    """How the tabular model's table was narrowed, fold by fold; empty where it was not."""


@dataclass(frozen=True, eq=False)
class CompareResult:
    """All models on the same folds."""

    config: CompareConfig
    classes: tuple[str, ...]
    y: np.ndarray
    fold_of_row: np.ndarray
    """``(n,)`` the fold in which a row was tested."""
    runs: tuple[ModelRun, ...]
    scores: dict[str, dict[str, Score]]
    """Model -> metric -> score, for the models that ran."""
    differences: dict[tuple[str, str], Score]
    """(model, reference) -> difference of balanced accuracy, paired by patient; see `REFERENCES`."""
    digest: str
    """Of the data set."""

    def run(self, name: str) -> ModelRun:
        """The run of this model; KeyError when it was not compared."""
        return {r.name: r for r in self.runs}[name]

    def save(self, folder: Path) -> None:
        """Write ``compare.json`` and ``compare.npz``."""
        header = {
            "config": asdict(self.config),
            "classes": self.classes,
            "digest": self.digest,
            "runs": [_header(r) for r in self.runs],
            "scores": {m: {k: asdict(s) for k, s in row.items()} for m, row in self.scores.items()},
            "differences": [[*pair, asdict(s)] for pair, s in self.differences.items()],
        }
        (folder / "compare.json").write_text(json.dumps(header))
        probas: dict[str, Any] = {f"proba_{r.name}": r.proba for r in self.runs if r.proba is not None}
        np.savez(folder / "compare.npz", y=self.y, fold_of_row=self.fold_of_row, **probas)

    @classmethod
    def load(cls, folder: Path) -> CompareResult:
        """Read what :meth:`save` wrote."""
        header = json.loads((folder / "compare.json").read_text())
        with np.load(folder / "compare.npz", allow_pickle=False) as f:
            arrays = dict(f)
        return cls(
            config=CompareConfig(**{**header["config"], "models": tuple(header["config"]["models"])}),
            classes=tuple(header["classes"]),
            y=arrays["y"],
            fold_of_row=arrays["fold_of_row"],
            runs=tuple(_read_run(r, arrays.get(f"proba_{r['name']}")) for r in header["runs"]),
            scores={m: {k: Score(**s) for k, s in row.items()} for m, row in header["scores"].items()},
            differences={(a, b): Score(**s) for a, b, s in header["differences"]},
            digest=header["digest"],
        )


def _header(run: ModelRun) -> dict[str, Any]:
    return {f.name: getattr(run, f.name) for f in fields(run) if f.name != "proba"}


def _keep_run(path: Path, run: ModelRun, about: dict[str, Any]) -> None:
    """Write what a model answered: whole, or not at all. A failure is tried again."""
    if run.proba is None:
        return
    header = json.dumps({"about": about, "run": _header(run)})
    with replacing(path) as beside:
        np.savez(beside, header=np.frombuffer(header.encode(), np.uint8), proba=run.proba)


def _kept_run(path: Path, about: dict[str, Any]) -> ModelRun | None:
    """What the model answered before the work was stopped; None where it had not come so far, or to other questions."""
    try:
        with np.load(path, allow_pickle=False) as file:
            header, proba = json.loads(file["header"].tobytes()), file["proba"]
        return _read_run(header["run"], proba) if header["about"] == about else None
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _read_run(header: dict[str, Any], proba: np.ndarray | None) -> ModelRun:
    return ModelRun(**{**header, "selections": tuple(header.get("selections", ()))}, proba=proba)


def verdict(found: CompareResult) -> str:
    """In words: does the map beat its control and the linear baseline? Empty where neither was compared."""
    lines = []
    for other, title in (("genomap_random", "a random layout"), ("logistic", "logistic regression")):
        difference = found.differences.get(("genomap", other))
        if difference is None:
            continue
        sure = difference.low > 0 or difference.high < 0
        better = "ahead of" if difference.value > 0 else "behind"
        lines.append(
            f"GenoMap is {better} {title} by {abs(difference.value):.3f} balanced accuracy"
            if sure
            else f"no difference between GenoMap and {title} can be claimed"
            f" ({difference.low:+.3f} to {difference.high:+.3f})"
        )
    return f"{'; '.join(lines)}." if lines else ""


def build(name: str, config: CompareConfig, dataset: Dataset, on_epoch: OnProgress = ignore) -> Any:
    """The unfitted classifier ``name`` as the comparison uses it on ``dataset``."""
    if name in NETWORKS:
        options: dict[str, Any] = {"max_features": config.max_features, "random_state": config.seed}
        options |= {"device": config.device, "on_progress": on_epoch}
        if name != "genonet":
            options |= omics_channels(dataset, config.max_features)
        if config.max_epochs is not None:
            options["max_epochs"] = config.max_epochs
        return make_classifier(name, **options)
    if name == "pfn":
        return make_classifier(
            name,
            model_path=config.weights,
            n_estimators=config.n_estimators,
            device=config.device,
            random_state=config.seed,
        )
    return make_classifier(name, random_state=config.seed)


def compare(
    dataset: Dataset,
    config: CompareConfig = CompareConfig(),
    folder: Path | None = None,
    on_progress: OnProgress = ignore,
) -> CompareResult:
    """Fit and test every model on the same folds; selection, scaling and layout are learned inside each fold.

    Networks of each fold are saved in ``folder`` (when given), so that a patient can be explained by the very
    model that never saw him. So is what each model answered: when the work is stopped and run again in the folder, a
    model that was finished is not fitted again.
    """
    folds = make_folds(dataset, config.n_folds, config.seed)
    fold_of_row = np.empty(dataset.n_samples, np.int64)
    for k, (_, test) in enumerate(folds):
        fold_of_row[test] = k
    runs = []
    total = len(config.models) * len(folds)
    about = json.loads(json.dumps({"digest": dataset.digest, "config": asdict(config)}))
    for m, name in enumerate(config.models):
        step = m * len(folds)

        def tell(k: int, step: int = step, name: str = name) -> None:
            on_progress(Progress(f"{MODELS[name]}: fold {min(k + 1, len(folds))} of {len(folds)}", step + k, total))

        kept = None if folder is None else folder / f"run-{name}.npz"
        run = None if kept is None else _kept_run(kept, about)
        if run is None:
            run = _run(name, dataset, config, folds, folder, tell)
            if kept is not None:
                _keep_run(kept, run, about)
        runs.append(run)
    assert dataset.y is not None
    probas = {r.name: r.proba for r in runs if r.proba is not None}
    on_progress(Progress("intervals", total, total))
    result = CompareResult(
        config=config,
        classes=dataset.classes,
        y=dataset.y,
        fold_of_row=fold_of_row,
        runs=tuple(runs),
        scores=score_table(dataset.y, probas, dataset.groups),
        differences={
            (name, other): paired_difference("balanced_accuracy", dataset.y, p, probas[other], dataset.groups)
            for other in REFERENCES
            if other in probas
            for name, p in probas.items()
            if name != other
        },
        digest=dataset.digest,
    )
    if folder is not None:
        result.save(folder)
    return result


def _run(
    name: str,
    dataset: Dataset,
    config: CompareConfig,
    folds: list[tuple[np.ndarray, np.ndarray]],
    folder: Path | None,
    tell: Callable[[int], None],
) -> ModelRun:
    assert dataset.y is not None
    proba = np.zeros((dataset.n_samples, len(dataset.classes)), np.float64)
    fit_seconds = predict_seconds = peak = 0.0
    found = ModelRun(name, MODELS[name], "ok", "", None, 0.0, 0.0, 0.0)
    try:
        for k, (train, test) in enumerate(folds):
            tell(k)
            model = build(name, config, dataset, partial(_retell, tell, k))
            with measure() as fitting, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit_on_rows(model, dataset, train)
            with measure() as predicting:
                proba[np.ix_(test, model.classes_)] = model.predict_proba(dataset.X[test])
            fit_seconds += fitting.seconds
            predict_seconds += predicting.seconds
            peak = max(peak, fitting.peak_mb, predicting.peak_mb)
            found = _described(found, model)
            if folder is not None and name in NETWORKS:
                _keep(model, dataset, folder / f"{name}-fold{k}.safetensors", config)
        tell(len(folds))
    except Cancelled:
        raise
    except (GenomapError, MemoryError) as error:
        status = "oom" if isinstance(error, (OutOfMemoryError, MemoryError)) else "refused"
        status = "refused" if isinstance(error, ModelLimitError) else status
        found = replace(found, status=status, message=str(error))
    answered = proba if found.status == "ok" else None
    return replace(found, proba=answered, fit_seconds=fit_seconds, predict_seconds=predict_seconds, peak_mb=peak)


def _retell(tell: Callable[[int], None], fold: int, progress: Progress) -> None:
    """An epoch of a network is a sign of life of its fold, and the place where a cancel is noticed."""
    tell(fold)


def omics_channels(dataset: Dataset, max_features: int) -> dict[str, Any]:
    """Options that give each omics type a map of its own, where the features of all types fit."""
    if dataset.omics is None or dataset.n_features > max_features:
        return {}
    return {"channels": dataset.omics, "selection": "none"}


def fit_on_rows(model: Any, dataset: Dataset, rows: np.ndarray) -> Any:
    """``model.fit`` on these rows, with the groups where the model's inner splits can use them."""
    assert dataset.y is not None
    X, y = dataset.X[rows], dataset.y[rows]
    if dataset.groups is not None and hasattr(model, "named_steps") and "network" in model.named_steps:
        return model.fit(X, y, network__groups=dataset.groups[rows])
    return model.fit(X, y)


def _described(found: ModelRun, model: Any) -> ModelRun:
    """What one more fitted model says of itself: features, weights, and how a wide table was narrowed."""
    used = getattr(model, "n_features_used_", None)
    if used is None and hasattr(model, "named_steps") and "preprocess" in model.named_steps:
        used = len(getattr(model.named_steps["preprocess"], "kept_", ()))
    note = f"{used:,} of {model.n_features_in_:,} features" if used else found.note
    if (weights := getattr(model, "weights_", None)) is None:
        return replace(found, note=note)
    found = replace(found, label=weights.label, weights_sha256=weights.sha256, licence=weights.licence)
    if model.choice_ is None:
        return replace(found, note=note)
    ways = (*found.selections, model.choice_.selection)
    counted = ", ".join(f"{STRATEGIES[way]} ({n} of {len(ways)} folds)" for way, n in Counter(ways).most_common())
    by = f"; chosen of {len(model.choice_.losses)} ways on inner folds" if model.choice_.losses else ""
    note = f"{used:,} inputs from {model.n_features_in_:,} features: {counted}{by}"
    return replace(found, selections=ways, note=note)


def _keep(model: Any, dataset: Dataset, path: Path, config: CompareConfig) -> None:
    from genomap_core.training import save_bundle

    save_bundle(
        path,
        model,
        feature_names=dataset.feature_names,
        classes=dataset.classes,
        provenance={"dataset": dataset.digest, "seed": config.seed},
    )


def task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: compare on ``folder/dataset.npz`` with ``spec["config"]``; the result lies in ``folder``."""
    config = CompareConfig(**{**spec["config"], "models": tuple(spec["config"]["models"])})
    result = compare(Dataset.load(folder / "dataset.npz"), config, folder, on_progress)
    return {"models": {r.name: r.status for r in result.runs}}
