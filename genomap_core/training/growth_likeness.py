"""Is an image like those a growth model was trained on, and how far are its probabilities to be believed?

Two views of an image. *Texture*: mean and spread of the features before the growth, against each class's mean with one
covariance for all (Mahalanobis distance; Lee et al., NeurIPS 2018). *Layout*: coarse grey values and the head's
outline, against the main directions in which the training images vary: how far along them, and how much lies outside
of them. No training image is kept, and none can be had back: only means and directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from torch import Tensor, nn
from torch.nn import functional as F

from genomap_core.errors import InputError
from genomap_core.models.physnet import PhysNet


@dataclass(frozen=True, slots=True)
class Calibration:
    """``softmax(log p / temperature + offset)``, the offset for one class only."""

    temperature: float = 1.0
    offset: float = 0.0
    """Added to the logarithm of class ``of``: below 0 it is said less often."""
    of: int = 0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise InputError(f"`temperature` must be > 0, got {self.temperature}.")

    def __call__(self, proba: np.ndarray) -> np.ndarray:
        """``(n, C)`` -> the same, calibrated."""
        logits = np.log(np.maximum(proba, 1e-12)) / self.temperature
        logits[:, self.of] += self.offset
        return np.asarray(softmax(logits, axis=1))


def fit_calibration(proba: np.ndarray, y: np.ndarray, of: int, most: float = np.inf) -> Calibration:
    """Temperature (Guo et al., ICML 2017) and offset of class ``of`` with the least cross-entropy; classes weigh alike.

    ``proba (n, C)`` and ``y (n,)`` belong to images that no weight was fitted on. ``most``: the largest offset; 0 where
    saying class ``of`` too often is the worse error.
    """
    logits = np.log(np.maximum(proba, 1e-12))
    weight = 1 / np.bincount(y, minlength=proba.shape[1])[y]

    def loss(x: np.ndarray) -> float:
        scaled = logits * np.exp(-x[0])
        scaled[:, of] += min(x[1], most)
        return float(-(weight * log_softmax(scaled, axis=1)[np.arange(len(y)), y]).sum() / weight.sum())

    best = minimize(loss, np.zeros(2), method="Nelder-Mead").x
    return Calibration(float(np.exp(best[0])), float(min(best[1], most)), of)


VIEWS = ("texture", "outline", "detail")
"""Of the features; of the head's shape and coarse grey values; what those of the training images don't explain"""
FALSE_ALARM_RATE = 0.01
"""Of each view; images of the training collection's kind are then flagged in at most one of twenty cases."""
FEWEST_HELD = 20
"""Held-out images that limits can be set from"""
_PARTS = ("means", "precision", "centre", "directions", "limits")
_SIDE, _DIRECTIONS, _SHRINK = 24, 60, 0.05


@dataclass(frozen=True, eq=False)
class LikenessModel:
    """What is remembered of the training images."""

    means: np.ndarray
    """``(C, d)`` mean texture of each class"""
    precision: np.ndarray
    """``(d, d)``"""
    centre: np.ndarray
    """``(q,)`` mean layout"""
    directions: np.ndarray
    """``(k, q)`` main directions of the layout, each divided by its standard deviation"""
    limits: np.ndarray
    """``(3,)`` largest distance of each of :data:`VIEWS` that is like the training images"""

    def distances(self, texture: np.ndarray, layout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``(n, 3)`` distances as multiples of their limits, and ``(n, C)`` of texture to each class's mean."""
        apart = texture[:, None] - self.means
        to_class = np.sqrt(np.einsum("ncd,de,nce->nc", apart, self.precision, apart) / texture.shape[1])
        away = layout - self.centre
        spread = np.linalg.norm(self.directions, axis=1, keepdims=True)
        unit = self.directions / spread
        along = away @ unit.T
        left = np.sqrt(((away - along @ unit) ** 2).mean(1))
        views = [to_class.min(1), np.sqrt(((along * spread.T) ** 2).mean(1)), left]
        return np.stack(views, 1) / self.limits, to_class

    def arrays(self) -> dict[str, np.ndarray]:
        """For a file."""
        return {f"likeness/{name}": getattr(self, name).astype(np.float32) for name in _PARTS}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> LikenessModel | None:
        """What :meth:`arrays` gave; None where a file holds none."""
        if "likeness/limits" not in arrays:
            return None
        return cls(**{name: arrays[f"likeness/{name}"].astype(np.float64) for name in _PARTS})


def texture_of(modules: Sequence[nn.Module], images: np.ndarray) -> np.ndarray:
    """Mean and spread of each network's features before its growth: ``(n, c, H, W)`` -> ``(n, d)``."""
    parts = []
    with torch.inference_mode():
        for x in torch.from_numpy(np.ascontiguousarray(images, np.float32)).split(32):
            rows = [_moments(m.features(x)) for m in modules if isinstance(m, PhysNet)]
            parts.append(torch.cat(rows, dim=1))
    return torch.cat(parts).double().numpy()


def _moments(features: Tensor) -> Tensor:
    moments = torch.cat([features.mean((2, 3)), features.std((2, 3))], dim=1)
    return moments.sign() * moments.abs().log1p()


def layout_of(images: np.ndarray) -> np.ndarray:
    """Coarse grey values and outline of the head: ``(n, c, H, W)`` -> ``(n, 2 x 24 x 24)``, channels averaged."""
    x = torch.from_numpy(np.ascontiguousarray(images, np.float32))
    coarse = F.adaptive_avg_pool2d(x.mean(1, keepdim=True), _SIDE).flatten(1)
    outline = F.adaptive_avg_pool2d((x != 0).any(1, keepdim=True).float(), _SIDE).flatten(1)
    return torch.cat([coarse, 2 * outline], dim=1).double().numpy()


def fit_likeness(modules: Sequence[nn.Module], images: np.ndarray, y: np.ndarray, held: np.ndarray) -> LikenessModel:
    """Remember ``images (n, c, H, W)`` of classes ``y``; ``held``: others of their kind, for the limits.

    Raises
    ------
    InputError
        Fewer than 40 training or 20 held-out images: no limit can be set.
    """
    if len(images) < 40 or len(held) < FEWEST_HELD:
        raise InputError(
            f"{len(images)} training and {len(held)} held-out images: at least 40 and 20 are needed to say what is "
            "like them."
        )
    texture, layout = texture_of(modules, images), layout_of(images)
    classes = np.unique(y)
    means = np.stack([texture[y == c].mean(0) for c in classes])
    covariance = np.cov((texture - means[np.searchsorted(classes, y)]).T)
    round_ = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    precision = np.linalg.inv((1 - _SHRINK) * covariance + _SHRINK * round_)
    centre = layout.mean(0)
    _, size, directions = np.linalg.svd(layout - centre, full_matrices=False)
    k = min(_DIRECTIONS, len(size) - 1)
    scaled = directions[:k] / (size[:k, None] / np.sqrt(len(layout)))
    free = LikenessModel(means, precision, centre, scaled, np.ones(3))
    found, _ = free.distances(texture_of(modules, held), layout_of(held))
    limits = np.quantile(found, 1 - FALSE_ALARM_RATE, axis=0, method="higher")
    return LikenessModel(means, precision, centre, scaled, limits)
