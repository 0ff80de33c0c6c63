"""Simulated slices through a head, and tumours that a given growth model grows in them. Four classes.

Geometry and picture only: the growth itself is passed in (:data:`Grow`), so that the very solver that the network
holds makes the tumours. Everything is drawn from the seed; nothing is taken from a patient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.special import expit

from genomap_core.errors import InputError

CLASSES = ("glioma", "meningioma", "no tumour", "pituitary")
OUTSIDE, SCALP, BONE, FLUID, GREY, WHITE = range(6)
GREY_SHARE = 0.1
"""Diffusion in grey matter as a share of that in white matter (Swanson et al., Cell Prolif 33:317, 2000)."""

Grow = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""``(u0, D t, rho t)``, ``(n, H, W)`` each, in pixels: the density after the time t."""

_CONTRASTS = {
    "t1gd": {OUTSIDE: 0.0, SCALP: 0.95, BONE: 0.08, FLUID: 0.15, GREY: 0.48, WHITE: 0.66},
    "flair": {OUTSIDE: 0.0, SCALP: 0.75, BONE: 0.06, FLUID: 0.10, GREY: 0.55, WHITE: 0.42},
}


@dataclass(frozen=True, eq=False)
class SimulatedSlices:
    """``n`` slices of one size with the truth behind them."""

    images: np.ndarray
    """``(n, s, s)`` float32 in [0, 1]"""
    density: np.ndarray
    """``(n, s, s)`` float32, tumour cells in units of the carrying capacity"""
    tissue: np.ndarray
    """``(n, s, s)`` uint8: outside, scalp, bone, fluid, grey, white"""
    y: np.ndarray
    """``(n,)`` codes into :data:`CLASSES`"""
    diffusion: np.ndarray
    """``(n,)`` D in white matter, pixels^2 per unit of time; NaN without a tumour"""
    rate: np.ndarray
    """``(n,)`` rho per unit of time"""
    time: np.ndarray
    """``(n,)`` age of the tumour"""

    @property
    def masks(self) -> np.ndarray:
        """``(n, s, s)`` bool: at least 16 % of the carrying capacity, the edge seen on T2."""
        return self.density >= 0.16


@dataclass(frozen=True, slots=True)
class Tumour:
    """How one tumour is grown: where, how far its front is blurred, how large, how old."""

    width: float
    """sqrt(D / rho) in pixels"""
    radius: float
    """Distance the front has gone, 2 sqrt(D rho) t, in pixels"""
    time: float
    seed: tuple[int, int]
    """Row and column of the first cells"""

    @property
    def rate(self) -> float:
        """rho; rho t is at least 4, so that the middle fills."""
        return max(self.radius / (2 * self.width), 4.0) / self.time

    @property
    def diffusion(self) -> float:
        """D."""
        return self.width**2 * self.rate


def simulate_slices(n_per_class: int, size: int, seed: int, grow: Grow, contrast: str = "t1gd") -> SimulatedSlices:
    """``n_per_class`` slices of each of :data:`CLASSES`, classes in turn.

    Glioma: infiltrates white matter ten times as fast as grey. Meningioma: stays sharp, grows from the brain's surface.
    Pituitary: stays sharp and small, in the middle below the ventricles.
    """
    y = np.tile(np.arange(len(CLASSES)), n_per_class)
    return simulate(y, size, seed, grow, contrast)


def simulate(y: np.ndarray, size: int, seed: int, grow: Grow, contrast: str = "t1gd") -> SimulatedSlices:
    """One slice for every class code of ``y``; slice i depends on ``(seed, i)`` only."""
    if contrast not in _CONTRASTS or size < 32:
        raise InputError(f"`contrast` must be one of {', '.join(_CONTRASTS)} and `size` >= 32.")
    rngs = [np.random.default_rng([seed, i]) for i in range(len(y))]
    tissue = np.stack([brain_tissue(size, rng) for rng in rngs])
    tumours = [plan_tumour(CLASSES[c], t, rng) for c, t, rng in zip(y, tissue, rngs)]
    density = grow_tumours(tumours, tissue, y, grow)
    images = np.stack(
        [picture(t, u, contrast, CLASSES[c] == "glioma", rng) for t, u, c, rng in zip(tissue, density, y, rngs)]
    )
    truth = np.array([(t.diffusion, t.rate, t.time) if t else (np.nan,) * 3 for t in tumours]).T
    return SimulatedSlices(images, density, tissue, np.asarray(y), *truth)


def brain_tissue(size: int, rng: np.random.Generator) -> np.ndarray:
    """Tissue codes of one axial slice: ``(size, size)`` uint8."""
    y, x = np.mgrid[:size, :size].astype(np.float64) / size - 0.5
    x, y = x + rng.normal(0, 0.015), y + rng.normal(0, 0.015)
    angle = np.arctan2(y, x)
    lobes = sum(rng.normal(0, 0.012) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 4))
    radius = np.hypot(x / rng.uniform(0.36, 0.41), y / rng.uniform(0.43, 0.47)) * (1 + lobes)
    folds = ndimage.gaussian_filter(rng.normal(size=(size, size)), size / 45)
    folds *= 0.05 / folds.std()
    tissue = np.select(
        [radius > 1, radius > 0.93, radius > 0.86, radius > 0.83 + 0.5 * folds, radius > 0.7 + 1.6 * folds],
        [OUTSIDE, SCALP, BONE, FLUID, GREY],
        WHITE,
    )
    inner = radius < 0.62
    tilt, wide, long = rng.uniform(0.1, 0.35), rng.uniform(0.018, 0.035), rng.uniform(0.09, 0.14)
    for side in (-1, 1):
        u, v = (x - side * 0.05) * np.cos(tilt) - side * (y + 0.02) * np.sin(tilt), y + 0.02
        tissue[inner & ((u / wide) ** 2 + (v / long) ** 2 < 1)] = FLUID
        deep = ((x - side * 0.115) / 0.04) ** 2 + ((y - 0.02) / 0.07) ** 2 < 1 + 4 * folds
        tissue[inner & deep & (tissue == WHITE)] = GREY
    tissue[(np.abs(x) < 0.008) & (radius < 0.86) & (np.abs(y) > 0.17)] = FLUID
    return tissue.astype(np.uint8)


