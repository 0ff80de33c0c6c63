"""A linear map model in closed form: where the network's linear path starts.

Kernel ridge regression on the classes with a spatial prior: beside every map stands its blurred copy, so that cells
which lie together may share a weight. Penalty and share of the blur are those with the best leave-one-out
(leave-one-group-out) cross-entropy, which costs no refit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize
from scipy.special import log_softmax

_BLURS = (0.0, 1.0, 2.0)  # standard deviation in cells; the first is none
_MAX_ROWS = 1000  # the closed form grows with the cube of the rows
_MARGIN = 0.98  # a blur must be better than none by more than chance
_PENALTIES = 10.0 ** np.arange(-3.0, 2.5, 0.5)  # relative to the kernel's mean diagonal


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
    left_out: np.ndarray
    """``(n, n_classes)`` float32 logits of every row, by the model without it or its group."""


def linear_start(
    maps: np.ndarray,
    y: np.ndarray,
    class_weights: np.ndarray,
    groups: np.ndarray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> LinearStart:
    """Fit on maps ``(n, c, H, W)`` float32 and class codes ``y`` ``(n,)``.

    ``class_weights`` ``(n_classes,)`` weigh the cross-entropy; rows of one group ``(n,)`` are left out together.
    Time grows as n^3, memory as n^2; the number of cells counts once. ``tick`` is called between the parts of the
    work and may raise.
    """
    scene = _Scene(maps, y, class_weights, groups, tick)
    plain, *blurred = (scene.best_penalty(sigma) for sigma in _BLURS)
    best = min(blurred, key=lambda choice: choice.cross_entropy, default=plain)
    if best.cross_entropy > _MARGIN * plain.cross_entropy:
        best = plain
    weight = scene.weight(best)
    bias = best.bias - scene.mean.reshape(-1) @ weight
    shaped = weight.T.reshape(len(class_weights), *maps.shape[1:])
    return LinearStart(
        shaped.astype(np.float32),
        bias.astype(np.float32),
        best.blur,
        best.penalty,
        best.cross_entropy,
        (best.bias + best.scale * best.left_out).astype(np.float32),
    )


def start_rows(n: int, seed: int) -> np.ndarray:
    """The rows of ``n`` to start from, ascending: all, or some drawn by chance where there are too many."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:_MAX_ROWS]) if n > _MAX_ROWS else np.arange(n)


@dataclass(frozen=True, eq=False)
class _Choice:
    cross_entropy: float
    blur: float
    penalty: float
    scale: float
    bias: np.ndarray  # (n_classes,)
    dual: np.ndarray  # (n, n_classes)
    left_out: np.ndarray  # (n, n_classes), before scale and bias


class _Scene:
    """One cohort, prepared: centred maps, targets, and kernels by blur."""

    def __init__(
        self,
        maps: np.ndarray,
        y: np.ndarray,
        class_weights: np.ndarray,
        groups: np.ndarray | None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.tick = tick
        self.y, self.row_weights = y, class_weights[y].astype(np.float64)
        self.mean = maps.mean(axis=0, dtype=np.float64)
        self.maps = maps - self.mean.astype(np.float32)
        self.targets = np.eye(len(class_weights))[y]
        self.share = self.targets.mean(axis=0)
        prior = np.maximum(self.share * class_weights, 1e-6)
        self.prior = np.log(prior / prior.sum())
        self.blocks = None if groups is None else [np.flatnonzero(groups == g) for g in np.unique(groups)]
        self.plain, self.plain_size = unit_kernel(self.maps)

    def best_penalty(self, sigma: float) -> _Choice:
        kernel = self.plain
        if sigma:
            kernel = 0.5 * kernel + 0.5 * unit_kernel(blur(self.maps, sigma))[0]
        values, vectors = np.linalg.eigh(kernel)
        values = values.clip(0.0)
        rotated = vectors.T @ (self.targets - self.share)
        choices = []
        for penalty in _PENALTIES:
            self.tick()
            dual = vectors @ (rotated / (values + penalty)[:, None])
            left_out = self._left_out(values / (values + penalty), vectors, penalty * dual)
            scale, bias, loss = self._calibrate(left_out)
            choices.append(_Choice(loss, sigma, float(penalty), scale, bias, dual, left_out))
        return min(choices, key=lambda choice: choice.cross_entropy)

    def _left_out(self, shrink: np.ndarray, vectors: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Scores of each row by the model without its row or group, minus the class shares."""
        n = len(self.targets)
        if self.blocks is None:
            leverage = (vectors**2) @ shrink + 1.0 / n
            left_out = residual / (1.0 - leverage).clip(1e-8)[:, None]
        else:
            left_out = np.empty_like(residual)
            for rows in self.blocks:
                hat = (vectors[rows] * shrink) @ vectors[rows].T + 1.0 / n
                left_out[rows] = np.linalg.lstsq(np.eye(len(rows)) - hat, residual[rows], rcond=1e-10)[0]
        return self.targets - left_out - self.share

    def _calibrate(self, scores: np.ndarray) -> tuple[float, np.ndarray, float]:
        """The factor on the scores and the classes' biases of least weighted cross-entropy, and that cross-entropy.

        Targets are softened as in Platt's scaling, so that rows which are all told apart don't make the model certain;
        biases are drawn towards the log class frequencies with the force of one row.
        """
        n, k = scores.shape
        soft = k / (n + 2 * k)
        targets = (1 - soft) * self.targets + soft * self.share
        share = self.row_weights / self.row_weights.sum()

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            scale, shift = np.exp(parameters[0]), parameters[1:]
            log_probability = log_softmax(self.prior + shift + scale * scores, axis=1)
            slope = (np.exp(log_probability) - targets) * share[:, None]
            force = shift / n
            gradient = np.r_[scale * (slope * scores).sum(), slope.sum(axis=0) + force]
            return -float(share @ (targets * log_probability).sum(axis=1)) + 0.5 * float(force @ shift), gradient

        start = np.zeros(1 + k)
        bounds = [(-3.0, 4.0)] + [(-5.0, 5.0)] * k
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
        return float(np.exp(found.x[0])), self.prior + found.x[1:], float(found.fun)

    def weight(self, choice: _Choice) -> np.ndarray:
        """Dual coefficients as weights of cells: ``(c H W, n_classes)``."""
        dual = choice.dual.T * choice.scale
        weight = np.tensordot(dual, self.maps, axes=1) / self.plain_size
        if choice.blur:
            blurred = blur(self.maps, choice.blur)
            smooth = blur(np.tensordot(dual, blurred, axes=1), choice.blur)
            weight = 0.5 * weight + 0.5 * smooth / unit_kernel(blurred)[1]
        return weight.reshape(len(dual), -1).T


def unit_kernel(maps: np.ndarray) -> tuple[np.ndarray, float]:
    """Inner products of maps, ``(n, c, H, W)`` -> ``(n, n)`` float64 of mean diagonal 1, and the divisor."""
    rows = maps.reshape(len(maps), -1)
    kernel = (rows @ rows.T).astype(np.float64)
    size = float(np.trace(kernel)) / len(kernel) or 1.0
    return kernel / size, size


def blur(maps: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of every map; zero outside, so that the operation is its own transpose."""
    return gaussian_filter(maps, (0, 0, sigma, sigma), mode="constant", truncate=3.0)
