"""Which way from a wide table to the model suits a cohort: tried on folds of the training rows, never on test rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from genomap_core.errors import ModelLimitError
from genomap_core.pfn.description import Weights
from genomap_core.pfn.selection import STRATEGIES, Selection

INNER_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen, and on what grounds."""

    selection: Selection
    losses: Mapping[str, float]
    """Cross-entropy (nats) on inner folds, by strategy; empty where nothing was tried."""

    @property
    def words(self) -> str:
        """For the user: "principal components, of 6 ways on inner folds"."""
        way = STRATEGIES[self.selection]
        return f"{way}, chosen of {len(self.losses)} ways on inner folds" if self.losses else way


def candidates(weights: Weights, on_cpu: bool) -> tuple[Selection, ...]:
    """The strategies worth their time: all for small weights or a GPU, the two strongest for large ones on a CPU."""
    if on_cpu and not weights.quick:
        return ("anova", "regions")
    return ("anova", "mutual_information", "variance", "pca", "regions", "none")


def choose(
    make: Callable[[Selection], Any],
    X: np.ndarray | sp.csr_matrix,
    codes: np.ndarray,
    ways: Iterable[Selection],
    random_state: int = 0,
) -> Choice:
    """The strategy with the smallest cross-entropy on stratified inner folds of the training rows.

    Parameters
    ----------
    make
        An unfitted classifier for a strategy.
    X, codes
        ``(n, p)`` training rows and ``(n,)`` class codes from 0 on.

    A class with fewer than two rows leaves nothing to try: the answer is "anova" then. A strategy that the model
    refuses (memory) drops out.
    """
    ways = tuple(ways)
    n_folds = min(INNER_FOLDS, int(np.bincount(codes).min()))
    if n_folds < 2:
        return Choice("anova", {})
    folds = list(StratifiedKFold(n_folds, shuffle=True, random_state=random_state).split(codes, codes))
    losses: dict[str, float] = {}
    for way in ways:
        try:
            losses[way] = float(np.mean([_loss(make(way), X, codes, train, test) for train, test in folds]))
        except ModelLimitError:
            continue
    if not losses:
        return Choice("anova", {})
    return Choice(min(ways, key=lambda way: losses.get(way, np.inf)), losses)


def _loss(model: Any, X: np.ndarray | sp.csr_matrix, codes: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    proba = model.fit(X[train], codes[train]).predict_proba(X[test])
    return float(log_loss(codes[test], np.clip(proba, 1e-3, 1), labels=model.classes_))
