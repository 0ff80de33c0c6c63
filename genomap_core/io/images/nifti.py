"""NIfTI volumes (.nii, .nii.gz): checked by their header, then read on DICOM's axes. Runs in the child process.

The affine is that of the sform, else of the qform (nifti1.h, nifti2.h: quaternion and offsets), else the voxel sizes.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genomap_core.data.message import Message
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.volume import Volume, nearest_axes
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.tables.gunzip import gunzip

_TYPES = {
    **{2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"},
    **{32: "c8", 1792: "c16", 128: "3u1", 2304: "4u1"},
}
"""NIfTI's code of a data type -> NumPy's."""

_TEXTS_1 = ((148, 80), (228, 24), (328, 16))
_TEXTS_2 = ((240, 80), (320, 24), (508, 16))
"""Byte and length of descrip, aux_file and intent_name in the two versions of the header."""


@dataclass(frozen=True, slots=True)
class NiftiHeader:
    """The header's fields that matter (nifti1.h, nifti2.h of the NIfTI data format working group)."""

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float
    qform: int
    sform: int
    texts: bool
    """Whether ``descrip``, ``aux_file`` or ``intent_name`` hold text."""


def check_nifti(path: Path, *, name: str, limits: FileLimits = DEFAULT) -> tuple[Message, ...]:
    """All messages on one volume. Raises where it can't or must not be read."""
    header, values, _ = examine(path.read_bytes(), limits)
    sizes = " x ".join(map(str, header.shape))
    content = Message("ok", "content", f"NIfTI volume, {sizes} voxels of {header.dtype}.")
    return (content, *messages_on_header(header), *messages_on_values(values))


def examine(packed: bytes, limits: FileLimits = DEFAULT) -> tuple[NiftiHeader, np.ndarray, bytes]:
    """Header, all values as stored (flat), and the first bytes with the header; checked before it is unpacked."""
    compressed = packed.startswith(b"\x1f\x8b")
    header = read_header(_beginning(packed) if compressed else packed[:1024])
    declared = math.prod(header.shape) * header.dtype.itemsize
    if math.prod(header.shape) > limits.voxels:
        raise RefusedError(
            f"The header declares {math.prod(header.shape):,} voxels, over the limit of {limits.voxels:,}."
        )
    if compressed and declared > 1 << 20 and declared > limits.ratio * len(packed):
        raise RefusedError(
            f"The header declares {declared >> 20:,} MB in a file of {len(packed) >> 10:,} kB, over the limit of "
            f"{limits.ratio} times its size."
        )
    data = gunzip(packed, limits) if compressed else packed
    if header.offset < 0 or header.offset + declared > len(data):
        raise InputError(
            f"The file is damaged: its values should lie at byte {header.offset:,} to {header.offset + declared:,} "
            f"of {len(data):,}. Export it again."
        )
    return header, np.frombuffer(data, header.dtype, math.prod(header.shape), header.offset), data[:1024]


def _beginning(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(packed[: 1 << 16], 1024)
    except zlib.error as error:
        raise InputError("The gzip file is damaged. Copy or download it again.") from error


def read_header(head: bytes) -> NiftiHeader:
    """Read a NIfTI-1 or NIfTI-2 header of either byte order."""
    for order in "<>":
        size = struct.unpack_from(f"{order}i", head)[0] if len(head) >= 348 else 0
        if size == 348:
            return _header(head, order, (40, "8h"), (70, "h"), (108, "f"), (112, "ff"), (252, "hh"), _TEXTS_1)
        if size == 540 and len(head) >= 540:
            return _header(head, order, (16, "8q"), (12, "h"), (168, "q"), (176, "dd"), (344, "ii"), _TEXTS_2)
    raise InputError("The file is not NIfTI: its header does not begin with its size (348 or 540).")


def _header(
    head: bytes,
    order: str,
    dims: tuple[int, str],
    kind: tuple[int, str],
    offset: tuple[int, str],
    scale: tuple[int, str],
    forms: tuple[int, str],
    texts: tuple[tuple[int, int], ...],
) -> NiftiHeader:
    """Read the fields at these bytes."""

    def read(at: int, fields: str) -> tuple:
        return struct.unpack_from(order + fields, head, at)

    dim = read(*dims)
    if not 1 <= dim[0] <= 7 or any(size < 1 for size in dim[1 : dim[0] + 1]):
        raise InputError(f"The header's dim is impossible: {list(dim)}. Export the file again.")
    code = read(*kind)[0]
    if code not in _TYPES:
        raise InputError(f"The header's data type {code} is unknown: export the file with a usual number type.")
    shape = tuple(int(size) for size in dim[1 : dim[0] + 1])
    slope, intercept = read(*scale)
    qform, sform = read(*forms)
    written = any(head[at : at + length].strip(b"\0 ") for at, length in texts)
    place = read(*offset)[0]
    if not math.isfinite(place):
        raise InputError("The file is damaged: the place of its values (vox_offset) is no number.")
    return NiftiHeader(shape, np.dtype(order + _TYPES[code]), int(place), slope, intercept, qform, sform, written)


def messages_on_header(header: NiftiHeader) -> list[Message]:
    """On orientation, scale, further volumes and texts."""
    said: list[Message] = []
    if header.qform == 0 and header.sform == 0:
        text = "The orientation is unknown (qform and sform are 0): left and right can't be told apart."
        said.append(Message("warn", "orientation", text, remedy="Convert it again from DICOM."))
    if not math.isfinite(header.slope) or not math.isfinite(header.intercept):
        text = "The scale slope (scl_slope) or intercept is not a number: values are taken as they are (slope 1)."
        said.append(Message("warn", "slope", text, remedy="Convert the file again."))
    spatial = [size for size in header.shape[3:] if size > 1]
    if spatial:
        text = f"The file is a series ({len(header.shape)}-D) of {math.prod(spatial)} volumes: the first one is used."
        said.append(Message("warn", "series", text, remedy="Cut out another volume if that is the one."))
    if header.texts:
        text = "The header holds text, which may identify the patient: never stored or exported."
        said.append(Message("warn", "identifying", text, remedy="Clear its fields descrip and intent_name."))
    return said


def messages_on_values(values: np.ndarray) -> list[Message]:
    """On voxels without a number, and a volume without contrast."""
    said: list[Message] = []
    if values.dtype.kind in "fc":
        bad = int((~np.isfinite(values)).sum())
        if bad:
            text = f"{bad:,} of {values.size:,} voxels are NaN or infinite: they are replaced by 0."
            said.append(Message("warn", "nan-voxels", text))
    if len(values) and (values == values[0]).all():
        said.append(Message("warn", "constant-image", "The volume is constant: all its voxels have the same value."))
    return said


_TO_LPS = np.diag([-1.0, -1.0, 1.0])
"""NIfTI counts towards right, front and head; DICOM towards left, back and head."""
_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}


def read_nifti(data: bytes, limits: FileLimits = DEFAULT) -> Volume:
    """Axial slices from feet to head, nose up, the patient's left on the right: as an axial DICOM series lies."""
    header, flat, head = examine(data, limits)
    shape = (*header.shape, 1, 1)[:3]
    stored = flat[: math.prod(shape)].reshape((*shape[::-1], *flat.shape[1:]))  # x runs fastest; colours within a voxel
    values = stored.transpose(2, 1, 0, *range(3, stored.ndim))
    if values.dtype.kind not in "buif":
        raise InputError(f"The volume's values are of the type {values.dtype}: export one number for each voxel.")
    said = [*messages_on_header(header), *messages_on_values(values.reshape(-1))]
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
