"""What exactly is explained: the log-odds or the probability of one class, for any classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from genomap_core.errors import InputError
from genomap_core.explain.attribution import Output
from genomap_core.explain.coalitions import Scorer

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
