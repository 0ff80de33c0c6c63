"""What a patient's file or series shows, on axes that mean the same in every format."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from genomap_core.data.message import Message
from genomap_core.errors import InputError

_FACING = {0: ((1, 1.0), (2, -1.0), (0, 1.0)), 1: ((0, 1.0), (2, -1.0), (1, 1.0)), 2: ((0, 1.0), (1, 1.0), (2, 1.0))}
"""Axis across the slices (0 left, 1 back, 2 head) -> world axis and sign of columns, rows and slices as shown:
axial slices with the nose up, sagittal and coronal ones with the head up."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Slices of one image of one patient.

    Parameters
    ----------
    voxels
        ``(z, y, x)`` float32 or an integer type, or ``(z, y, x, c)`` with colours or channels; a plain picture has
        one slice. CT in Hounsfield units.
    spacing
        Between slices, rows and columns in mm; the first is NaN where it is unknown. None: all unknown.
    modality
        As DICOM calls it ("CT", "MR", ...); empty where the file does not say.
    kind
        ``picture``, ``dicom`` or ``nifti``.
    channels
        ``c`` names, empty for one channel.
    messages
        What was found on the way; no value of a tag stands in them.
    """

    voxels: np.ndarray
    spacing: tuple[float, float, float] | None
    modality: str
    kind: str
    channels: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()

    @property
    def pixel(self) -> tuple[float, float] | None:
        """Height and width of a pixel in mm."""
        return None if self.spacing is None else self.spacing[1:]


_LARGEST, _SMALLEST = 3e38, 1e-30
_STEPS = 2.0**14
"""A spread smaller than the values by this factor leaves float32 fewer than a thousand steps."""


def reduce_to_float32(
    values: np.ndarray, slope: float = 1.0, intercept: float = 0.0, fill: float | None = None
) -> tuple[np.ndarray, list[Message]]:
    """``slope * values + intercept`` as float32 of the same shape, without NaN; what had to be changed is told.

    Values that float32 can't hold (beyond 3e38, below 1e-30) or can't tell apart are scaled to 0 to 1 instead. Infinite
    ones and those that are no numbers become ``fill``; None: the lowest of the others.
    """
    finite = np.isfinite(values) if values.dtype.kind == "f" else None
    odd = 0 if finite is None else int(finite.size - np.count_nonzero(finite))
    known = values[finite] if odd else values
    if not known.size:
        raise InputError("All pixels are NaN or infinite: the image shows nothing.")
    said = []
    if odd:
        text = f"{odd:,} of {values.size:,} pixels are NaN or infinite: "
        text += "they take the lowest value of the others." if fill is None else f"they are replaced by {fill:g}."
        said.append(Message("warn", "nan-voxels", text))
    stored = float(known.min()), float(known.max())
    ends = [slope * end + intercept for end in stored]
    if not _held_by_float32(*ends):
        text = f"The values ({min(ends):.4g} to {max(ends):.4g}) are beyond what 32 bits (float32) hold or tell apart: "
        text += "they are scaled to 0 to 1."
        said.append(Message("warn", "range", text, remedy="Save the image in a smaller unit."))
        size = max(abs(stored[0]), abs(stored[1]))
        low, high = stored[0] / size, stored[1] / size
        out = (values / size - low) / (high - low)
        out, lowest = 1 - out if slope < 0 else out, 0.0
    else:
        out = values if (slope, intercept) == (1.0, 0.0) else values.astype(np.float64) * slope + intercept
        lowest = min(ends) if fill is None else fill
    out = out.astype(np.float32)
    return (out if finite is None or not odd else np.where(finite, out, np.float32(lowest))), said


def _held_by_float32(low: float, high: float) -> bool:
    size, spread = max(abs(low), abs(high)), abs(high - low)
    return spread == 0 or (_SMALLEST <= size <= _LARGEST and spread >= size / _STEPS)


def face_viewer(voxels: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Slices turned and mirrored as they are usually shown, without resampling.

    Parameters
    ----------
    voxels
        ``(z, y, x)`` or ``(z, y, x, c)``.
    axes
        ``(3, 3)``: the world direction (left, back, head: DICOM's axes) of one step along z, y and x.
    """
    if swaps(axes):
        voxels, axes = voxels.swapaxes(1, 2), axes[[0, 2, 1]]
    world = nearest_axes(axes)
    (_, c_sign), (_, r_sign), (_, z_sign) = _FACING[int(world[0])]
    for axis, sign in enumerate((z_sign, r_sign, c_sign)):
        if axes[axis, world[axis]] * sign < 0:
            voxels = np.flip(voxels, axis)
    return voxels


def swaps(axes: np.ndarray) -> bool:
    """Whether :func:`face_viewer` turns rows into columns."""
    world = nearest_axes(axes)
    return bool(world[2] != _FACING[int(world[0])][0][0])


def nearest_axes(axes: np.ndarray) -> np.ndarray:
    """``(3, 3)`` directions -> ``(3,)``: the world axis each lies nearest to, every one once."""
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    cosines = np.abs(axes / np.where(lengths > 0, lengths, 1))
    return np.array(max(permutations(range(3)), key=lambda order: sum(cosines[a, w] for a, w in enumerate(order))))
