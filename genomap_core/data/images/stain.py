"""Haematoxylin and eosin brought to one look: the stains of a slide are found, and painted in standard colours.

Macenko et al., A method for normalizing histology slides for quantitative analysis, ISBI 2009: in optical density,
light absorbed adds up, so that all pixels lie in the plane of the two stains; their directions are its extremes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RUIFROK = np.array([[0.65, 0.704, 0.286], [0.072, 0.99, 0.105]])
"""``(2, 3)``: optical densities of haematoxylin and eosin in red, green and blue (Ruifrok and Johnston, 2001)."""
STRENGTHS = np.array([1.5, 1.0])
"""Density of each stain in the darkest per cent of a normalised image: ours."""
_GLASS = 0.15
"""Mean optical density of the three colours below which a pixel counts as glass."""
_LEAST_TISSUE = 500


@dataclass(frozen=True, eq=False)
class Stains:
    """The two stains of an image: ``vectors (2, 3)`` unit optical densities, ``strengths (2,)`` their 99th per cent."""

    vectors: np.ndarray
    strengths: np.ndarray


def optical_density(rgb: np.ndarray, white: float = 255.0) -> np.ndarray:
    """``(..., 3)`` brightness -> float32 absorption, 0 for white: -log of the share of light that passes."""
    return -np.log((rgb.astype(np.float32) + 1) / np.float32(white + 1))


def find_stains(rgb: np.ndarray, most: int = 100_000) -> Stains | None:
    """The stains of ``(H, W, 3)`` uint8; None where too little of it is tissue to tell.

    At most ``most`` pixels are looked at, evenly spread.
    """
    density = optical_density(rgb.reshape(-1, 3)[:: max(1, rgb.shape[0] * rgb.shape[1] // most)])
    density = density[density.mean(axis=1) > _GLASS]
    if len(density) < _LEAST_TISSUE:
        return None
    _, axes = np.linalg.eigh(np.cov(density.T))
    plane = axes[:, [2, 1]] * np.where(axes[:, [2, 1]].sum(0) < 0, -1, 1)
    angle = np.arctan2(density @ plane[:, 1], density @ plane[:, 0])
    ends = [plane @ (np.cos(a), np.sin(a)) for a in np.percentile(angle, [1, 99])]
    vectors = np.stack([np.clip(v, 1e-3, None) / np.linalg.norm(np.clip(v, 1e-3, None)) for v in ends])
    vectors = vectors[np.argsort(-vectors[:, 0])]  # haematoxylin absorbs more red than eosin
    if abs(vectors[0] @ vectors[1]) > 0.9995:
        return None
    amounts = np.linalg.lstsq(vectors.T, density.T, rcond=None)[0]
    strengths = np.percentile(amounts, 99, axis=1)
    return Stains(vectors, strengths) if (strengths > 1e-3).all() else None


def normalise_stains(rgb: np.ndarray, stains: Stains | None = None) -> np.ndarray:
    """``(H, W, 3)`` uint8 repainted in standard colours, uint8; unchanged where no stains can be found.

    ``stains``: those of the slide the image was cut from, so that its patches stay comparable.
    """
    stains = find_stains(rgb) if stains is None else stains
    if stains is None:
        return rgb
    density = optical_density(rgb).reshape(-1, 3)
    amounts = np.linalg.lstsq(stains.vectors.T, density.T, rcond=None)[0]
    target = (RUIFROK / np.linalg.norm(RUIFROK, axis=1, keepdims=True)) * (STRENGTHS / stains.strengths)[:, None]
    painted = 256 * np.exp(-(np.clip(amounts, 0, None).T @ target)) - 1
    return np.clip(np.rint(painted), 0, 255).astype(np.uint8).reshape(rgb.shape)
