"""Explaining any classifier by regions of the map: neighbouring, correlated features switched on and off together."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from genomap_core.errors import InputError
from genomap_core.explain.attribution import Attribution, Output
from genomap_core.explain.coalitions import Game, ablation_values, shapley_values
from genomap_core.explain.stages import model_name, used_features
from genomap_core.explain.target import class_name, class_score, target_index
from genomap_core.progress import OnProgress, ignore

RegionMethod = Literal["shapley", "ablation"]
REGION_METHODS: tuple[RegionMethod, ...] = ("shapley", "ablation")


def region_attribution(
    model: Any,
    x: np.ndarray,
    labels: np.ndarray,
    baseline: np.ndarray,
    *,
    feature_names: tuple[str, ...],
    target: Any = None,
    classes: tuple[str, ...] | None = None,
    method: RegionMethod = "shapley",
    output: Output = "log-odds",
    scale: np.ndarray | None = None,
    n_permutations: int = 32,
    random_state: int = 0,
    batch_rows: int = 512,
    on_progress: OnProgress = ignore,
) -> Attribution:
    """Explain one row of any fitted classifier with ``predict_proba`` on raw rows.

    Parameters
    ----------
    x
        ``(p,)`` the patient, NaN where missing.
    labels
        ``(p,)`` region of each feature (:func:`genomap_core.layout.map_regions`); features without one (-1) form one
        further group.
    baseline
        ``(p,)`` values that absent features take: the training medians.
    scale
        ``(p,)`` standard deviations of the training rows, for sharing a region's value among its features; None: 1.
    n_permutations
        Orders sampled for the Shapley values; with few regions they are exact instead.

    Regions none of whose features the model uses have the value 0 by definition and cost nothing. A region's value is
    shared by :func:`spread`.
    """
    _check(x, labels, baseline, feature_names, method)
    index = target_index(model, x[None], target)
    used = used_features(model, len(x))
    players = players_of(labels, used)
    game = Game(class_score(model, index, output), x, baseline, players, batch_rows=batch_rows, on_progress=on_progress)
    shapley = method == "shapley"
    values = shapley_values(game, n_permutations, random_state) if shapley else ablation_values(game)
    ends = game.play(np.array([[False] * game.n_players, [True] * game.n_players]))
    return Attribution(
        values=spread(values, players, x - baseline, scale),
        feature_names=feature_names,
        method=method,
        target=class_name(model, index, classes),
        output=float(ends[1]),
        baseline_output=float(ends[0]),
        model=model_name(model),
        scale=output,
        groups=labels,
        complete=shapley,
    )


def players_of(labels: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Regions with a used feature, numbered from 0: ``(p,)``, ``(p,)`` bool -> ``(p,)`` int, -1 for unused features.

    Features without a region play together.
    """
    players = np.full(len(labels), -1)
    _, players[used] = np.unique(labels[used], return_inverse=True)
    return players


def spread(
    values: np.ndarray, players: np.ndarray, difference: np.ndarray, scale: np.ndarray | None = None
) -> np.ndarray:
    """Share each player's value among its features: ``(k,)`` -> ``(p,)``, the sum kept.

    In proportion to how far each feature is from the baseline, in standard deviations: a feature at its baseline can't
    have changed anything. Equally where the whole region is at its baseline, or every value is missing.
    """
    distance = np.abs(np.nan_to_num(difference, nan=0.0))
    if scale is not None:
        distance = distance / np.where(scale > 0, scale, 1.0)
    member = players >= 0
    weight = np.where(member, distance, 0.0)
    total = np.bincount(players[member], weight[member], minlength=len(values))
    weight = np.where(member & (total[players] > 0 if len(values) else member), weight, member.astype(float))
    total = np.bincount(players[member], weight[member], minlength=len(values))
    shared = np.zeros(len(players))
    shared[member] = values[players[member]] * weight[member] / total[players[member]]
    return shared


def _check(x: np.ndarray, labels: np.ndarray, baseline: np.ndarray, names: tuple[str, ...], method: str) -> None:
    if method not in REGION_METHODS:
        raise InputError(f"`method` must be one of {', '.join(REGION_METHODS)}, got {method!r}.")
    for what, got in (("region labels", labels), ("baseline values", baseline), ("feature names", names)):
        if len(got) != len(x):
            raise InputError(f"{len(got)} {what} for a row of {len(x)} features.")
