"""What identifies a tumour's growth: two outlines of one date give sqrt(D / rho), two dates give D and rho.

The outlines are those of 16 % and of 80 % of the space filled by tumour cells, as T2 or FLAIR and T1 with contrast
agent show them (Swanson et al., 2008). One image without them fixes nothing in millimetres or days.
"""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from scipy.optimize import minimize

from genomap_core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

WIDE, DENSE = 0.16, 0.80
RING = 5.8
"""Distance of the 80 % from the 16 % outline, in units of sqrt(D / rho): 5.6 to 6.1 for round tumours whose dense part
has a radius above 4 sqrt(D / rho), by the method of lines; 6.0 for the steady wave."""
CURVED = 1.4
"""A round front of radius R moves with ``2 sqrt(D rho) (1 - 1.4 sqrt(D / rho) / R)``, by the same computation."""
_RING_ERROR = 0.05
_MODEL_ERROR = (0.06, 0.07)
"""Of log sqrt(D / rho) and log rho: what the form of the first density leaves, on simulated pairs"""
_TAIL, _BEND, _CORE = 0.55, 0.02, math.sqrt(2) - 1
"""With x the distance in units of L = sqrt(D / rho): ahead of the 16 % outline of a round tumour of radius R
``log u`` falls by ``0.55 x + 0.02 x^2 + x^2 L / (2 R)`` (fitted to the method of lines, R from 14 to 75 L, up to 8 L
ahead); behind the 80 % outline the free space falls by ``exp(-0.41 x)``, as the steady wave's."""


