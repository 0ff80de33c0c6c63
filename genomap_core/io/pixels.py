"""Pixels of an uploaded picture, DICOM file or NIfTI volume, as slices. Read in a child process; no tag, no text."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genomap_core.errors import InputError
from genomap_core.io.kinds import NAMES, find_kind
from genomap_core.io.limits import DEFAULT, Limits

_MOST_SLICES = 512


@dataclass(frozen=True, eq=False)
class PixelStack:
    """What a file shows."""

    slices: np.ndarray
    """``(n, H, W)`` or ``(n, H, W, c)``; number type as stored"""
    spacing: tuple[float, float] | None
    """Height and width of a pixel in mm; None where the file does not say"""
    kind: str
    """``picture``, ``dicom`` or ``nifti``"""
    mode: str
    """Colour mode of a picture, else its number type"""

    @property
    def middle(self) -> int:
        """Number of the slice in the middle."""
        return len(self.slices) // 2

    def save(self, folder: Path) -> None:
        """Write ``pixels.npy`` and ``pixels.json``."""
        np.save(folder / "pixels.npy", np.ascontiguousarray(self.slices), allow_pickle=False)
        header = {"spacing": self.spacing, "kind": self.kind, "mode": self.mode}
        (folder / "pixels.json").write_text(json.dumps(header))

    @classmethod
    def load(cls, folder: Path) -> PixelStack:
        """Read what :meth:`save` wrote."""
        header = json.loads((folder / "pixels.json").read_text())
        spacing = None if header["spacing"] is None else tuple(header["spacing"])
        return cls(np.load(folder / "pixels.npy", allow_pickle=False), spacing, header["kind"], header["mode"])


def read_pixels(source: bytes | Path, name: str, limits: Limits = DEFAULT) -> PixelStack:
    """Slices of a PNG, JPEG, TIFF, DICOM or NIfTI file (gzipped too), parsed in a child process.

    Raises
    ------
    InputError
        The file is damaged, of another kind, or holds no picture.
    RefusedError
        It is over a limit.
    """
    from genomap_core.io.sandbox import as_path, run_in_child

    with as_path(source) as path, run_in_child("pixels", path, {"name": name}, limits) as folder:
        return PixelStack.load(folder)


def pixels_of(path: Path, *, name: str, limits: Limits = DEFAULT) -> PixelStack:
    """:func:`read_pixels` inside the child: the file is checked as any upload, then its values are taken."""
    head = path.read_bytes()[:4096]
    kind = find_kind(head)
    if kind in ("png", "jpeg", "gif", "tiff"):
        return _picture(path, name, limits)
    if kind == "dicom":
        return _dicom(path, name, limits)
    if kind in ("nifti", "gzip"):
        return _nifti(path, name, limits)
    raise InputError(f"The file is {NAMES.get(kind, 'of an unknown kind')}: give PNG, JPEG, TIFF, DICOM or NIfTI.")


def _picture(path: Path, name: str, limits: Limits) -> PixelStack:
    from PIL import Image

    from genomap_core.io.images import check_image

    data = path.read_bytes()
    facts = check_image(data, name, limits)
    image: Image.Image = Image.open(io.BytesIO(data))
    if image.mode in ("P", "1", "LA", "PA", "CMYK", "YCbCr"):
        image = image.convert("L" if image.mode in ("1", "LA") else "RGB")
    return PixelStack(np.asarray(image)[None], None, "picture", facts.mode)


def _dicom(path: Path, name: str, limits: Limits) -> PixelStack:
    import pydicom

    from genomap_core.io.dicom import check_dicom

    check_dicom(path, name=name, limits=limits)
    dataset = pydicom.dcmread(path)
    try:
        pixels = np.asarray(dataset.pixel_array)
    except (ValueError, OSError, EOFError, AttributeError, NotImplementedError, RuntimeError, KeyError) as error:
        raise InputError(
            "The DICOM file's pixels are compressed in a way that can't be read here: export it uncompressed."
        ) from error
    one = pixels.ndim == 2 or (pixels.ndim == 3 and int(dataset.get("SamplesPerPixel", 1)) > 1)
    slices = pixels[None] if one else pixels[:_MOST_SLICES]
    values = dataset.get("PixelSpacing")
    try:
        spacing = None if values is None else (float(values[0]), float(values[1]))
    except (ValueError, TypeError, IndexError):
        spacing = None
    if str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        slices = slices.max() - slices
    return PixelStack(slices, spacing, "dicom", str(pixels.dtype))


def _nifti(path: Path, name: str, limits: Limits) -> PixelStack:
    from genomap_core.io.nifti import check_nifti, read_header
    from genomap_core.io.packed import gunzip

    check_nifti(path, name=name, limits=limits)
    data = path.read_bytes()
    data = gunzip(data, limits) if data.startswith(b"\x1f\x8b") else data
    header = read_header(data[:1024])
    shape = (*header.shape, 1, 1)[:3]
    volume = np.frombuffer(data, header.dtype, int(np.prod(shape)), header.offset).reshape(shape, order="F")
    if volume.dtype.kind not in "buif":
        raise InputError(f"The volume's values are of the type {volume.dtype}: export one number for each voxel.")
    first = max(0, (shape[2] - _MOST_SLICES) // 2)
    slices = np.rot90(np.moveaxis(volume[:, :, first : first + _MOST_SLICES], 2, 0), axes=(1, 2))
    order = header.dtype.newbyteorder("=")
    return PixelStack(slices.astype(order), _nifti_spacing(data, header.dtype.byteorder), "nifti", str(order))


def _nifti_spacing(data: bytes, order: str) -> tuple[float, float] | None:
    """Height and width of a voxel in the rotated slice (pixdim 2 and 1), where they are positive."""
    order = {">": ">", "<": "<"}.get(order) or ("<" if struct.unpack_from("<i", data)[0] in (348, 540) else ">")
    old = struct.unpack_from(f"{order}i", data)[0] == 348
    width, height = struct.unpack_from(order + ("2f" if old else "2d"), data, 80 if old else 112)
    good = all(np.isfinite(v) and v > 0 for v in (width, height))
    return (float(height), float(width)) if good else None
