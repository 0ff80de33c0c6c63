"""One patient's image from its bytes: a picture, a DICOM file or series, a NIfTI volume. Runs in the child process."""

from __future__ import annotations

from collections.abc import Sequence

from genomap_core.errors import InputError
from genomap_core.io.dicom_frames import read_frames
from genomap_core.io.images import FORMATS
from genomap_core.io.kinds import NAMES, find_kind
from genomap_core.io.limits import DEFAULT, Limits
from genomap_core.io.nifti_volume import read_nifti
from genomap_core.io.packed import gunzip
from genomap_core.io.pictures import read_picture
from genomap_core.io.series import volume_of
from genomap_core.io.volume import Volume


def read_volume(data: bytes, name: str, limits: Limits = DEFAULT) -> Volume:
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


def read_series(files: Sequence[bytes], limits: Limits = DEFAULT) -> Volume:
    """The files of one DICOM series, in any order, as one volume."""
    return volume_of([read_frames(data, limits) for data in files])
