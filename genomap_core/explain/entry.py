"""One door to every explanation: a fitted model and raw rows in, attributions of raw features out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from genomap_core.data.preprocess import column_medians
from genomap_core.errors import InputError
from genomap_core.explain.attribution import Attribution, Output, class_name, target_index
from genomap_core.explain.regions import REGION_METHODS, region_attribution
from genomap_core.explain.stages import map_stages, model_name, used_features
from genomap_core.layout import Layout, make_layout, map_regions
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
        model=f"{model_name(model)}{'' if hasattr(model, 'reference_row_') else ', differentiable view'}",
        scale=output,
    )


METHODS = ("integrated_gradients", "deeplift", "gradient_shap", "occlusion", "gradcam", *REGION_METHODS)
N_REGIONS = 64


def explain(
    model: Any,
    X: np.ndarray,
    *,
    target: Any = None,
    method: str = "auto",
    groups: np.ndarray | None = None,
    layout: Layout | None = None,
    background: np.ndarray | sp.csr_matrix | None = None,
    feature_names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    output: Output = "log-odds",
    n_regions: int = N_REGIONS,
    n_samples: int | None = None,
    random_state: int = 0,
    batch_rows: int = 512,
    on_progress: OnProgress = ignore,
) -> Attribution:
    """Why a fitted classifier answers as it does: how much each raw feature moved the output from the baseline.

    Parameters
    ----------
    model
        Any fitted classifier with ``predict_proba`` on raw rows; gradient methods need its gradients.
    X
        ``(p,)`` one raw row, NaN where missing, or ``(m, p)`` several.
    target
        The class, as in ``model.classes_``; None: the class predicted for the (first) row.
    method
        "integrated_gradients", "deeplift", "gradient_shap", "occlusion", "gradcam" on the network of a map pipeline;
        the first also on a tabular foundation model and on logistic regression;
        "shapley" or "ablation" over map regions on any model; "auto": the first for map pipelines, else "shapley".
    groups
        ``(p,)`` region of each raw feature, -1 for none. None: from ``layout``, or from the model's own map, or from a
        map of the background.
    layout
        A layout of the ``p`` raw features, to cut regions from.
    background
        ``(b, p)`` raw training rows: their medians are the baseline of region methods, their rows that of
        "gradient_shap".
    classes
        Names of the class codes, when ``model.classes_`` are codes.
    output
        What is explained: the "log-odds" of the class, or its "probability".
    n_regions
        How many regions a map is cut into where ``groups`` is None.
    n_samples
        Permutations ("shapley", default 32), path steps or random points (gradient methods, default 64).
    on_progress
        Told of every batch; may raise :class:`~genomap_core.errors.Cancelled`.

    Returns
    -------
    Attribution
        Values ``(p,)`` for one row, ``(m, p)`` for several; ``completeness_gap`` says how far they are from the sum
        they promise.

    Raises
    ------
    InputError
        The method does not fit the model, the class is unknown, or the background is missing.
    """
    rows = np.atleast_2d(np.asarray(X, np.float32))
    p = rows.shape[1]
    names = tuple(feature_names) if feature_names is not None else tuple(f"x{j}" for j in range(p))
    of_classes = tuple(classes) if classes is not None else None
    asked: dict[str, Any] = {"feature_names": names, "target": target, "classes": of_classes, "output": output}
    if method == "auto":
        method = "integrated_gradients" if map_stages(model) is not None else "shapley"
    if method not in METHODS:
        raise InputError(f"`method` must be 'auto' or one of {', '.join(METHODS)}, got {method!r}.")
    if method == "integrated_gradients" and hasattr(model, "input_gradients"):
        baseline = getattr(model, "reference_row_", None)  # of a linear model: the mean, as the zero map is
        if baseline is None and background is None:
            raise InputError(f"'{method}' of a tabular model needs training rows for its baseline: `background`.")
        found = path_attribution(
            model,
            rows,
            column_medians(background) if baseline is None else baseline,
            n_steps=n_samples or 32,
            on_progress=on_progress,
            **asked,
        )
        return found if np.ndim(X) == 2 else found.row(0)
    if method not in REGION_METHODS:
        from genomap_core.explain.gradients import gradient_attribution

        found = gradient_attribution(
            model,
            rows,
            method=method,  # type: ignore[arg-type]
            background=None if background is None else _dense(background),
            n_samples=n_samples or 64,
            random_state=random_state,
            on_progress=on_progress,
            **asked,
        )
        return found if np.ndim(X) == 2 else found.row(0)
    if background is None:
        raise InputError(f"'{method}' needs training rows for its baseline: pass them as `background`.")
    groups = _regions(model, layout, background, n_regions) if groups is None else np.asarray(groups)
    baseline, scale = column_medians(background), _deviations(background)
    parts = [
        region_attribution(
            model,
            row,
            groups,
            baseline,
            method=method,
            scale=scale,
            n_permutations=n_samples or 32,
            random_state=random_state,
            batch_rows=batch_rows,
            on_progress=on_progress,
            **asked,
        )
        for row in rows
    ]
    return parts[0] if np.ndim(X) == 1 else _stacked(parts)


def model_regions(model: Any, background: np.ndarray | sp.csr_matrix, n_regions: int = N_REGIONS) -> np.ndarray:
    """Regions of a map model's own map, on raw features: ``(p,)`` int, -1 for features without a cell.

    ``background`` ``(b, p)``: raw training rows. These regions may explain another model on the same features.
    """
    stages = map_stages(model)
    if stages is None:
        raise InputError("The model has no map: pass `groups` or `layout`.")
    labels = np.full(stages.n_features, -1, np.int64)
    labels[stages.kept] = map_regions(stages.layout, stages.prepared(background), n_regions)
    return labels


def _regions(model: Any, layout: Layout | None, background: np.ndarray | sp.csr_matrix, n_regions: int) -> np.ndarray:
    """Regions from a layout, else from the model's own map, else from a map of the features that the model uses."""
    if layout is None and map_stages(model) is not None:
        return model_regions(model, background, n_regions)
    columns = np.arange(background.shape[1])
    if layout is None:
        columns = columns[used_features(model, len(columns))]
    table = _filled(background, column_medians(background), columns)
    labels = np.full(background.shape[1], -1, np.int64)
    labels[columns] = map_regions(layout if layout is not None else make_layout(table), table, n_regions)
    return labels


def _dense(X: np.ndarray | sp.csr_matrix) -> np.ndarray:
    return np.asarray(X if isinstance(X, np.ndarray) else X.toarray(), np.float32)


def _filled(X: np.ndarray | sp.csr_matrix, median: np.ndarray, columns: np.ndarray) -> np.ndarray:
    part = _dense(X[:, columns])
    return np.where(np.isnan(part), median[columns], part).astype(np.float32)


def _deviations(X: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """Standard deviation of every column over its present values: ``(b, p)`` -> ``(p,)``; 0 where there is none."""
    dense = _dense(X)
    present = ~np.isnan(dense)
    count = np.maximum(present.sum(0), 1)
    mean = np.where(present, dense, 0).sum(0) / count
    return np.sqrt((np.where(present, dense - mean, 0) ** 2).sum(0) / count)


def _stacked(parts: list[Attribution]) -> Attribution:
    first = parts[0]
    return Attribution(
        np.stack([part.values for part in parts]),
        first.feature_names,
        first.method,
        first.target,
        np.array([part.output for part in parts]),
        np.array([part.baseline_output for part in parts]),
        first.model,
        first.scale,
        first.groups,
        first.complete,
    )
