"""One run, from a data set in memory to its record. Everything learned is learned on the training rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import has_fit_parameter

from genomap_core.benchmark.models import build, preload
from genomap_core.benchmark.protocol import Run
from genomap_core.benchmark.records import METRICS, Record, failed
from genomap_core.data.counts import thin
from genomap_core.data.dataset import Dataset
from genomap_core.data.perturb import Perturbation, block_rank, keep_rank, perturb, subsample_rows
from genomap_core.errors import GenomapError, InputError
from genomap_core.workflows.comparison.folds import make_folds
from genomap_core.workflows.comparison.runner import measure
from genomap_core.workflows.comparison.scores import score


@dataclass(frozen=True, slots=True)
class Settings:
    """What all runs of a bundle share.

    Parameters
    ----------
    n_folds
        Of this data set.
    options
        Model -> its options.
    device
        ``cpu`` or ``cuda``.
    plugin
        A module of the user's with more models.
    counts
        The scale of the data set's counts, as its catalogue entry says; empty where it holds none.
    common
        Fields every record gets: machine, versions, limits.
    """

    n_folds: int
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    device: str = "cpu"
    plugin: str | None = None
    counts: str = ""
    common: Mapping[str, Any] = field(default_factory=dict)


def check_set(dataset: Dataset) -> None:
    """:class:`InputError` for a cohort on which nothing can be learned."""
    if dataset.n_features == 0 or dataset.n_samples == 0:
        raise InputError(f"{dataset.name}: {dataset.n_samples} samples x {dataset.n_features} features.")
    values = dataset.X.data if sp.issparse(dataset.X) else dataset.X
    if not sp.issparse(dataset.X) and np.isnan(values).all():
        raise InputError(f"{dataset.name}: every value is missing.")
    if np.isinf(values).any():
        raise InputError(f"{dataset.name}: {int(np.isinf(values).sum())} values are infinite: correct the file.")


def training_scale(X: np.ndarray) -> np.ndarray:
    """Standard deviation of each feature ``(n, p)`` -> ``(p,)``, missing values left out; 0 where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without values
        return np.nan_to_num(np.nanstd(X.astype(np.float64), axis=0)).astype(np.float32)


def prepare(run: Run, dataset: Dataset, n_folds: int, counts: str = "") -> tuple[Dataset, np.ndarray, np.ndarray]:
    """The disturbed cohort with its training and test rows; noise and blocks are measured on the training rows."""
    train, test = make_folds(dataset, n_folds, run.split_seed)[run.fold]
    assert dataset.y is not None
    if run.condition.fraction < 1:
        groups = None if dataset.groups is None else dataset.groups[train]
        train = train[subsample_rows(dataset.y[train], groups, run.condition.fraction, run.rows_seed)]
    if run.condition.keep < 1:
        return replace(dataset, X=_lost(run, dense(dataset.X), train, test)), train, test
    if run.condition.reads < 1:
        return replace(dataset, X=_thinned(run, dataset, test, counts)), train, test
    if not run.condition.noise:
        return dataset, train, test
    X = dense(dataset.X)
    noise = Perturbation(run.condition.noise, 1.0, run.noise_seed)
    rows = np.concatenate([train, test]) if run.condition.noisy_training else test
    scale = training_scale(X[train])
    disturbed = X.copy()
    disturbed[rows] = perturb(X[rows], rows, scale, noise)
    return replace(dataset, X=disturbed), train, test


