"""The linear and the convolutional path as one network: how loudly each speaks is learned on left-out rows."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from genomap_core.training.linear_start import softened

_PULL = 4.0  # rows' worth of force towards the linear path alone
_MOST = 3.0


def stacking_weights(
    linear: np.ndarray, convolved: np.ndarray, y: np.ndarray, class_weights: np.ndarray, seen: np.ndarray
) -> tuple[float, float]:
    """Factors ``(a, b)`` of ``a linear + b convolved`` with the least weighted cross-entropy on left-out rows.

    Stacked generalisation (Wolpert, Neural Networks 5:241, 1992) with factors of at least 0 (Breiman, Machine Learning
    24:49, 1996), drawn towards (1, 0): few rows can't tell whether the convolutions deserve to be heard.

    Parameters
    ----------
    linear, convolved
        Logits ``(n, k)`` of each row by models that did not see it or its group.
    y
        Class codes ``(n,)``.
    class_weights
        ``(k,)``.
    seen
        Row numbers that both paths have left out; none: (1, 0).
    """
    if not len(seen):
        return 1.0, 0.0
    targets = softened(np.eye(len(class_weights))[y])[seen]
    weight = class_weights[y[seen]] / class_weights[y[seen]].sum()
    paths = np.stack([linear[seen], convolved[seen]]).astype(np.float64)

    def loss(factors: np.ndarray) -> tuple[float, np.ndarray]:
        scores = log_softmax(np.tensordot(factors, paths, axes=1), axis=1)
        stray = factors - (1.0, 0.0)
        slope = weight[:, None] * (np.exp(scores) - targets)
        value = -float(weight @ (targets * scores).sum(axis=1)) + _PULL / len(seen) * float(stray @ stray)
        return value, (paths * slope).sum(axis=(1, 2)) + 2 * _PULL / len(seen) * stray

    a, b = minimize(loss, (1.0, 0.1), jac=True, method="L-BFGS-B", bounds=[(0.0, _MOST)] * 2).x
    return float(a), float(b)
