"""A saved model on a table: class probabilities of every row, and why."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import some
from genomap_core.errors import BundleError, InputError
from genomap_core.progress import OnProgress, Progress, ignore

if TYPE_CHECKING:
    from genomap_core.training import Bundle


@dataclass(frozen=True, eq=False)
class Explained:
    """Why a model answers as it does, for ``m`` rows."""

    rows: tuple[int, ...]
    """Rows of the data set."""
    targets: np.ndarray
    """``(m,)`` the class whose log-odds are explained, a code into ``classes``"""
    classes: tuple[str, ...]
    values: np.ndarray
    """``(m, p)``"""
    output: np.ndarray
    """``(m,)`` log-odds of the class"""
    baseline_output: np.ndarray
    """``(m,)``"""
    method: str
    complete: bool
    """Whether the method promises that the values sum to ``output - baseline_output``."""

    @property
    def gap(self) -> np.ndarray:
        """``(m,)`` what the values leave unexplained of ``output - baseline_output``."""
        gap: np.ndarray = (self.output - self.baseline_output) - self.values.sum(axis=1)
        return gap


def open_model(path: Path) -> Bundle:
    """Read a bundle; :class:`BundleError` where there is none, :class:`RefusedError` for a file that is not sound."""
    from genomap_core.training import load_bundle

    if path.is_dir():
        raise BundleError(f"{path.name} is a folder, not a model.")
    return load_bundle(path)


def predict_rows(bundle: Bundle, dataset: Dataset) -> np.ndarray:
    """``(n, C)`` probabilities, columns in the order of ``bundle.classes``.

    Raises
    ------
    BundleError
        The features are not the model's; the message lists the difference.
    """
    bundle.check_features(dataset.feature_names)
    proba: np.ndarray = bundle.pipeline.predict_proba(dataset.X)
    return proba


def explain_rows(
    bundle: Bundle,
    dataset: Dataset,
    rows: tuple[int, ...],
    *,
    target: str | None = None,
    method: str = "auto",
    background: Dataset | None = None,
    seed: int = 0,
    on_progress: OnProgress = ignore,
) -> Explained:
    """Attributions of these rows of ``dataset``.

    Parameters
    ----------
    target
        The class to explain; None: for each row the one that the model finds most likely.
    method
        One of :data:`genomap_core.explain.METHODS`, or "auto".
    background
        Rows whose medians are the baseline of region methods; None: ``dataset`` itself.

    Raises
    ------
    BundleError
        The features are not the model's.
    InputError
        The model knows no such class.
    """
    from genomap_core.explain import explain

    if target is not None and target not in bundle.classes:
        raise InputError(f"The model knows no class {target!r}: choose one of {some(bundle.classes, 20)}.")
    around = dataset if background is None else background
    bundle.check_features(around.feature_names)
    few = dataset.take(rows)
    X = np.asarray(few.X if isinstance(few.X, np.ndarray) else few.X.toarray(), np.float32)
    guesses = predict_rows(bundle, few).argmax(axis=1)
    targets = guesses if target is None else np.full(len(rows), bundle.classes.index(target))
    found: dict[int, Any] = {}
    for code in np.unique(targets).tolist():
        on_progress(Progress(f"explaining {bundle.classes[code]}", len(found), len(np.unique(targets))))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Captum's on hooks that it sets and removes itself
            found[code] = explain(
                bundle.pipeline,
                X[targets == code],
                target=bundle.pipeline.classes_[code],
                method=method,
                background=around.X,
                feature_names=dataset.feature_names,
                random_state=seed,
                on_progress=on_progress,
            )
    first = next(iter(found.values()))
    values = np.zeros(X.shape, np.float64)
    output, baseline = np.zeros(len(rows)), np.zeros(len(rows))
    for code, part in found.items():
        values[targets == code] = part.values
        output[targets == code] = part.output
        baseline[targets == code] = part.baseline_output
    return Explained(rows, targets, bundle.classes, values, output, baseline, first.method, bool(first.complete))
