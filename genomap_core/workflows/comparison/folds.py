"""Splits of a cohort: stratified by class, whole groups on one side."""

from __future__ import annotations

import warnings

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural, some
from genomap_core.errors import InputError


def class_sizes(dataset: Dataset) -> np.ndarray:
    """``(C,)`` samples of each class, or groups with a sample of it where groups exist; empty without labels."""
    if dataset.y is None:
        return np.zeros(0, np.int64)
    units = np.arange(dataset.n_samples) if dataset.groups is None else dataset.groups
    return np.array([len(np.unique(units[dataset.y == c])) for c in range(len(dataset.classes))], np.int64)


def largest_fold_count(dataset: Dataset) -> int:
    """How many folds the smallest class allows, counted in groups where groups exist; 0 without labels."""
    sizes = class_sizes(dataset)
    present = sizes[sizes > 0]
    return int(present.min()) if len(present) >= 2 else 0


def small_classes(dataset: Dataset, n_folds: int) -> tuple[tuple[str, int], ...]:
    """Classes in fewer samples (groups, where groups exist) than folds, with how many: the smallest first.

    Each fold must be tested and trained on every class; say this before the start.
    """
    sizes = class_sizes(dataset)
    small = [(int(size), name) for name, size in zip(dataset.classes, sizes, strict=False) if 0 < size < n_folds]
    return tuple((name, size) for size, name in sorted(small))


def rare_class_note(dataset: Dataset, n_folds: int = 5) -> str:
    """What to say of classes with fewer samples, or groups, than folds are usual; empty where there is none."""
    rare = [f"{name!r} ({size})" for name, size in small_classes(dataset, n_folds)]
    unit = "samples" if dataset.groups is None else "groups"
    if not rare:
        return ""
    return f"Fewer than {n_folds} {unit} have the class {some(rare)}: leave it out on the Data page for more folds."


def make_folds(dataset: Dataset, n_folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """``n_folds`` pairs of training and test rows. Every row is tested once.

    Raises
    ------
    InputError
        Without labels, with one class only, or when a class is smaller than the number of folds.
    """
    if dataset.y is None:
        raise InputError("The cohort has no labels: choose a target column on the Data page.")
    present = np.unique(dataset.y)
    if len(present) < 2:
        raise InputError(f"All samples are of class {dataset.classes[present[0]]!r}: two classes are needed.")
    most = largest_fold_count(dataset)
    if n_folds < 2 or most < n_folds:
        unit = "sample" if dataset.groups is None else "group"
        (smallest, size), *others = small_classes(dataset, max(n_folds, most + 1))
        more = f" (and {', '.join(f'{name!r} {n}' for name, n in others)})" if others else ""
        remedy = "Leave that class out (--leave-out-class, or on the Data page), or add samples of it."
        if most >= 2:
            folds = "2 folds" if most == 2 else f"2 to {most} folds"
            remedy = f"Choose {folds}, or leave that class out (--leave-out-class, or on the Data page)."
        raise InputError(f"{n_folds} folds can't be made: class {smallest!r} has {plural(size, unit)}{more}. {remedy}")
    return _split(dataset, n_folds, seed)


def _split(dataset: Dataset, n_folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    dummy = np.zeros(dataset.n_samples)
    if dataset.groups is None:
        splits = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(dummy, dataset.y)
    else:
        splits = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(dummy, dataset.y, dataset.groups)
    return [(train, test) for train, test in splits]


def hold_out(dataset: Dataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One split with about a fifth of the rows for the test, however small a class is.

    Every class is among the training rows. One of fewer than five samples or groups may be missing in the test: of the
    five splits the first with most classes in it is taken.
    """
    most = largest_fold_count(dataset)
    if dataset.y is None or most < 2 or most >= 5:
        return make_folds(dataset, 5 if most >= 5 else 2, seed)[0]
    n_units = dataset.n_samples if dataset.groups is None else len(np.unique(dataset.groups))
    y, n_folds = dataset.y, min(5, int(class_sizes(dataset).max()), n_units)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        folds = _split(dataset, n_folds, seed)
    return max(folds, key=lambda fold: (len(np.unique(y[fold[0]])), len(np.unique(y[fold[1]]))))
