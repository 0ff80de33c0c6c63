"""A linear map model in closed form: where the network's linear path starts.

Kernel ridge regression on the classes with a spatial prior: beside every map stands its blurred copy, so that cells
which lie together may share a weight. Penalty and share of the blur are those with the best leave-one-out
(leave-one-group-out) cross-entropy, which costs no refit.

It may be averaged with models of the same kind that listen more to cells which tell the classes apart (adaptive ridge
regression: each cell is penalised the less, the more of its variance lies between the classes). What tells apart is
learned from the classes, so that these models choose their penalty on inner folds that learn it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize
from scipy.special import log_softmax

from genomap_core.training.split import Fold, inner_folds, usable

RELEVANCE_POWERS = (0.5, 1.0)
"""Of the models in the map classifier's mean; chosen on development sets (docs/classifier_log.md)."""
_BLURS = (0.0, 1.0, 2.0)  # standard deviation in cells; the first is none
_MAX_ROWS = 1000  # the closed form grows with the cube of the rows
_MARGIN = 0.98  # a blur must be better than none by more than chance
_PENALTIES = 10.0 ** np.arange(-3.0, 2.5, 0.5)  # relative to the kernel's mean diagonal
_USUAL_SCALE = 4.0  # of the scores, towards which a few rows are drawn
_SCALE_FORCE = 0.25  # in rows
_FOLDS = 5
_LEAST_RELEVANCE = 1e-3  # of the mean: no cell is lost


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
    powers: Sequence[float] = (),
    seed: int = 0,
) -> LinearStart:
    """Fit on maps ``(n, c, H, W)`` float32 and class codes ``y`` ``(n,)``.

    ``class_weights`` ``(n_classes,)`` weigh the cross-entropy; rows of one group ``(n,)`` are left out together.
    Time grows as n^3, memory as n^2; the number of cells counts once. ``tick`` is called between the parts of the
    work and may raise. For each of ``powers`` a model joins the mean whose penalty of a cell falls with that power of
    its relevance; ``seed`` draws their inner folds.
    """
    scene = _Scene(maps, y, class_weights, groups, tick)
    plain, *blurred = (scene.best_penalty(sigma) for sigma in _BLURS)
    best = min(blurred, key=lambda choice: choice.cross_entropy, default=plain)
    if best.cross_entropy > _MARGIN * plain.cross_entropy:
        best = plain
    folds = usable(inner_folds(y, groups, _FOLDS, seed), y) if len(powers) else []
    parts = [(scene.weight(best), best.bias, best.bias + best.scale * best.left_out)]
    parts += [scene.relevant(power, folds) for power in powers if folds]
    weight, bias, left_out = (np.mean([part[k] for part in parts], axis=0) for k in range(3))
    bias = bias - scene.mean.reshape(-1) @ weight
    shaped = weight.T.reshape(len(class_weights), *maps.shape[1:])
    return LinearStart(
        shaped.astype(np.float32),
        bias.astype(np.float32),
        best.blur,
        best.penalty,
        scene.cross_entropy(left_out),
        left_out.astype(np.float32),
    )


