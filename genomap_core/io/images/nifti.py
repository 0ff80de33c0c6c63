"""NIfTI volumes (.nii, .nii.gz): checked by their header, then read on DICOM's axes. Runs in the child process.

nibabel reads the header; nothing is unpacked before its declared size is known to be credible. The affine is that of
the sform, else of the qform (nifti1.h, nifti2.h: quaternion and offsets), else the voxel sizes.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.message import Message
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.volume import Volume, nearest_axes, reduce_to_float32
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.tables.gunzip import gunzip

if TYPE_CHECKING:  # nibabel takes most of a second to import: only who meets a NIfTI file waits for it
    from nibabel.nifti1 import Nifti1Header

_TEXTS = ("descrip", "aux_file", "intent_name")
_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}


def check_nifti(path: Path, *, name: str, limits: FileLimits = DEFAULT) -> tuple[Message, ...]:
    """All messages on one volume. Raises where it can't or must not be read."""
    packed = path.read_bytes()
    header, values = examine(packed, limits)
    sizes = " x ".join(map(str, shape_of(header)))
    content = Message("ok", "content", f"NIfTI volume, {sizes} voxels of {_dtype(header)}.")
    said = [*messages_on_header(header), *messages_on_values(values)]
    known = {message.code for message in said}
    return (content, *said, *(m for m in read_nifti(packed, limits).messages if m.code not in known))


def examine(packed: bytes, limits: FileLimits = DEFAULT) -> tuple[Nifti1Header, np.ndarray]:
    """Header and all values as stored (flat, ``(n, colours)`` where there are some); checked before it is unpacked."""
    compressed = packed.startswith(b"\x1f\x8b")
    header = read_header(_beginning(packed) if compressed else packed[:1024])
    if _magic(header).startswith(b"ni"):
        raise InputError("The file is the header of a pair (.hdr, .img): give both in a ZIP, or one file (.nii).")
    count, dtype, offset = math.prod(shape_of(header)), _dtype(header), int(header["vox_offset"])
    declared = count * dtype.itemsize
    if count > limits.voxels:
        raise RefusedError(f"The header declares {count:,} voxels, over the limit of {limits.voxels:,}.")
    if compressed and declared > 1 << 20 and declared > limits.ratio * len(packed):
        raise RefusedError(
            f"The header declares {declared >> 20:,} MB in a file of {len(packed) >> 10:,} kB, over the limit of "
            f"{limits.ratio} times its size."
        )
    data = gunzip(packed, limits) if compressed else packed
    if offset < 0 or offset + declared > len(data):
        raise InputError(
            f"The file is damaged: its values should lie at byte {offset:,} to {offset + declared:,} "
            f"of {len(data):,}. Export it again."
        )
    return header, np.frombuffer(data, dtype, count, offset)


