"""What D and rho mean: lengths and times of the model, millimetres and days only where an image allows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genomap_core.errors import InputError

PLAUSIBLE = {"diffusion": (0.0027, 0.27), "rate": (0.00027, 0.027)}
"""Gliomas from low to high grade: D in mm^2 per day, rho per day (Harpold, Alvord & Swanson, 2007)."""

WHERE_TAUGHT = (
    "Taught by the classes and by lesions drawn into healthy heads, by no person's outline: it marks what the class is "
    "read from, which is the lesion nearly always on FLAIR images, and on others often not."
)
"""Of the density in a slice of a patient, under the model that comes with the program"""
_NO_DENSITY = "The model sees no tumour, so no density is drawn."
_NOT_RULED_OUT = (
    "It rules none out: of tumours from scanners it had not seen it missed 12 to 38 % by the kind of image."
)
IDENTIFIABILITY = (
    "One image shows how blurred the tumour's front is, which fixes only the length sqrt(D / rho): a faster and a "
    "slower tumour can look the same. D and rho by themselves need a second date, and millimetres need the spacing of "
    "the pixels."
)


def told_range(low: float, high: float, form: str = ".2g") -> str:
    """``3 to 8``; one number where both are written the same."""
    a, b = format(low, form), format(high, form)
    return a if a == b else f"{a} to {b}"


def no_density(shipped: bool) -> str:
    """What stands where a density would be drawn of a slice that is answered with "no tumour".

    ``shipped``: by the model for real slices that comes with the program, whose misses were counted.
    """
    return f"{_NO_DENSITY} {_NOT_RULED_OUT}" if shipped else _NO_DENSITY


def why_no_figures(simulated: bool, name: str, infiltrating: Sequence[str]) -> str | None:
    """Why D, rho, length and speed of one slice, said to be of class ``name``, are not told; None where they are."""
    if not simulated:
        return "No D, rho, length or speed: one image without a second date does not fix them."
    if name not in infiltrating:
        return f"No figures: “{name}” is no class that infiltrates the brain, so D and rho have no meaning for it."
    return None


@dataclass(frozen=True, slots=True)
class PhysicalScale:
    """How the model's units relate to the patient's.

    Parameters
    ----------
    cell_mm
        Side of a cell of the growth model; None where the spacing of the pixels is not known.
    step_days
        Days from one frame to the next, from two dated images; None where there is one date only.
    """

    cell_mm: float | None = None
    step_days: float | None = None

    def __post_init__(self) -> None:
        for name in ("cell_mm", "step_days"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError(f"`{name}` must be a positive number or None, got {value}: leave it empty if unknown.")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its spread over networks from different seeds."""

    title: str
    value: float
    low: float
    high: float
    unit: str
    plausible: tuple[float, float] | None = None


def cell_size(box: tuple[int, int], cells: int, spacing: tuple[float, float] | None) -> float | None:
    """Side in mm of a cell when a head of ``box`` pixels (height, width) fills ``cells`` x ``cells``.

    None without spacing. The picture keeps its shape, so that pixels must be square (within 5 %).

    Raises
    ------
    InputError
        The spacing is not positive, or the pixels are not square.
    """
    if spacing is None:
        return None
    if not all(np.isfinite(s) and s > 0 for s in spacing):
        raise InputError(f"The pixel spacing {spacing} mm is not positive: enter the true one, or leave it empty.")
    if max(spacing) > 1.05 * min(spacing):
        raise InputError(
            f"The pixels are {spacing[0]:g} x {spacing[1]:g} mm, not square: resample the image to square pixels first."
        )
    return max(box) / cells * float(np.mean(spacing))


def growth_figures(
    diffusion: np.ndarray, rate: np.ndarray, infiltrating: bool, scale: PhysicalScale = PhysicalScale()
) -> tuple[Figure, ...]:
    """Figures of one image from D and rho of every seed ``(n_seeds,)``, in cells and steps.

    Empty for a class that does not infiltrate: the model's parameters then mean nothing. Always the length
    sqrt(D / rho); D, rho and the front's speed in mm and days only when both scales are known, else in the model's own
    units and named so.
    """
    if not infiltrating:
        return ()
    mm = scale.cell_mm
    dated = mm is not None and scale.step_days is not None
    length = 1.0 if mm is None else mm
    time = scale.step_days if dated and scale.step_days is not None else 1.0
    area = length**2 if dated else 1.0
    d, r = diffusion * area / time, rate / time
    speed = 2 * np.sqrt(d * r)
    own = "(model's units)"
    return (
        _figure("Infiltration length sqrt(D / rho)", np.sqrt(diffusion / rate) * length, "mm" if mm else "cells"),
        _figure("D / rho", diffusion / rate * length**2, "mm²" if mm else "cells²"),
        _figure("D", d, "mm²/day" if dated else f"cells²/step {own}", PLAUSIBLE["diffusion"] if dated else None),
        _figure("rho", r, "1/day" if dated else f"1/step {own}", PLAUSIBLE["rate"] if dated else None),
        _figure("Front speed 2 sqrt(D rho)", speed, "mm/day" if dated else f"cells/step {own}"),
    )


def _figure(title: str, values: np.ndarray, unit: str, plausible: tuple[float, float] | None = None) -> Figure:
    value = float(np.exp(np.log(values).mean()))
    return Figure(title, value, float(values.min()), float(values.max()), unit, plausible)
