"""A drawn organ with a lesion in it: the ground on which simulated cohorts paint what their images shall show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

REGIONS = ("organ", "lesion")


@dataclass(frozen=True, eq=False)
class Organ:
    """One picture before noise, every array ``(s, s)``."""

    values: np.ndarray
    """Brightness, about 0 to 1: mottled organ, brighter lesion"""
    lesion: np.ndarray
    """bool"""
    distance: np.ndarray
    """From the lesion's middle, in its radii"""
    regions: np.ndarray
    """uint8: 0 outside, 1 organ, 2 lesion"""


def draw_organ(side: int, radius: tuple[float, float], rng: np.random.Generator) -> Organ:
    """Outline, place and tilt by chance; the lesion's radius between both ends of ``radius``, as shares of the side."""
    rows, columns = _grid(side)
    tilt, long, short = rng.uniform(0, np.pi), rng.uniform(0.38, 0.44), rng.uniform(0.30, 0.36)
    along, across = (
        columns * np.cos(tilt) + rows * np.sin(tilt),
        rows * np.cos(tilt) - columns * np.sin(tilt),
    )
    organ = (along / long) ** 2 + (across / short) ** 2 < 1 + 0.12 * smooth_noise(side, 0.12, rng)
    angle, away, reach = rng.uniform(0, 2 * np.pi), 0.16 * np.sqrt(rng.uniform()), rng.uniform(*radius)
    distance = np.hypot(rows - away * np.sin(angle), columns - away * np.cos(angle)) / reach
    lesion = organ & (distance < 1 + 0.12 * smooth_noise(side, 0.06, rng))
    values = np.where(organ, 0.5 + 0.05 * smooth_noise(side, 0.03, rng), 0.08) + 0.12 * lesion
    return Organ(values, lesion, distance, organ.astype(np.uint8) + lesion)


def stripes(side: int, rng: np.random.Generator) -> np.ndarray:
    """Waves of five pixels in a direction drawn by chance: ``(s, s)`` in [-1, 1]."""
    rows, columns = _grid(side)
    turn = rng.uniform(0, np.pi)
    return np.sin(2 * np.pi * (columns * np.cos(turn) + rows * np.sin(turn)) * side / 5)


def grainy(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(s, s)`` uint8 grey values of a brightness, with the noise of a camera."""
    noisy = values + rng.normal(0, 0.035, values.shape)
    return np.round(255 * np.clip(noisy, 0, 1)).astype(np.uint8)


def smooth_noise(side: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit variance, correlated over ``scale`` of the side: ``(s, s)``."""
    noise = ndimage.gaussian_filter(rng.normal(size=(side, side)), scale * side, mode="wrap")
    return np.asarray(noise / noise.std())


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every pixel's middle, 0 at the middle of the picture, 1 a side."""
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    return rows, columns