def relevance(maps: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share of each cell's variance that lies between the classes, beyond what chance gives: ``(c, H, W)`` in [0, 1].

    ``maps`` ``(n, c, H, W)``; eta squared of a one-way analysis of variance, minus its mean (k - 1) / (n - 1) under
    no difference.
    """
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    centred = maps - maps.mean(axis=0, dtype=np.float64).astype(np.float32)
    total = np.einsum("n...,n...->...", centred, centred, dtype=np.float64)
    sums = np.tensordot(np.eye(len(classes), dtype=np.float32)[codes].T, centred, axes=1).astype(np.float64)
    between = np.tensordot(1.0 / counts, sums**2, axes=1)
    share = np.divide(between, total, out=np.zeros_like(total), where=total > 1e-9)
    return (share - (len(classes) - 1) / max(1, len(y) - 1)).clip(0.0)


def start_rows(n: int, seed: int, most: int = _MAX_ROWS) -> np.ndarray:
    """The rows of ``n`` to start from, ascending: all, or some drawn by chance where there are too many."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:most]) if n > most else np.arange(n)


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
        self.share, self.softened = self.targets.mean(axis=0), softened(self.targets)
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
            dual, left_out = (1 + penalty) * dual, (1 + penalty) * left_out  # of one size, whatever the penalty
            scale, bias, loss = self._calibrate(left_out)
            choices.append(_Choice(loss, sigma, float(penalty), scale, bias, dual, left_out))
        return min(choices, key=lambda choice: choice.cross_entropy)

    def _left_out(self, shrink: np.ndarray, vectors: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Scores of each row by the model without its row or group, minus the class shares without them.

        Minus those, not the shares of all rows: without a row its own class is rarer, which would speak against every
        model, and the louder the fewer the rows are.
        """
        n, centred = len(self.targets), self.targets - self.share
        if self.blocks is None:
            leverage = (vectors**2) @ shrink + 1.0 / n
            return centred * n / (n - 1) - residual / (1.0 - leverage).clip(1e-8)[:, None]
        left_out = np.empty_like(residual)
        for rows in self.blocks:
            hat = (vectors[rows] * shrink) @ vectors[rows].T + 1.0 / n
            error = np.linalg.lstsq(np.eye(len(rows)) - hat, residual[rows], rcond=1e-10)[0]
            left_out[rows] = centred[rows] + centred[rows].sum(axis=0) / max(1, n - len(rows)) - error
        return left_out

    def relevant(self, power: float, folds: list[Fold]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights ``(cells, k)``, biases ``(k,)`` and left-out logits ``(n, k)`` of the model for one power."""
        scores = np.zeros((len(_PENALTIES), *self.targets.shape))
        for train, test in folds:
            self.tick()
            fit = _Emphasised(self.maps[train], self.targets[train], power)
            scores[:, test] = [fit.scores(self.maps[test], penalty) for penalty in _PENALTIES]
        seen = np.concatenate([test for _, test in folds])
        tried = [(self._calibrate(left_out[seen], seen), k) for k, left_out in enumerate(scores)]
        (scale, bias, _), best = min(tried, key=lambda one: one[0][2])
        self.tick()
        fit = _Emphasised(self.maps, self.targets, power)
        return scale * fit.weight(_PENALTIES[best]), bias, bias + scale * scores[best]

    def cross_entropy(self, logits: np.ndarray, rows: np.ndarray | slice = slice(None)) -> float:
        """Weighted, of the softened targets of these rows, in nats."""
        share = self.row_weights[rows] / self.row_weights[rows].sum()
        return -float(share @ (self.softened[rows] * log_softmax(logits, axis=1)).sum(axis=1))

    def _calibrate(self, scores: np.ndarray, rows: np.ndarray | slice = slice(None)) -> tuple[float, np.ndarray, float]:
        """The factor on the scores and the classes' biases of least weighted cross-entropy, and that cross-entropy.

        Biases are drawn towards the log class frequencies with the force of one row, the factor towards its usual size
        with less: where hardly any rows are left out, chance must not silence the scores.
        """
        n, k = scores.shape
        targets = self.softened[rows]
        share = self.row_weights[rows] / self.row_weights[rows].sum()

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            scale, shift = np.exp(parameters[0]), parameters[1:]
            logits = self.prior + shift + scale * scores
            slope = (np.exp(log_softmax(logits, axis=1)) - targets) * share[:, None]
            stray, force = parameters[0] - start[0], shift / n
            gradient = np.r_[scale * (slope * scores).sum() + _SCALE_FORCE * stray / n, slope.sum(axis=0) + force]
            drawn = 0.5 * (_SCALE_FORCE * stray**2 / n + float(force @ shift))
            return self.cross_entropy(logits, rows) + drawn, gradient

        start = np.r_[np.log(_USUAL_SCALE), np.zeros(k)]
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


class _Emphasised:
    """Ridge regression on maps ``(n, c, H, W)`` whose relevant cells are made larger, for every penalty at once."""

    def __init__(self, maps: np.ndarray, targets: np.ndarray, power: float) -> None:
        found = relevance(maps, targets.argmax(axis=1))
        found += _LEAST_RELEVANCE * found.mean() + 1e-12
        self.emphasis = ((found / found.mean()) ** (power / 2)).astype(np.float32)
        self.mean = maps.mean(axis=0)
        self.rows = ((maps - self.mean) * self.emphasis).reshape(len(maps), -1)
        kernel, self.size = unit_kernel(self.rows)
        values, self.vectors = np.linalg.eigh(kernel)
        self.values = values.clip(0.0)
        self.rotated = self.vectors.T @ (targets - targets.mean(axis=0))

    def scores(self, maps: np.ndarray, penalty: float) -> np.ndarray:
        """Of other maps, ``(m, k)``: beyond the class shares, of one size whatever the penalty."""
        rows = ((maps - self.mean) * self.emphasis).reshape(len(maps), -1)
        return (rows @ self.rows.T / self.size) @ self._dual(penalty)

    def weight(self, penalty: float) -> np.ndarray:
        """Weights of cells ``(c H W, k)``."""
        return self.emphasis.reshape(-1, 1) * (self.rows.T @ self._dual(penalty)) / self.size

    def _dual(self, penalty: float) -> np.ndarray:
        return (1 + penalty) * (self.vectors @ (self.rotated / (self.values + penalty)[:, None]))


def softened(targets: np.ndarray) -> np.ndarray:
    """Targets ``(n, k)`` as in Platt's scaling, so that rows which are all told apart don't make a model certain."""
    n, k = targets.shape
    soft = k / (n + 2 * k)
    return (1 - soft) * targets + soft * targets.mean(axis=0)


def unit_kernel(maps: np.ndarray) -> tuple[np.ndarray, float]:
    """Inner products of maps, ``(n, c, H, W)`` -> ``(n, n)`` float64 of mean diagonal 1, and the divisor."""
    rows = maps.reshape(len(maps), -1)
    kernel = (rows @ rows.T).astype(np.float64)
    size = float(np.trace(kernel)) / len(kernel) or 1.0
    return kernel / size, size


def blur(maps: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of every map; zero outside, so that the operation is its own transpose."""
    return gaussian_filter(maps, (0, 0, sigma, sigma), mode="constant", truncate=3.0)