def plan_tumour(name: str, tissue: np.ndarray, rng: np.random.Generator) -> Tumour | None:
    """A tumour of this class somewhere it may begin; None for "no tumour".

    No front is narrower than 1.5 pixels: below, the lattice and not D and rho would set its speed.
    """
    size = len(tissue)
    scale, time = size / 128, float(np.exp(rng.uniform(0, np.log(4))))
    if name == "no tumour":
        return None
    if name == "glioma":
        width, radius = np.exp(rng.uniform(np.log(1.75), np.log(3.4))), rng.uniform(12, 26)
        place = ndimage.distance_transform_edt(tissue == WHITE) > 2 * scale
    elif name == "meningioma":
        width, radius = rng.uniform(1.5, 1.7), rng.uniform(9, 18)
        surface = ndimage.binary_dilation(tissue == BONE, iterations=max(1, round(2 * scale)))
        place = surface & np.isin(tissue, (FLUID, GREY))
    else:
        width, radius = rng.uniform(1.5, 1.7), rng.uniform(6, 11)
        place = np.zeros(tissue.shape, bool)
        row = round(size * rng.uniform(0.66, 0.70))
        place[row : row + 1, round(size * 0.48) : round(size * 0.52)] = True
    where = np.argwhere(place if place.any() else tissue == WHITE)
    row, column = where[rng.integers(len(where))]
    return Tumour(float(width * scale), float(radius * scale), time, (int(row), int(column)))


def grow_tumours(tumours: list[Tumour | None], tissue: np.ndarray, y: np.ndarray, grow: Grow) -> np.ndarray:
    """The densities ``(n, s, s)`` of planned tumours; zero where none is planned."""
    rows = [i for i, t in enumerate(tumours) if t is not None]
    density = np.zeros(tissue.shape, np.float32)
    if rows:
        planned = [t for t in tumours if t is not None]
        share = np.stack([conductance(CLASSES[y[i]], tissue[i]) for i in rows])
        u0 = np.stack([first_cells(t.seed, tissue.shape[1]) for t in planned]) * (share > 0)
        spread = [t.diffusion * t.time * s for t, s in zip(planned, share)]
        growth = [np.full(tissue.shape[1:], t.rate * t.time) for t in planned]
        density[rows] = grow(u0, np.stack(spread), np.stack(growth))
    return density


def first_cells(seed: tuple[int, int], size: int) -> np.ndarray:
    """A small full disc around the seed: ``(size, size)`` in [0, 1]."""
    row, column = np.ogrid[:size, :size]
    reach = max(1.5, 2 * size / 128)
    return np.clip(reach + 0.5 - np.hypot(row - seed[0], column - seed[1]), 0, 1)


def conductance(name: str, tissue: np.ndarray) -> np.ndarray:
    """D of each pixel as a share of D in white matter: ``(H, W)``. Only gliomas care about tissue inside the brain."""
    share = np.where(np.isin(tissue, (FLUID, GREY, WHITE)), 1.0, 0.0)
    if name == "glioma":
        share[tissue == GREY] = GREY_SHARE
        share[tissue == FLUID] = 0.0
    return share


def picture(
    tissue: np.ndarray, density: np.ndarray, contrast: str, infiltrating: bool, rng: np.random.Generator
) -> np.ndarray:
    """What a scanner would show: ``(H, W)`` float32 in [0, 1], with texture, coil shading and Rician noise."""
    size = len(tissue)
    table = np.array([_CONTRASTS[contrast][t] * rng.normal(1, 0.04) for t in range(6)])
    image = ndimage.gaussian_filter(table[tissue], 0.5 * size / 128)
    texture = ndimage.gaussian_filter(rng.normal(size=image.shape), 1.5 * size / 128)
    image = image * (1 + 0.04 * texture / texture.std())
    image = tumour_signal(image, density, contrast, infiltrating)
    shading = ndimage.gaussian_filter(rng.normal(size=image.shape), size / 4)
    image = image * (1 + 0.1 * shading / np.abs(shading).max())
    real, imaginary = rng.normal(0, rng.uniform(0.015, 0.04), (2, *image.shape))
    return np.clip(np.hypot(image + real, imaginary), 0, 1).astype(np.float32)


def tumour_signal(image: np.ndarray, density: np.ndarray, contrast: str, infiltrating: bool) -> np.ndarray:
    """The tumour over the tissue: FLAIR brightens with the density; on T1 with contrast agent its dense part takes it
    up (80 %), a glioma's core is dark (necrosis) and its surroundings are darker (oedema)."""
    if contrast == "flair":
        return image + (0.95 - image) * density
    if not infiltrating:
        return image + (0.9 - image) * _step(density, 0.5)
    image = image * (1 - 0.25 * _step(density, 0.16) * (1 - _step(density, 0.8)))
    rim, core = _step(density, 0.8), _step(density, 0.97)
    return image + (0.9 - image) * rim * (1 - core) + (0.25 - image) * core


def _step(density: np.ndarray, at: float) -> np.ndarray:
    return expit((density - at) / (0.1 * min(at, 1 - at) + 0.005))
