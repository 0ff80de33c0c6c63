"""Pixels of an uploaded picture, DICOM file or NIfTI volume, as slices. Read in a child process; no tag, no text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genomap_core.errors import InputError
from genomap_core.io.kinds import find_kind, told
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits

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
    modality: str = ""
    """As DICOM calls it ("MR", "CT"); empty where the file does not say"""

    @property
    def middle(self) -> int:
        """Number of the slice in the middle."""
        return len(self.slices) // 2

    def save(self, folder: Path) -> None:
        """Write ``pixels.npy`` and ``pixels.json``."""
        np.save(folder / "pixels.npy", np.ascontiguousarray(self.slices), allow_pickle=False)
        header = {"spacing": self.spacing, "kind": self.kind, "mode": self.mode, "modality": self.modality}
        (folder / "pixels.json").write_text(json.dumps(header))

    @classmethod
    def load(cls, folder: Path) -> PixelStack:
        """Read what :meth:`save` wrote."""
        header = json.loads((folder / "pixels.json").read_text())
        spacing = None if header["spacing"] is None else tuple(header["spacing"])
        pixels = np.load(folder / "pixels.npy", allow_pickle=False)
        return cls(pixels, spacing, header["kind"], header["mode"], header["modality"])


def read_pixels(source: bytes | Path, name: str, limits: FileLimits = DEFAULT) -> PixelStack:
    """Slices of a PNG, JPEG, TIFF, DICOM or NIfTI file (gzipped too), parsed in a child process.

    Raises
    ------
    InputError
        The file is damaged, of another kind, or holds no picture.
    RefusedError
        It is over a limit.
    """
    from genomap_core.io.sandbox.call import as_path, run_in_child

    with as_path(source) as path, run_in_child("pixels", path, {"name": name}, limits) as folder:
        return PixelStack.load(folder)


def pixels_of(path: Path, *, name: str, limits: FileLimits = DEFAULT) -> PixelStack:
    """:func:`read_pixels` inside the child: the file is checked as any upload, then its values are taken."""
    head = path.read_bytes()[:4096]
    kind = find_kind(head)
    if kind in ("png", "jpeg", "gif", "tiff"):
        return _picture(path, name, limits)
    if kind in ("dicom", "nifti", "gzip"):
        return _volume(path, name, limits)
    raise InputError(f"The file is {told(head, name)}")


def _picture(path: Path, name: str, limits: FileLimits) -> PixelStack:
    from genomap_core.io.images.raster import shown_pixels

    values, facts = shown_pixels(path.read_bytes(), name, limits)
    return PixelStack(values[None], None, "picture", facts.mode)


def _volume(path: Path, name: str, limits: FileLimits) -> PixelStack:
    from genomap_core.io.images.read import read_volume

    volume = read_volume(path.read_bytes(), name, limits)
    first = max(0, (len(volume.voxels) - _MOST_SLICES) // 2)
    slices = volume.voxels[first : first + _MOST_SLICES]
    return PixelStack(slices, volume.pixel, volume.kind, str(slices.dtype), volume.modality)
