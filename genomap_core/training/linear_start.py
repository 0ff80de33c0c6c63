"""A linear map model in closed form: where the network's linear path starts.

Kernel ridge regression on the classes with a spatial prior: beside every map stands its blurred copy, so that cells
which lie together may share a weight. Penalty and share of the blur are those with the best leave-one-out
(leave-one-group-out) cross-entropy, which costs no refit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

_BLURS = (0.0, 1.0, 2.0)  # standard deviation in cells
_SHARES = (0.5,)
_PENALTIES = 10.0 ** np.arange(-4.0, 2.5, 0.5)  # relative to the kernel's mean diagonal


@dataclass(frozen=True, eq=False)
class LinearStart:
    """``logits = maps . weight + bias``, calibrated on left-out rows."""

    weight: np.ndarray
    """``(n_classes, c, H, W)`` float32."""
    bias: np.ndarray
    """``(n_classes,)`` float32."""
    blur: float
    """Standard deviation of the chosen blur, in cells; 0: none."""
    penalty: float
    cross_entropy: float
    """Of the left-out rows, in nats."""


def linear_start(maps: np.ndarray, y: np.ndarray, n_classes: int, groups: np.ndarray | None = None) -> LinearStart:
    """Fit on maps ``(n, c, H, W)`` float32 and class codes ``y`` ``(n,)``.

    ``groups`` ``(n,)``: rows of one group are left out together. Time grows as n^3, memory as n^2.
    """
    n = len(maps)
    flat = maps.reshape(n, -1)
    centred = flat - flat.mean(axis=0)
    targets = np.eye(n_classes)[y]
    centre = targets.mean(axis=0)
    best: tuple[float, float, float, float, float, np.ndarray] | None = None
    plain = gram(centred)
    for sigma in _BLURS:
        blurred = blur(centred.reshape(maps.shape), sigma).reshape(n, -1) if sigma else None
        kernel_b = gram(blurred) if blurred is not None else None
        for share in _SHARES if sigma else (0.0,):
            kernel = plain / np.trace(plain).clip(1e-12) * n
            if kernel_b is not None:
                kernel = (1 - share) * kernel + share * kernel_b / np.trace(kernel_b).clip(1e-12) * n
            values, vectors = np.linalg.eigh(kernel)
            rotated = vectors.T @ (targets - centre)
            for penalty in _PENALTIES:
                fitted, left_out, dual = _leave_out(values, vectors, rotated, targets, centre, penalty, groups)
                scale, loss = _calibrate(left_out - centre, centre, y)
                if best is None or loss < best[0] - 1e-9:
                    best = (loss, sigma, share, penalty, scale, dual)
    assert best is not None  # noqa: S101
    loss, sigma, share, penalty, scale, dual = best
    weight = centred.T @ dual * ((1 - share) * n / np.trace(plain).clip(1e-12))
    if sigma:
        b = blur(centred.reshape(maps.shape), sigma)
        wb = np.tensordot(dual.T, b, axes=1)
        weight = weight + (blur(wb, sigma) * (share * n / (b**2).sum())).reshape(n_classes, -1).T
    weight = weight * scale
    prior = np.log(np.clip(centre, 1e-6, None))
    bias = prior - flat.mean(axis=0) @ weight
    return LinearStart(
        weight.T.reshape(n_classes, *maps.shape[1:]).astype(np.float32), bias.astype(np.float32), sigma, penalty, loss
    )


def gram(rows: np.ndarray) -> np.ndarray:
    """``(n, d)`` -> ``(n, n)`` inner products in float64."""
    return (rows @ rows.T).astype(np.float64)


def blur(maps: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of every map; zero outside, so that the operation is its own transpose."""
    return gaussian_filter(maps, (0, 0, sigma, sigma), mode="constant", truncate=3.0)


def _leave_out(values, vectors, rotated, targets, centre, penalty, groups):
    shrink = values / (values + penalty)
    fitted = vectors @ (shrink[:, None] * rotated) + centre
    dual = vectors @ (rotated / (values + penalty)[:, None])
    n = len(targets)
    residual = targets - fitted
    if groups is None:
        leverage = (vectors**2) @ shrink + 1.0 / n
        left_out = targets - residual / (1.0 - leverage).clip(1e-6)[:, None]
    else:
        left_out = np.empty_like(targets)
        for g in np.unique(groups):
            rows = np.flatnonzero(groups == g)
            hat = (vectors[rows] * shrink) @ vectors[rows].T + 1.0 / n
            left_out[rows] = targets[rows] - np.linalg.solve(np.eye(len(rows)) * (1 + 1e-9) - hat, residual[rows])
    return fitted, left_out, dual


def _calibrate(scores: np.ndarray, centre: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The factor on the scores with the least cross-entropy, and that cross-entropy."""
    prior = np.log(np.clip(centre, 1e-6, None))
    rows = np.arange(len(y))

    def loss(log_scale: float) -> float:
        return -float(log_softmax(prior + np.exp(log_scale) * scores, axis=1)[rows, y].mean())

    found = minimize_scalar(loss, bounds=(-3.0, 4.0), method="bounded", options={"xatol": 0.05})
    return float(np.exp(found.x)), float(found.fun)
