"""What a patient's file or series shows, on axes that mean the same in every format."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from genomap_core.data.message import Message

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