@dataclass(frozen=True, eq=False)
class Outlines:
    """A tumour at one date: ``(H, W)`` bool each, ``dense`` within ``wide``."""

    wide: np.ndarray
    """Where at least 16 % of the space is filled by tumour cells"""
    dense: np.ndarray
    """Where at least 80 % is"""

    def __post_init__(self) -> None:
        if self.wide.ndim != 2 or self.wide.shape != self.dense.shape:
            raise InputError(f"Both outlines must be masks of one image, got {self.wide.shape} and {self.dense.shape}.")
        if not self.dense.any() or self.wide.all():
            raise InputError("An outline is empty or fills the image: draw the tumour's inner and outer outline.")
        if (self.dense & ~self.wide).sum() > 0.02 * self.dense.sum():
            raise InputError(
                "The 80 % outline leaves the 16 % outline: the inner one comes from T1 with contrast agent."
            )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, its 95 % interval and its unit."""

    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True, eq=False)
class TwoDates:
    """The growth between two dates."""

    length: Estimate
    diffusion: Estimate
    rate: Estimate
    speed: Estimate
    """2 sqrt(D rho)"""
    covariance: np.ndarray
    """``(2, 2)`` of log sqrt(D / rho) and log rho"""
    misfit: float
    """Root-mean-square distance of the computed from the drawn outlines at the second date, mm"""


def infiltration_length(outlines: Outlines, spacing: float) -> Estimate:
    """sqrt(D / rho) in mm from two outlines of one date; ``spacing``: side of a pixel in mm.

    Raises
    ------
    InputError
        The spacing is not positive, or the dense part is too small for its front to have formed.
    """
    _check_spacing(spacing)
    gaps = _gaps(outlines) * spacing
    length = float(gaps.mean()) / RING
    if _radius(outlines.dense) * spacing < 1.5 * length:
        raise InputError(
            "The dense part is so small beside the ring around it that its front has not formed: sqrt(D / rho) can't "
            "be told from one date. Give a second date."
        )
    # Neighbouring places of an outline are no independent measurements: one for each two lengths.
    n = max(4.0, 2 * np.pi * _radius(outlines.wide) * spacing / (2 * length))
    error = math.hypot(float(gaps.std()) / math.sqrt(n) / RING, 0.5 * spacing / RING, _RING_ERROR * length)
    return Estimate(length, max(length - 1.96 * error, 0.0), length + 1.96 * error, "mm")


def fit_two_dates(
    first: Outlines, second: Outlines, days: float, spacing: float, *, n_perturbed: int = 4, seed: int = 0
) -> TwoDates:
    """D and rho of one patient from the outlines of two dates on the same grid.

    The density of the first date is that of a front through its outlines; it grows by the equation until the second,
    where its outlines must lie on the drawn ones. Least squares by gradient through the solver; the interval joins the
    curvature of the fit with the spread over outlines moved by half a pixel.

    Raises
    ------
    InputError
        Days or spacing are not positive, the images differ in shape, or the tumour did not grow.
    """
    _check_spacing(spacing)
    if not days > 0:
        raise InputError(f"There must be a positive number of days between the dates, got {days}.")
    if first.wide.shape != second.wide.shape:
        raise InputError("Both dates must be on one grid: register the second image to the first.")
    grown = (_radius(second.wide) - _radius(first.wide)) * spacing
    if grown < spacing:
        raise InputError(
            f"The outer outline moved by {grown:.2g} mm, less than a pixel ({spacing:g} mm): growth can't be told. "
            "Give dates further apart."
        )
    start = _start(first, second, grown / days, spacing)
    best, misfit, curvature = _fit(first, second, days, spacing, start)
    rng = np.random.default_rng(seed)
    moved = []
    for _ in range(n_perturbed):
        a, b = (_moved(o, rng) for o in (first, second))
        moved.append(_fit(a, b, days, spacing, best, curve=False)[0])
    covariance = curvature + (np.cov(np.array(moved).T) if n_perturbed > 2 else 0)
    covariance = covariance + np.diag(_MODEL_ERROR) ** 2
    return _estimates(best, covariance, misfit)


def forecast(
    outlines: Outlines, fit: TwoDates, days: float, spacing: float, *, n_frames: int = 12, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A time-lapse from the later date on: ``(n_frames + 1, H, W)`` densities, and ``(n_frames + 1, 3)`` areas in mm^2.

    The areas are of the 16 % outline: under the best figures, and the 2.5 and 97.5 % points over figures drawn from
    the fit's interval.
    """
    _check_spacing(spacing)
    best = np.log([fit.length.value, fit.rate.value])
    draws = np.random.default_rng(seed).multivariate_normal(best, fit.covariance, size=16)
    runs = [_grown(outlines, theta, days, spacing, n_frames) for theta in (best, *draws)]
    areas = np.array([[(frame >= WIDE).sum() * spacing**2 for frame in run] for run in runs])
    low, high = np.quantile(areas[1:], [0.025, 0.975], axis=0)
    return runs[0], np.stack([areas[0], np.minimum(low, areas[0]), np.maximum(high, areas[0])], axis=1)


def _check_spacing(spacing: float) -> None:
    if not (np.isfinite(spacing) and spacing > 0):
        raise InputError(f"The pixel spacing {spacing} mm is not positive: enter the true one.")


def _radius(mask: np.ndarray) -> float:
    return math.sqrt(mask.sum() / math.pi)


def _signed(mask: np.ndarray) -> np.ndarray:
    """Distance from the outline in pixels, below 0 inside."""
    outside = ndimage.distance_transform_edt(~mask) - 0.5
    inside = ndimage.distance_transform_edt(mask) - 0.5
    return ndimage.gaussian_filter(np.where(mask, -inside, outside), 0.7)


def _gaps(outlines: Outlines) -> np.ndarray:
    """Local widths of the ring between both outlines, in pixels."""
    wide, dense = _signed(outlines.wide), _signed(outlines.dense)
    return np.concatenate([-wide[np.abs(dense) < 0.75], dense[np.abs(wide) < 0.75]])


def _start(first: Outlines, second: Outlines, speed: float, spacing: float) -> np.ndarray:
    """log sqrt(D / rho) and log rho as round fronts would have them."""
    length = float(np.mean([_gaps(o).mean() for o in (first, second)])) * spacing / RING
    radius = (_radius(first.wide) + _radius(second.wide)) / 2 * spacing
    wave = speed / max(1 - CURVED * length / radius, 0.3)
    return np.log([length, wave / (2 * length)])


