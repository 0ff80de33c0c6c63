"""What exactly is explained: the log-odds or the probability of one class, for any classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from genomap_core.errors import InputError
from genomap_core.explain.attribution import Output
from genomap_core.explain.coalitions import Scorer

_FLOOR = 1e-6  # probabilities of exactly 0 and 1 have no finite log-odds


def target_index(model: Any, X: np.ndarray, target: Any = None) -> int:
    """Index of the class to explain: ``target`` by name, or the class predicted for the first row of ``X`` ``(m, p)``.

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


def used_features(model: Any, p: int) -> np.ndarray:
    """``(p,)`` bool: which raw features the model looks at; all where it does not tell.

    Known are our own models: what a step kept (``kept_``), less what got no cell on the map.
    """
    used = np.ones(p, bool)
    for step in _steps(model):
        kept = getattr(step, "kept_", None)
        if kept is not None:
            used = np.zeros(p, bool)
            used[kept] = True
        layout = getattr(step, "layout_", None)
        if layout is not None and layout.n_features == used.sum():
            used[np.flatnonzero(used)[layout.positions[:, 0] < 0]] = False
    return used


def _steps(model: Any) -> list[Any]:
    if hasattr(model, "steps"):
        return [step for _, step in model.steps]
    return [model.reducer_] if hasattr(model, "reducer_") else []


def model_name(model: Any) -> str:
    """How the user knows the model: the name of its weights, of its network, or of its last step."""
    if hasattr(model, "label_"):
        return str(model.label_)
    last = _steps(model)[-1] if hasattr(model, "steps") else model
    return str(getattr(last, "network", None) or type(last).__name__)
