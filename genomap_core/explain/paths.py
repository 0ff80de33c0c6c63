"""Integrated gradients of a tabular model that tells the gradient of its answer (``input_gradients``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from genomap_core.explain.attribution import Attribution, Output, class_name, target_index
from genomap_core.explain.stages import model_name
from genomap_core.progress import OnProgress, Progress, ignore

_BATCH = 32


def path_attribution(
    model: Any,
    X: np.ndarray,
    baseline: np.ndarray,
    *,
    feature_names: tuple[str, ...],
    target: Any = None,
    classes: tuple[str, ...] | None = None,
    output: Output = "log-odds",
    n_steps: int = 32,
    on_progress: OnProgress = ignore,
) -> Attribution:
    """Mean gradient on the straight path from ``baseline`` ``(p,)`` to each row of ``X`` ``(m, p)``, times the way.

    Sundararajan et al., ICML 2017, integrated by Gauss-Legendre. A missing value is the baseline's.
    """
    index = target_index(model, X, target)
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    nodes, weights = (nodes + 1) / 2, weights / 2
    way = np.where(np.isnan(X), 0.0, X - baseline)
    values, ends = np.zeros(X.shape), np.zeros((len(X), 2))
    n_batches = -(-(n_steps + 2) // _BATCH)
    for i, step in enumerate(way):
        rows = baseline + np.concatenate([nodes, [0.0, 1.0]])[:, None] * step
        outputs, gradients = [], []
        for b in range(n_batches):
            on_progress(Progress("explaining", i * n_batches + b, len(way) * n_batches))
            part = model.input_gradients(rows[b * _BATCH : (b + 1) * _BATCH], index, log_odds=output == "log-odds")
            outputs.append(part[0])
            gradients.append(part[1])
        values[i] = step * (weights @ np.concatenate(gradients)[:n_steps])
        ends[i] = np.concatenate(outputs)[n_steps:]
    return Attribution(
        values=values,
        feature_names=feature_names,
        method="integrated_gradients",
        target=class_name(model, index, classes),
        output=ends[:, 1],
        baseline_output=ends[:, 0],
        model=f"{model_name(model)}, differentiable view",
        scale=output,
    )
