"""One patient's image from its bytes: a picture, a DICOM file or series, a NIfTI volume. Runs in the child process."""

from __future__ import annotations

from collections.abc import Sequence

from genomap_core.errors import InputError
from genomap_core.io.images.dicom import read_frames
from genomap_core.io.images.nifti import read_nifti
from genomap_core.io.images.raster import FORMATS, read_picture
from genomap_core.io.images.series import volume_of
from genomap_core.io.images.volume import Volume
from genomap_core.io.kinds import NAMES, find_kind
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.tables.gunzip import gunzip


def read_volume(data: bytes, name: str, limits: FileLimits = DEFAULT) -> Volume:
    """What one file shows, told by its content (gzipped DICOM and NIfTI too).

    Raises
    ------
    InputError
        The file is damaged, of another kind, or holds no picture.
    RefusedError
        It is over a limit.
    """
    kind = find_kind(data[:4096])
    if kind == "gzip":
        plain = gunzip(data, limits)
        kind = find_kind(plain[:4096])
        data = data if kind == "nifti" else plain
    if kind in FORMATS:
        return read_picture(data, name, limits)
    if kind == "dicom":
        return read_series([data], limits)
    if kind == "nifti":
        return read_nifti(data, limits)
    if name.lower().endswith((".dcm", ".dcm.gz")):
        raise InputError("The file is not DICOM: it lacks the preamble with the letters DICM. Export it again.")
    raise InputError(f"The file is {NAMES[kind]}: give PNG, JPEG, TIFF, DICOM or NIfTI.")


def read_series(files: Sequence[bytes], limits: FileLimits = DEFAULT) -> Volume:
    """The files of one DICOM series, in any order, as one volume."""
    return volume_of([read_frames(data, limits) for data in files])
