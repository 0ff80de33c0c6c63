"""A NIfTI file as a volume on DICOM's axes, scaled, its first time point. Runs in the child process.

The affine is that of the sform, else of the qform (nifti1.h, nifti2.h: quaternion and offsets), else the voxel sizes.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from genomap_core.errors import InputError
from genomap_core.io.limits import DEFAULT, Limits
from genomap_core.io.nifti import NiftiHeader, examine, said_on_header, said_on_values
from genomap_core.io.volume import Volume, nearest_axes

_TO_LPS = np.diag([-1.0, -1.0, 1.0])
"""NIfTI counts towards right, front and head; DICOM towards left, back and head."""
_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}


def read_nifti(data: bytes, limits: Limits = DEFAULT) -> Volume:
    """Axial slices from feet to head, nose up, the patient's left on the right: as an axial DICOM series lies."""
    header, flat, head = examine(data, limits)
    shape = (*header.shape, 1, 1)[:3]
    stored = flat[: math.prod(shape)].reshape((*shape[::-1], *flat.shape[1:]))  # x runs fastest; colours within a voxel
    values = stored.transpose(2, 1, 0, *range(3, stored.ndim))
    if values.dtype.kind not in "buif":
        raise InputError(f"The volume's values are of the type {values.dtype}: export one number for each voxel.")
    said = [*said_on_header(header), *said_on_values(values.reshape(-1))]
    axes, sizes = _axes(head, header)
    world = nearest_axes(axes)
    order = [int(np.flatnonzero(world == w)[0]) for w in (2, 1, 0)]
    signs = np.sign([axes[a, w] for a, w in zip(order, (2, 1, 0))])
    values = values.transpose(*order, *range(3, values.ndim))
    values = np.flip(values, tuple(k for k, s in enumerate(signs) if s < 0))
    spacing = tuple(float(sizes[a]) for a in order)
    known = all(math.isfinite(v) and v > 0 for v in spacing)
    return Volume(
        voxels=_scaled(values, header),
        spacing=(spacing[0], spacing[1], spacing[2]) if known else None,
        modality="",
        kind="nifti",
        channels=("red", "green", "blue") if values.ndim == 4 else (),
        messages=tuple(said),
    )


def _scaled(values: np.ndarray, header: NiftiHeader) -> np.ndarray:
    """Slope and intercept applied; voxels without a number become 0. int16 stays where nothing changes."""
    if values.ndim == 4:
        return np.ascontiguousarray(values[..., :3], np.uint8)
    slope = header.slope if math.isfinite(header.slope) and header.slope else 1.0
    intercept = header.intercept if math.isfinite(header.intercept) and header.slope else 0.0
    if (slope, intercept) == (1.0, 0.0) and values.dtype.kind in "iu" and values.dtype.itemsize * 8 <= 16:
        wide = values.dtype.kind == "u" and values.dtype.itemsize == 2
        return np.ascontiguousarray(values, np.float32 if wide else np.int16)
    scaled = np.ascontiguousarray(values, np.float32) * np.float32(slope) + np.float32(intercept)
    return np.nan_to_num(scaled, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _axes(head: bytes, header: NiftiHeader) -> tuple[np.ndarray, np.ndarray]:
    """``(3, 3)`` directions of a step along each stored axis (left, back, head), and ``(3,)`` its length in mm."""
    order = header.dtype.byteorder
    swap = order if order in "<>" else "<" if struct.unpack_from("<i", head)[0] in (348, 540) else ">"
    old = struct.unpack_from(f"{swap}i", head)[0] == 348
    real = "f" if old else "d"
    pixdim = np.array(struct.unpack_from(f"{swap}4{real}", head, 76 if old else 104))
    unit = _UNITS_MM.get((head[123] if old else struct.unpack_from(f"{swap}i", head, 500)[0]) & 7, 1.0)
    if header.sform > 0:
        rows = np.array(struct.unpack_from(f"{swap}12{real}", head, 280 if old else 400)).reshape(3, 4)[:, :3]
        if np.isfinite(rows).all() and abs(np.linalg.det(rows)) > 1e-12:
            return (_TO_LPS @ rows).T, np.linalg.norm(rows, axis=0) * unit
    sizes = np.abs(pixdim[1:])
    if header.qform > 0:
        quaternion = struct.unpack_from(f"{swap}3{real}", head, 256 if old else 352)
        if (turned := _rotation(quaternion)) is not None:
            turned[:, 2] *= -1 if pixdim[0] < 0 else 1
            return (_TO_LPS @ turned).T, sizes * unit
    return np.eye(3) * [1, -1, 1], sizes * unit


def _rotation(quaternion: tuple[float, ...]) -> np.ndarray | None:
    """``(b, c, d)`` of a unit quaternion -> ``(3, 3)`` rotation; None where they are none."""
    b, c, d = quaternion
    rest = 1 - (b * b + c * c + d * d)
    if not math.isfinite(rest) or rest < -1e-3:
        return None
    a = math.sqrt(max(rest, 0.0))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