def _lost(run: Run, X: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """A copy of ``X`` ``(n, p)`` whose test rows lack features, NaN; one at least is kept."""
    seed = run.keep_seed
    rank = block_rank(X[train], seed) if run.condition.in_blocks else keep_rank(seed, X.shape[1])
    X = X.copy()
    X[np.ix_(test, np.flatnonzero((rank >= np.float32(run.condition.keep)) & (rank > rank.min())))] = np.nan
    return X


def _thinned(run: Run, dataset: Dataset, test: np.ndarray, counts: str) -> np.ndarray:
    """A copy of the values ``(n, p)`` whose test rows have fewer reads."""
    if not counts:
        raise InputError(
            f"{dataset.name} holds no counts of reads (its catalogue entry names no `counts`): nothing to thin."
        )
    X = dense(dataset.X).copy()
    X[test] = thin(X[test], test, counts, run.condition.reads, run.reads_seed, dataset.name)
    return X


def dense(X: Any) -> np.ndarray:
    """``(n, p)`` float32, also from a sparse matrix."""
    return np.asarray(X.toarray() if sp.issparse(X) else X, np.float32)


def fit(model: Any, X: Any, y: np.ndarray, groups: np.ndarray | None) -> Any:
    """``model.fit``; the groups go to the step that splits the training rows again, if it takes them."""
    if groups is None:
        return model.fit(X, y)
    steps = getattr(model, "steps", None)
    name, last = steps[-1] if steps else ("", model)
    if not has_fit_parameter(last, "groups"):
        return model.fit(X, y)
    return model.fit(X, y, **{f"{name}__groups" if steps else "groups": groups})


@dataclass(slots=True)
class Trained:
    """The model fitted last, for further runs that disturb test rows alone: their records share its time of fitting."""

    key: tuple[str, int, str, str, int, int] | None = None
    model: Any = None
    fitting: Any = None


def work(run: Run, dataset: Dataset, settings: Settings, last: Trained | None = None) -> Record:
    """Fit, or take the ``last`` fitted model if it is this run's; predict, score.

    Every failure that Python can catch becomes a record too.
    """
    common = {"data_sha256": dataset.digest, **settings.common}
    try:
        return _work(run, dataset, settings, common, Trained() if last is None else last)
    except Exception as error:  # noqa: BLE001 - whatever a model raises is the outcome of this run
        return failed(run, status_of(error), message_of(error), device=settings.device, **common)


def _work(run: Run, dataset: Dataset, settings: Settings, common: Mapping[str, Any], last: Trained) -> Record:
    check_set(dataset)
    disturbed, train, test = prepare(run, dataset, settings.n_folds, settings.counts)
    assert disturbed.y is not None
    y = disturbed.y
    reset_gpu_peak()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        key = (*run.trained, run.dataset, run.seed, run.fold)
        if last.key != key:
            last.key, last.model = None, None
            last.model, last.fitting = _fitted(run, disturbed, train, settings)
            last.key = key
        model, fitting = last.model, last.fitting
        with measure() as predicting:
            proba = full_probabilities(model, disturbed.X[test], len(disturbed.classes))
    scores = {m: score(m, y[test], proba) for m in METRICS}
    defined: dict[str, Any] = {m: v if np.isfinite(v) else None for m, v in scores.items()}
    weights = getattr(model, "weights_", None)
    return Record(
        run.dataset,
        run.condition.name,
        run.model,
        run.seed,
        run.fold,
        "ok",
        **defined,
        fit_seconds=fitting.seconds,
        predict_seconds=predicting.seconds,
        peak_mb=max(fitting.peak_mb, predicting.peak_mb),
        gpu_mb=gpu_peak_mb(),
        n_train=len(train),
        n_test=len(test),
        n_features=dataset.n_features,
        n_classes=len(dataset.classes),
        device=settings.device,
        label=str(getattr(model, "label_", "")),
        weights_sha256=str(getattr(weights, "sha256", "")),
        **common,
    )


def _fitted(run: Run, disturbed: Dataset, train: np.ndarray, settings: Settings) -> tuple[Any, Any]:
    """The model fitted on these rows, and what that took."""
    assert disturbed.y is not None
    groups = None if disturbed.groups is None else disturbed.groups[train]
    options = settings.options.get(run.model, {})
    model = build(run.model, random_state=run.random_state, device=settings.device, plugin=settings.plugin, **options)
    preload(run.model)
    with measure() as fitting:
        fit(model, disturbed.X[train], disturbed.y[train], groups)
    return model, fitting


def full_probabilities(model: Any, X: Any, n_classes: int) -> np.ndarray:
    """``predict_proba`` with a column for every class of the cohort, 0 for those the training rows did not hold."""
    proba = np.zeros((X.shape[0], n_classes))
    proba[:, np.asarray(model.classes_, np.int64)] = model.predict_proba(X)
    if not np.isfinite(proba).all():
        raise FloatingPointError("the model's probabilities hold NaN or infinite values")
    return proba


def status_of(error: BaseException) -> str:
    """The status an exception means."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error):
        return "oom"
    return "refused" if isinstance(error, GenomapError) else "crash"


def message_of(error: BaseException) -> str:
    """What the record says; the type too where the error is not one of ours."""
    text = str(error) if isinstance(error, GenomapError) else f"{type(error).__name__}: {error}"
    return text[:600]


def reset_gpu_peak() -> None:
    """Forget the peak of GPU memory, if torch is loaded and has a GPU."""
    torch = _torch_with_gpu()
    if torch is not None:
        torch.cuda.reset_peak_memory_stats()


def gpu_peak_mb() -> float | None:
    """Peak of GPU memory since then, in MB; None without a GPU."""
    torch = _torch_with_gpu()
    return None if torch is None else torch.cuda.max_memory_allocated() / 1e6


def _torch_with_gpu() -> Any:
    import sys

    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_available() else None
