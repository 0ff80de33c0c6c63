"""Logistic regression on omics, on plain numbers of the image, or on both: the linear models beside the networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_expit, log_softmax

from genomap_core.data.images.patients import PatientImages
from genomap_core.data.images.statistics import image_statistics
from genomap_core.store import load_arrays, save_arrays
from genomap_core.workflows.comparison.runner import DAMAGED

if TYPE_CHECKING:
    from genomap_core.training.fusion_inputs import FusionScaling


@dataclass(frozen=True, eq=False)
class LinearPart:
    """A fitted logistic regression; ``k`` of the ``C`` classes were seen in training.

    Both kinds of columns weigh alike: each is divided by the root of its number.
    """

    kind: str
    """"logistic_omics", "logistic_image" or "logistic_both\""""
    coef: np.ndarray
    """``(k, q)``, of two classes ``(1, q)``: omics first"""
    intercept: np.ndarray
    classes: np.ndarray
    """``(k,)`` codes"""
    mean: np.ndarray
    sd: np.ndarray
    """``(s,)`` of the image's numbers in the training rows; empty where no image is seen"""

    @property
    def n_parameters(self) -> int:
        return int(self.coef.size + self.intercept.size)

    def columns(self, Z: np.ndarray, images: np.ndarray) -> np.ndarray:
        """``(n, q)`` from omics in standard deviations ``(n, p)`` and images ``(n, c, H, W)``.

        An image that is constant throughout, one that was taken away, counts as the mean image.
        """
        parts = [] if self.kind == "logistic_image" else [Z]
        if self.kind != "logistic_omics":
            numbers = (image_statistics(images) - self.mean) / self.sd
            there = np.ptp(images.reshape(*images.shape[:2], -1), axis=2).any(axis=1)
            parts.append(np.where(there[:, None], numbers, 0.0))
        return np.hstack([part / np.sqrt(part.shape[1]) for part in parts])

    def log_proba(self, Z: np.ndarray, images: np.ndarray, n_classes: int) -> np.ndarray:
        """``(n, C)``; minus infinity for a class that was not seen."""
        scores = self.columns(Z, images) @ self.coef.T + self.intercept
        if scores.shape[1] == 1:
            logs = np.column_stack([log_expit(-scores), log_expit(scores)])
        else:
            logs = log_softmax(scores, axis=1)
        found = np.full((len(Z), n_classes), -np.inf)
        found[:, self.classes] = logs
        return found


def fit_linear(kind: str, train: PatientImages, max_features: int, seed: int) -> tuple[LinearPart, FusionScaling]:
    """Learn from a cohort, the penalty chosen on inner folds; the scaling makes the omics columns."""
    from genomap_core.training.fusion_inputs import fit_scaling
    from genomap_core.training.logistic import TunedLogistic

    scaling = fit_scaling(train, max_features)
    mean = sd = np.zeros(0)
    if kind != "logistic_omics":
        numbers = image_statistics(train.images)
        mean, sd = numbers.mean(0), numbers.std(0)
        sd = np.where(sd > 1e-9, sd, 1.0)
    empty = np.zeros((1, 0))
    part = LinearPart(kind, empty, np.zeros(1), np.zeros(1, np.int64), mean, sd)
    model = TunedLogistic(class_weight="balanced", random_state=seed)
    model.fit(part.columns(scaling.table(train), train.images), train.table.y, train.table.groups)
    return LinearPart(kind, model.coef_, model.intercept_, np.asarray(model.classes_), mean, sd), scaling


def logistic_proba(
    kind: str, train: PatientImages, test: PatientImages, max_features: int, seed: int, keep: Path | None = None
) -> tuple[np.ndarray, int]:
    """Probabilities ``(n, C)`` of the test patients, and how many numbers were learned; ``keep``: the model's file."""
    part, scaling = fit_linear(kind, train, max_features, seed)
    if keep is not None:
        save_linear(keep, part)
    logs = part.log_proba(scaling.table(test), test.images, len(train.table.classes))
    return np.exp(logs), part.n_parameters


_ARRAYS = ("coef", "intercept", "classes", "mean", "sd")


def save_linear(path: Path, part: LinearPart) -> None:
    """Write a fitted model."""
    save_arrays(path, {"kind": part.kind}, {name: getattr(part, name) for name in _ARRAYS})


def load_linear(path: Path) -> LinearPart:
    """Read what :func:`save_linear` wrote.

    Raises
    ------
    InputError
        The file is damaged.
    """
    header, arrays = load_arrays(path, DAMAGED)
    return LinearPart(header["kind"], **arrays)
