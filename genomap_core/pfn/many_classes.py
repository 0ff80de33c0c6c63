"""More classes than the weights know: error-correcting output codes over the same model.

Each of several codes deals the classes out into as many groups as the weights know; the model is asked for the groups
(Dietterich & Bakiri, JAIR 2:263, 1995). As it answers with probabilities, those of the classes are the ones under which
the groups' are likeliest, instead of the nearest code word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_ROUNDS = 300
_TRIED = 100
_TINY = 1e-9


def code_book(n_classes: int, n_groups: int, seed: int = 0) -> np.ndarray:
    """``(r, C)`` group of each class under each code; every two classes are apart in most of the codes.

    Groups are of equal size up to one. Of some random books the one is taken whose closest classes are furthest apart.
    """
    n_codes = 2 + 2 * int(np.ceil(n_classes / n_groups))
    rng = np.random.default_rng(seed)
    best, furthest = np.zeros((0, n_classes), np.int64), (-1, 0.0)
    for _ in range(_TRIED):
        book = np.stack([rng.permutation(n_classes) % n_groups for _ in range(n_codes)])
        apart = (book[:, :, None] != book[:, None, :]).sum(axis=0)[~np.eye(n_classes, dtype=bool)]
        if (int(apart.min()), float(apart.mean())) > furthest:
            best, furthest = book, (int(apart.min()), float(apart.mean()))
    return best


def class_probabilities(book: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Probabilities of classes ``(m, C)`` from those of groups ``(r, m, q)`` under the codes ``(r, C)``.

    The likeliest ones: they minimise the Kullback-Leibler divergence of the groups' sums from the answers, found by
    expectation maximisation from equal shares. Answers that fit together are met exactly, up to what no code tells
    apart.
    """
    n_codes, n_classes = book.shape
    member = np.stack([row[:, None] == np.arange(groups.shape[2]) for row in book]).astype(np.float64)
    found = np.full((groups.shape[1], n_classes), 1 / n_classes)
    for _ in range(_ROUNDS):
        factor = np.zeros_like(found)
        for k in range(n_codes):
            factor += (groups[k] / np.maximum(found @ member[k], _TINY)) @ member[k].T
        step = found * factor / n_codes
        if np.abs(step - found).max(initial=0.0) < 1e-7:
            return step
        found = step
    return found


class CodedModel:
    """A classifier of few classes, asked for the groups of each code in turn.

    Parameters
    ----------
    make
        The unfitted classifier.
    n_groups
        Classes that it takes at most.
    """

    def __init__(self, make: Callable[[], Any], n_groups: int, seed: int) -> None:
        self.make, self.n_groups, self.seed = make, n_groups, seed

    def fit(self, X: np.ndarray, codes: np.ndarray) -> CodedModel:
        """Fit on ``X (n, p)`` and class codes ``(n,)`` from 0 on, one model a code."""
        self.book_ = code_book(int(codes.max()) + 1, self.n_groups, self.seed)
        self.models_ = [self.make().fit(X, row[codes]) for row in self.book_]
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """``(m, C)``."""
        groups = np.stack([np.asarray(model.predict_proba(X), np.float64) for model in self.models_])
        return class_probabilities(self.book_, groups)
