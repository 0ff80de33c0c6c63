"""A saved model on a table: class probabilities of every row, and why."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from genomap_core.data.dataset import Dataset
from genomap_core.data.fingerprint import row_fingerprints
from genomap_core.data.message import some
from genomap_core.errors import BundleError, InputError
from genomap_core.explain.stages import used_features
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

    Features that the table lacks count as missing, down to the model's limit: see :func:`with_features_of`, which also
    says what that costs.

    Raises
    ------
    BundleError
        The features are not the model's; the message lists the difference.
    """
    proba: np.ndarray = bundle.pipeline.predict_proba(with_features_of(bundle, dataset)[0].X)
    return proba


def seen_in_training(bundle: Bundle, X: Any) -> np.ndarray | None:
    """``(n,)`` bool: which raw rows ``(n, p)`` have exactly the values of a training row.

    None where it is not known: the file does not say, or the table lacks a feature. An answer to a row of the training
    says nothing about new samples.
    """
    if bundle.seen is None or (not sp.issparse(X) and np.isnan(X).all(axis=0).any()):
        return None
    return np.isin(row_fingerprints(X), bundle.seen)


def seen_in_words(seen: np.ndarray | None) -> str:
    """What to know of answers to rows that the model was trained on; empty where there are none or it is not known."""
    if seen is None or not seen.any():
        return ""
    return (
        f"{int(seen.sum()):,} of {len(seen):,} samples were in this model's training: its answers to them are no "
        "evidence of how good it is."
    )


def with_features_of(bundle: Bundle, dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """The table with the model's columns in its order, empty where it lacks one, and what to know of such an answer.

    Only a model that was trained to expect missing features, and measured how it endures them, takes another table than
    one of exactly its features. Features that are unknown to it are left out, and named.

    Raises
    ------
    BundleError
        The features are not the model's, or fewer of them are there than its limit.
    """
    endurance = bundle.pipeline[-1].endurance_
    if endurance is None:
        return in_order_of(bundle, dataset)
    names, own = bundle.feature_names, set(dataset.feature_names)
    used = used_features(bundle.pipeline, len(names))
    share = float(np.mean([name in own for name, is_used in zip(names, used, strict=True) if is_used]))
    if share < endurance.limit:
        limit = f"The model answers down to {endurance.limit:.0%} of the features it uses: here are {share:.0%}."
        try:
            bundle.check_features(dataset.feature_names)
        except BundleError as error:
            raise BundleError(f"{error}\n{limit}") from error
    if dataset.feature_names != names:
        dataset = _columns(dataset, names)
    notes = []
    if lacking := [name for name in names if name not in own]:
        notes.append(
            f"The table lacks {len(lacking):,} of the model's {len(names):,} features: {some(lacking)}. They are "
            f"filled from the {share:.0%} of its features that are there. On rows left out in training, balanced "
            f"accuracy was {endurance.expected(share):.2f} with so many missing, {endurance.accuracy[0]:.2f} with none."
        )
    notes += _unknown(own - set(names))
    if few := _below(dataset, used, endurance.limit):
        needed = f"Fewer than the {endurance.limit:.0%} of features that the model needs have a value in"
        notes.append(f"{needed} {some(few)}: the answers for them say little.")
    return dataset, tuple(notes)


def in_order_of(bundle: Bundle, dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """The table with the model's columns in its order, and a note on those that are left out.

    Raises
    ------
    BundleError
        A feature of the model is not there; the message lists the difference.
    """
    names, own = bundle.feature_names, set(dataset.feature_names)
    if not own.issuperset(names):
        bundle.check_features(dataset.feature_names)
    return (dataset if dataset.feature_names == names else _columns(dataset, names)), _unknown(own - set(names))


def _unknown(names: set[str]) -> tuple[str, ...]:
    return (f"Not used, as the model does not know them: {some(sorted(names))}.",) if names else ()


def _below(dataset: Dataset, used: np.ndarray, limit: float) -> list[str]:
    """Samples with a smaller share of values among these features ``(p,)``."""
    if sp.issparse(dataset.X):
        return []  # what is not stored there is a zero
    present = (~np.isnan(dataset.X[:, used])).mean(axis=1)
    return [dataset.sample_ids[i] for i in np.flatnonzero(present < limit)]


def _columns(dataset: Dataset, names: tuple[str, ...]) -> Dataset:
    """These columns in this order; NaN where the table has none."""
    there = {name: j for j, name in enumerate(dataset.feature_names)}
    X = np.full((dataset.n_samples, len(names)), np.nan, np.float32)
    at = [j for j, name in enumerate(names) if name in there]
    own: Any = dataset.X[:, [there[names[j]] for j in at]]
    X[:, at] = own.toarray() if sp.issparse(own) else own
    omics = np.zeros(len(names), np.int64)
    if dataset.omics is not None:
        omics[at] = dataset.omics[[there[names[j]] for j in at]]
    return replace(dataset, X=X, feature_names=names, omics=None if dataset.omics is None else omics)


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
    dataset = in_order_of(bundle, dataset)[0]
    around = dataset if background is None else in_order_of(bundle, background)[0]
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
