"""What an explanation is: one value a feature, in the raw feature space, with its own completeness check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.stats import rankdata

from genomap_core.errors import InputError

Scorer = Callable[[np.ndarray], np.ndarray]
"""Raw rows ``(B, p)`` -> the explained output ``(B,)``."""
_FLOOR = 1e-6  # probabilities of exactly 0 and 1 have no finite log-odds


def target_index(model: Any, X: np.ndarray, target: Any = None) -> int:
    """Index of the class to explain: ``target`` as in ``classes_``, or the one predicted for the first row of ``X``.

    Raises
    ------
    InputError
        The model has no such class.
    """
    classes = [str(c) for c in model.classes_]
    if target is None:
        return int(model.predict_proba(X[:1])[0].argmax())
    if str(target) not in classes:
        raise InputError(f"The model knows no class {str(target)!r}: choose one of {', '.join(classes)}.")
    return classes.index(str(target))


def class_name(model: Any, index: int, classes: tuple[str, ...] | None = None) -> str:
    """How the user knows a class: its own name, or that of its code in ``classes`` of the cohort."""
    code = model.classes_[index]
    if classes is not None and isinstance(code, int | np.integer) and 0 <= code < len(classes):
        return classes[int(code)]
    return str(code)


def log_odds(probability: np.ndarray) -> np.ndarray:
    """``log(p / (1 - p))``, with ``p`` kept ``1e-6`` away from 0 and 1."""
    p = np.clip(np.asarray(probability, np.float64), _FLOOR, 1 - _FLOOR)
    return np.log(p) - np.log1p(-p)


def class_score(model: Any, index: int, output: Output = "log-odds") -> Scorer:
    """The explained output of a fitted classifier: raw rows ``(B, p)`` -> ``(B,)``."""
    if output not in ("log-odds", "probability"):
        raise InputError(f"`output` must be 'log-odds' or 'probability', got {output!r}.")

    def score(X: np.ndarray) -> np.ndarray:
        p = np.asarray(model.predict_proba(X), np.float64)[:, index]
        return log_odds(p) if output == "log-odds" else p

    return score


Output = Literal["log-odds", "probability"]


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much every feature moved the output from the baseline to this patient.

    Parameters
    ----------
    values
        ``(p,)`` for one row or ``(m, p)`` for several; 0 for features the model does not use.
    feature_names
        The ``p`` raw features.
    method
        "integrated_gradients", "shapley", ...
    target
        Name of the class that is explained.
    output, baseline_output
        What the model says for the row and for the baseline: a number, or ``(m,)``.
    model
        Which model is explained, named as the user sees it.
    scale
        "log-odds": ``log(p / (1 - p))`` of the target class; "probability".
    groups
        ``(p,)`` region of each feature where regions were explained together; None otherwise.
    complete
        Whether the method promises that the values sum to ``output - baseline_output``.
    """

    values: np.ndarray
    feature_names: tuple[str, ...]
    method: str
    target: str
    output: float | np.ndarray
    baseline_output: float | np.ndarray
    model: str
    scale: Output = "log-odds"
    groups: np.ndarray | None = None
    complete: bool = True

    def __post_init__(self) -> None:
        if self.values.shape[-1] != len(self.feature_names):
            raise InputError(f"{self.values.shape[-1]} attributions for {len(self.feature_names)} features.")
        if self.groups is not None and len(self.groups) != len(self.feature_names):
            raise InputError(f"{len(self.groups)} region labels for {len(self.feature_names)} features.")

    @property
    def completeness_gap(self) -> float | np.ndarray:
        """``(output - baseline_output) - sum(values)``: what the values leave unexplained."""
        gap = np.asarray(self.output) - np.asarray(self.baseline_output) - self.values.sum(-1)
        return float(gap) if gap.ndim == 0 else gap

    def row(self, i: int) -> Attribution:
        """The attribution of one of several rows."""
        output, baseline = (float(np.broadcast_to(v, len(self.values))[i]) for v in (self.output, self.baseline_output))
        return Attribution(
            self.values[i],
            self.feature_names,
            self.method,
            self.target,
            output,
            baseline,
            self.model,
            self.scale,
            self.groups,
            self.complete,
        )

    @cached_property
    def magnitude(self) -> np.ndarray:
        """``(p,)`` absolute values, averaged over rows."""
        return np.abs(self.values) if self.values.ndim == 1 else np.abs(self.values).mean(0)

    def top(self, k: int) -> tuple[tuple[str, float], ...]:
        """The ``k`` features with the largest absolute values, with their (mean) values, largest first."""
        mean = self.values if self.values.ndim == 1 else self.values.mean(0)
        order = np.argsort(-self.magnitude, kind="stable")[:k]
        return tuple((self.feature_names[j], float(mean[j])) for j in order)

    def of_groups(self) -> np.ndarray:
        """Sum of the values in every region: ``(n_regions,)``, in the order of the labels from 0 on; -1 is left out."""
        if self.groups is None or self.values.ndim != 1:
            raise InputError("Region sums need the attribution of one row with regions.")
        placed = self.groups >= 0
        return np.bincount(self.groups[placed], self.values[placed])


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two explanations of the same prediction agree."""

    spearman: float
    """Rank correlation of the values over features that either explanation uses; NaN when one is constant there."""
    top_k_overlap: float
    """Share of the ``k`` strongest features that both name, in [0, 1]."""
    k: int


def agreement(a: Attribution, b: Attribution, k: int = 20) -> Agreement:
    """Compare two attributions of the same features.

    Raises
    ------
    InputError
        The features differ.
    """
    if a.feature_names != b.feature_names:
        raise InputError("Attributions can be compared only over the same features, in the same order.")
    means = [v.values if v.values.ndim == 1 else v.values.mean(0) for v in (a, b)]
    return agreement_of(means[0], means[1], k)


def agreement_of(a: np.ndarray, b: np.ndarray, k: int = 20) -> Agreement:
    """The same for plain values ``(p,)`` of the same features."""
    k = min(k, len(a))
    strongest = [set(np.argsort(-np.abs(v), kind="stable")[:k].tolist()) for v in (a, b)]
    used = (a != 0) | (b != 0)
    return Agreement(rank_correlation(a[used], b[used]), len(strongest[0] & strongest[1]) / k, k)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation of ``(p,)`` and ``(p,)``, ties at their mean rank; NaN when one is constant."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