def _beginning(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(packed[: 1 << 16], 1024)
    except zlib.error as error:
        raise InputError("The gzip file is damaged. Copy or download it again.") from error


def read_header(head: bytes) -> Nifti1Header:
    """Read a NIfTI-1 or NIfTI-2 header of either byte order; its dim, data type and vox_offset are possible ones."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    for order in "<>":
        size = struct.unpack_from(f"{order}i", head)[0] if len(head) >= 348 else 0
        for kind in (Nifti1Header, Nifti2Header):
            if size == kind.sizeof_hdr <= len(head):
                header = kind(head[:size], endianness=order, check=False)
                _check_header(header)
                return header
    raise InputError("The file is not NIfTI: its header does not begin with its size (348 or 540).")


def join_pair(header: bytes, voxels: bytes, limits: FileLimits = DEFAULT) -> bytes:
    """A volume in two files (.hdr, .img) as the bytes of one (.nii); both may be gzipped.

    Raises :class:`InputError` where the header is none of NIfTI.
    """
    head, values = (gunzip(part, limits) if part.startswith(b"\x1f\x8b") else part for part in (header, voxels))
    found = read_header(head)
    if not _magic(found).startswith(b"ni"):
        raise InputError("The pair of .hdr and .img is Analyze 7.5, which names no sides: convert it to NIfTI.")
    size = int(found["sizeof_hdr"]) + 4
    found["magic"] = b"n+" + _magic(found)[2:]
    found["vox_offset"] += size
    return bytes(found.binaryblock) + bytes(4) + values


def _magic(header: Nifti1Header) -> bytes:
    return bytes(header["magic"].item())


def _check_header(header: Nifti1Header) -> None:
    dim = header["dim"].tolist()
    if not 1 <= dim[0] <= 7 or any(size < 1 for size in dim[1 : dim[0] + 1]):
        raise InputError(f"The header's dim is impossible: {dim}. Export the file again.")
    _dtype(header)
    if not math.isfinite(header["vox_offset"]):
        raise InputError("The file is damaged: the place of its values (vox_offset) is no number.")


def shape_of(header: Nifti1Header) -> tuple[int, ...]:
    """Sizes along all axes, x first."""
    dim = header["dim"].tolist()
    return tuple(dim[1 : dim[0] + 1])


def _dtype(header: Nifti1Header) -> np.dtype:
    """Of one voxel; colours are a last axis of bytes."""
    try:
        dtype = header.get_data_dtype()
    except KeyError:
        dtype = np.dtype("V")
    if (dtype.fields is None and dtype.kind not in "iufc") or dtype.itemsize > 16:
        raise InputError(
            f"The header's data type {int(header['datatype'])} is unknown: export the file with a usual number type."
        )
    return dtype if dtype.fields is None else np.dtype(("u1", (len(dtype.fields),)))


def messages_on_header(header: Nifti1Header) -> list[Message]:
    """On orientation, scale, further volumes and texts."""
    said: list[Message] = []
    shape = shape_of(header)
    if not header["qform_code"] and not header["sform_code"]:
        text = "The orientation is unknown (qform and sform are 0): left and right can't be told apart."
        said.append(Message("warn", "orientation", text, remedy="Convert it again from DICOM."))
    if not math.isfinite(header["scl_slope"]) or not math.isfinite(header["scl_inter"]):
        text = "The scale slope (scl_slope) or intercept is not a number: values are taken as they are (slope 1)."
        said.append(Message("warn", "slope", text, remedy="Convert the file again."))
    volumes = math.prod(shape[3:])
    if volumes > 1:
        text = f"The file is a series ({len(shape)}-D) of {volumes} volumes: the first one is used."
        said.append(Message("warn", "series", text, remedy="Cut out another volume if that is the one."))
    if any(header[name].item().strip(b"\0 ") for name in _TEXTS):
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


def read_nifti(data: bytes, limits: FileLimits = DEFAULT) -> Volume:
    """Axial slices from feet to head, nose up, the patient's left on the right: as an axial DICOM series lies."""
    from nibabel.orientations import apply_orientation, axcodes2ornt, ornt_transform

    header, flat = examine(data, limits)
    shape = (*shape_of(header), 1, 1)[:3]
    stored = flat[: math.prod(shape)].reshape((*shape[::-1], *flat.shape[1:]))  # x runs fastest; colours within a voxel
    values = stored.transpose(2, 1, 0, *range(3, stored.ndim))
    if values.dtype.kind not in "buif":
        raise InputError(f"The volume's values are of the type {values.dtype}: export one number for each voxel.")
    said = [*messages_on_header(header), *messages_on_values(values.reshape(-1))]
    axes, sizes = _axes(header)
    world = nearest_axes(axes.T)  # as of DICOM: an oblique pair of both formats is turned alike
    signs = np.where(axes[world, range(3)] < 0, -1, 1)
    turn = ornt_transform(np.column_stack([world, signs]), axcodes2ornt("SPL"))
    spacing = sizes[np.argsort(turn[:, 0])].tolist()
    voxels, changed = _scaled(apply_orientation(values, turn), header)
    known = all(math.isfinite(v) and v > 0 for v in spacing)
    return Volume(
        voxels=voxels,
        spacing=(spacing[0], spacing[1], spacing[2]) if known else None,
        modality="",
        kind="nifti",
        channels=("red", "green", "blue") if values.ndim == 4 else (),
        messages=(*said, *changed),
    )


def _scaled(values: np.ndarray, header: Nifti1Header) -> tuple[np.ndarray, list[Message]]:
    """Slope and intercept applied; voxels without a number become 0. int16 stays where nothing changes."""
    if values.ndim == 4:
        return np.ascontiguousarray(values[..., :3], np.uint8), []
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    intercept = intercept if math.isfinite(intercept) and slope else 0.0
    slope = slope if math.isfinite(slope) and slope else 1.0
    if (slope, intercept) == (1.0, 0.0) and values.dtype.kind in "iu" and values.dtype.itemsize * 8 <= 16:
        wide = values.dtype.kind == "u" and values.dtype.itemsize == 2
        return np.ascontiguousarray(values, np.float32 if wide else np.int16), []
    scaled, changed = reduce_to_float32(values, slope, intercept, fill=0.0)
    return np.ascontiguousarray(scaled), [message for message in changed if message.code != "nan-voxels"]


def _axes(header: Nifti1Header) -> tuple[np.ndarray, np.ndarray]:
    """``(3, 3)`` directions, in columns (right, front, head), of a step along each axis; ``(3,)`` its length in mm."""
    from nibabel.quaternions import fillpositive, quat2mat

    unit = _UNITS_MM.get(int(header["xyzt_units"]) & 7, 1.0)
    if header["sform_code"] > 0:
        steps = header.get_sform()[:3, :3].astype(float)
        if np.isfinite(steps).all() and abs(np.linalg.det(steps)) > 1e-12:
            return steps, np.linalg.norm(steps, axis=0) * unit
    pixdim = header["pixdim"].astype(float)
    sizes = np.abs(pixdim[1:4]) * unit
    quaternion = np.array([header[f"quatern_{name}"] for name in "bcd"], float)
    if header["qform_code"] > 0 and np.isfinite(quaternion).all() and quaternion @ quaternion <= 1 + 1e-3:
        turned = quat2mat(fillpositive(quaternion, 1e-3)).astype(float)
        return turned * [1, 1, -1 if pixdim[0] < 0 else 1], sizes
    return np.diag([-1.0, 1.0, 1.0]), sizes