def _profile(outlines: Outlines, length: Tensor, spacing: float) -> Tensor:
    """The density of a front through both outlines: ``(1, H, W)``.

    In the ring the logit is linear between both.
    """
    import torch

    wide, dense = (torch.from_numpy(_signed(m) * spacing) for m in (outlines.wide, outlines.dense))
    share = (-wide / (dense - wide).clamp_min(1e-6)).clamp(0, 1)
    low, high = math.log(WIDE / (1 - WIDE)), math.log(DENSE / (1 - DENSE))
    ring = torch.sigmoid(low + share * (high - low))
    radius = _radius(outlines.wide) * spacing
    ahead, behind = wide.clamp_min(0), (-dense).clamp_min(0)
    tail = WIDE * torch.exp(-_TAIL * ahead / length - _BEND * (ahead / length) ** 2 - ahead**2 / (2 * length * radius))
    core = 1 - (1 - DENSE) * torch.exp(-_CORE * behind / length)
    return torch.where(wide > 0, tail, torch.where(dense < 0, core, ring))[None]


def _evolved(u: Tensor, theta: Tensor, days: float, cell: float, n_frames: int) -> Tensor:
    from genomap_core.models.reaction_diffusion import GrowthScheme, evolve

    length, rate = theta.exp()
    diffusion = (length / cell) ** 2 * rate
    n_steps = n_frames * max(1, math.ceil(float(rate.detach()) * days / n_frames / 0.4))
    scheme = GrowthScheme(
        n_steps=n_steps,
        dt=days / n_steps,
        max_diffusion=float(diffusion.detach()),
        max_rate=float(rate.detach()),
        checkpointing=False,
    )
    frames = evolve(u, diffusion.view(1, 1, 1), rate.view(1, 1, 1), scheme)
    return frames[0, :: n_steps // n_frames]


def _grown(outlines: Outlines, theta: np.ndarray, days: float, spacing: float, n_frames: int) -> np.ndarray:
    import torch

    with torch.no_grad():
        values = torch.from_numpy(np.asarray(theta, np.float64))
        u = _profile(outlines, values.exp()[0], spacing)
        return _evolved(u, values, days, spacing, n_frames).numpy()


def _fit(
    first: Outlines, second: Outlines, days: float, spacing: float, start: np.ndarray, *, curve: bool = True
) -> tuple[np.ndarray, float, np.ndarray]:
    """Best ``(log length, log rho)``, misfit in mm, and the covariance from the curvature there."""
    import torch

    first, second, spacing = _cut(first, second, spacing, float(np.exp(start[0])))
    faces = [(_faces(second.wide), WIDE), (_faces(second.dense), DENSE)]

    def residuals(theta: Tensor) -> Tensor:
        length = theta[0].exp()
        last = _evolved(_profile(first, length, spacing), theta, days, spacing, 1)[-1]
        odds = torch.logit(last.clamp(1e-9, 1 - 1e-9)).flatten()
        parts = []
        for (a, b), level in faces:
            off = (odds[a] + odds[b]) / 2 - math.log(level / (1 - level))
            # A steady front has about this slope of the logit: the residual is a distance in mm.
            parts.append(off * length * RING / (math.log(DENSE / (1 - DENSE)) - math.log(WIDE / (1 - WIDE))))
        return torch.cat([p / math.sqrt(len(p)) for p in parts])

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        theta = torch.from_numpy(np.array(x, np.float64)).requires_grad_()
        loss = residuals(theta).square().sum()
        loss.backward()
        return float(loss.detach()), theta.grad.numpy().copy()  # type: ignore[union-attr]

    found = minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-4, "maxiter": 30})
    misfit = math.sqrt(found.fun / 2)
    if not curve:
        return found.x, misfit, np.zeros((2, 2))
    step = 0.02
    hessian = np.stack([(value(found.x + d)[1] - value(found.x - d)[1]) / (2 * step) for d in step * np.eye(2)])
    # Independent measurements: one for each two lengths of outline.
    n = max(4.0, 2 * math.pi * _radius(second.wide) * spacing / (2 * math.exp(found.x[0])))
    noise = max(misfit, 0.3 * spacing) ** 2 / n
    return found.x, misfit, 2 * noise * np.linalg.pinv((hessian + hessian.T) / 2)


