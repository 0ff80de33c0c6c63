"""Logistic regression on omics, on plain image statistics, or on both: what a fusion network must beat."""

from __future__ import annotations

import numpy as np

from genomap_core.data.image_statistics import image_statistics
from genomap_core.data.imaging import ImagingCohort


def logistic_proba(
    kind: str, train: ImagingCohort, test: ImagingCohort, max_features: int, seed: int
) -> tuple[np.ndarray, int]:
    """Probabilities ``(n, C)`` of the test patients, and how many numbers were learned.

    ``kind`` is "logistic_omics", "logistic_image" or "logistic_both"; the penalty is chosen on inner folds. Both kinds
    of features weigh alike: each is divided by the root of its number of columns.
    """
    from genomap_core.training.fusion_inputs import fit_scaling
    from genomap_core.training.logistic import TunedLogistic

    scaling = fit_scaling(train, max_features)
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    if kind != "logistic_image":
        rows.append((scaling.table(train), scaling.table(test)))
    if kind != "logistic_omics":
        rows.append(_standardised(image_statistics(train.images), image_statistics(test.images)))
    X, X_test = (np.hstack([p[k] / np.sqrt(p[k].shape[1]) for p in rows]) for k in (0, 1))
    model = TunedLogistic(class_weight="balanced", random_state=seed).fit(X, train.table.y, train.table.groups)
    proba = np.zeros((test.n_samples, len(train.table.classes)))
    proba[:, model.classes_] = model.predict_proba(X_test)
    return proba, model.coef_.size + model.intercept_.size


def _standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, sd = train.mean(0), train.std(0)
    sd = np.where(sd > 1e-9, sd, 1.0)
    return (train - mean) / sd, (test - mean) / sd