def _cut(first: Outlines, second: Outlines, spacing: float, length: float) -> tuple[Outlines, Outlines, float]:
    """Both dates around the tumour, on cells no larger than ``length / 1.5``."""
    both = first.wide | second.wide
    margin = math.ceil(8 * length / spacing)
    rows, columns = (np.flatnonzero(both.any(axis)) for axis in (1, 0))
    box = tuple(slice(max(0, int(v[0]) - margin), int(v[-1]) + margin + 1) for v in (rows, columns))
    finer = max(1, math.ceil(1.5 * spacing / length))

    def cut(o: Outlines) -> Outlines:
        masks = [m[box] for m in (o.wide, o.dense)]
        if finer > 1:
            masks = [ndimage.zoom(_signed(m), finer, order=1, grid_mode=True, mode="nearest") < 0 for m in masks]
        return Outlines(masks[0], masks[1] & masks[0])

    return cut(first), cut(second), spacing / finer


def _faces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat numbers of the cells on both sides of every face of the outline."""
    n = np.arange(mask.size).reshape(mask.shape)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    return (
        np.concatenate([n[:-1][down], n[:, :-1][right]]),
        np.concatenate([n[1:][down], n[:, 1:][right]]),
    )


def _moved(outlines: Outlines, rng: np.random.Generator) -> Outlines:
    """Both outlines shifted to and fro by half a pixel (one standard deviation), smoothly along them."""
    masks = []
    for mask in (outlines.wide, outlines.dense):
        noise = ndimage.gaussian_filter(rng.normal(size=mask.shape), 3.0)
        masks.append(_signed(mask) + 0.5 * noise / noise.std() < 0)
    return Outlines(masks[0] | masks[1], masks[1])


def _estimates(theta: np.ndarray, covariance: np.ndarray, misfit: float) -> TwoDates:
    """Figures and intervals, even in the logarithm."""

    def of(weights: tuple[float, float], factor: float, unit: str) -> Estimate:
        w = np.array(weights)
        value = factor * math.exp(float(w @ theta))
        spread = math.exp(1.96 * math.sqrt(float(w @ covariance @ w)))
        return Estimate(value, value / spread, value * spread, unit)

    return TwoDates(
        of((1, 0), 1, "mm"),
        of((2, 1), 1, "mm²/day"),
        of((0, 1), 1, "1/day"),
        of((1, 1), 2, "mm/day"),
        covariance,
        misfit,
    )


def dates_view(
    spec: dict[str, Any], arrays: dict[str, np.ndarray], cache: MutableMapping[Any, Any]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The Growth page's two dates, in the warm worker.

    Parameters
    ----------
    spec
        ``spacing`` in mm and ``days`` between the dates; ``days`` None: one date.
    arrays
        ``wide``, ``dense`` of the first date, and ``later_wide``, ``later_dense`` of the second.

    Returns
    -------
    ``figures``: name -> :class:`Estimate` as a dict; of two dates ``misfit``, and ``frames``, ``areas`` of as many days
    ahead as lie between them.
    """
    first, spacing = Outlines(arrays["wide"] > 0, arrays["dense"] > 0), float(spec["spacing"])
    if spec["days"] is None:
        return {"figures": {"sqrt(D / rho)": asdict(infiltration_length(first, spacing))}}, {}
    second, days = Outlines(arrays["later_wide"] > 0, arrays["later_dense"] > 0), float(spec["days"])
    fit = fit_two_dates(first, second, days, spacing)
    frames, areas = forecast(second, fit, days, spacing)
    named = {"D": fit.diffusion, "rho": fit.rate, "sqrt(D / rho)": fit.length, "2 sqrt(D rho)": fit.speed}
    figures = {name: asdict(estimate) for name, estimate in named.items()}
    return {"figures": figures, "misfit": fit.misfit}, {"frames": frames.astype(np.float32), "areas": areas}
