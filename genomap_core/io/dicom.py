"""Checks of DICOM files. Runs in the child process. No value of a tag ever enters a message: tags are named only."""

from __future__ import annotations

import io
import logging
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.errors import BytesLengthException
from pydicom.filereader import read_dataset
from pydicom.valuerep import VR

from genomap_core.data.message import Message, some
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.limits import DEFAULT, Limits

_SYNTAXES = {
    "1.2.840.10008.1.2": "implicit little endian",
    "1.2.840.10008.1.2.1": "explicit little endian",
    "1.2.840.10008.1.2.2": "explicit big endian",
    "1.2.840.10008.1.2.5": "RLE",
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    "1.2.840.10008.1.2.4.51": "JPEG extended",
    "1.2.840.10008.1.2.4.57": "JPEG lossless",
    "1.2.840.10008.1.2.4.70": "JPEG lossless",
    "1.2.840.10008.1.2.4.80": "JPEG-LS",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
"""Deflated files are not among them: 0.4 MB of one unpack to 1.4 GB."""

_DECODED_HERE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"}

UNREADABLE = (
    *(
        OSError,
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        TypeError,
        NotImplementedError,
        RuntimeError,
    ),
    *(struct.error, OverflowError, BytesLengthException),
)
"""What pydicom raises for damaged files."""

_IDENTIFYING = tuple(
    re.findall(
        r"\w+",
        """
    PatientBirthDate PatientAddress PatientTelephoneNumbers OtherPatientIDs OtherPatientNames
    PatientMotherBirthName InstitutionName InstitutionAddress ReferringPhysicianName PhysiciansOfRecord
    PerformingPhysicianName OperatorsName NameOfPhysiciansReadingStudy AccessionNumber DeviceSerialNumber
    MilitaryRank PatientComments ResponsiblePerson RequestingPhysician StudyDate IssuerOfPatientID
""",
    )
)


def check_dicom(path: Path, *, name: str, limits: Limits = DEFAULT) -> tuple[Message, ...]:
    """All messages on one DICOM file. Raises where it can't or must not be read."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset, syntax = open_dicom(path)
            _check_kinds(dataset)
            said = [*said_on_identifiers(dataset), *_said_on_characters(dataset)]
            pixels = check_header(dataset, limits)
        except InputError:
            raise
        except UNREADABLE as error:
            raise InputError("The DICOM file is damaged: its tags can't be read. Export it again.") from error
        said += _check_pixels(dataset, syntax)
    rows, columns, frames = pixels
    shape = f"{columns} x {rows} pixels" + (f", {frames} frames" if frames > 1 else "")
    modality = str(get_tag(dataset, "Modality") or "no modality")
    plain = modality if re.fullmatch(r"[A-Z]{2,4}|no modality", modality) else "unknown modality"
    return (Message("ok", "content", f"DICOM image ({plain}), {shape}, {_SYNTAXES[syntax]}."), *said)


def open_dicom(source: Path | bytes) -> tuple[Any, str]:
    """The data set and its transfer syntax; of a path, values of more than 64 kB are read when asked for."""
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as file:
        if file.read(132)[128:] != b"DICM":
            raise InputError("The file is not DICOM: it lacks the preamble with the letters DICM. Export it again.")
        # the header before the rest: a deflated file must not be unpacked
        meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_behind_meta)
    syntax = str(meta.get("TransferSyntaxUID", ""))
    if syntax not in _SYNTAXES:
        text = "The file's transfer syntax is not accepted (deflated, video or unknown): export it uncompressed."
        raise RefusedError(text)
    if isinstance(source, Path):
        return pydicom.dcmread(source, defer_size=1 << 16), syntax
    return pydicom.dcmread(io.BytesIO(source)), syntax


def _behind_meta(tag: Any, kind: str | None, length: int) -> bool:
    return bool(tag.group != 2)


def _check_kinds(dataset: Any) -> None:
    """Every tag's value representation (VR) must be one that DICOM knows."""
    known = {str(kind.value) for kind in VR}
    bad = []
    for tag in dataset.keys():  # noqa: SIM118 - iterating the data set itself would decode every value
        kind = dataset.get_item(tag).VR
        if kind is not None and str(kind) not in known:
            bad.append(f"{_tag_name(tag)} (VR {kind!r})")
    if bad:
        raise InputError(f"Tags have an unknown value representation (VR): {some(bad)}. Export the file again.")


def _tag_name(tag: Any) -> str:
    return f"{keyword_for_tag(tag) or 'private tag'} {tag}"


def get_tag(dataset: Any, keyword: str) -> Any:
    """A tag's value, or None; values that can't be decoded count as absent."""
    try:
        return dataset.get(keyword) if keyword in dataset else None
    except UNREADABLE:
        return None


def said_on_identifiers(dataset: Any) -> list[Message]:
    """Which tags identify persons, by name; never their values."""
    found = [keyword for keyword in _IDENTIFYING if get_tag(dataset, keyword)]
    if _names_a_person(str(get_tag(dataset, "PatientName") or "")):
        found.insert(0, "PatientName")
    if not found:
        return []
    text = f"Tags identify the patient or others: {some(found, 10)}. Only pixels, geometry and modality are used."
    return [Message("warn", "identifying", text, remedy="De-identify the file before you pass it on.")]


def _names_a_person(name: str) -> bool:
    plain = name.replace("^", " ").strip()
    return (
        bool(plain)
        and not re.search(r"\d", plain)
        and not re.match(r"(?i)anon|unknown|test|none|phantom|removed", plain)
    )


def _said_on_characters(dataset: Any) -> list[Message]:
    """Bytes beyond ASCII in a file that declares no character set."""
    if get_tag(dataset, "SpecificCharacterSet"):
        return []
    odd = []
    for tag in dataset.keys():  # noqa: SIM118
        element = dataset.get_item(tag)
        value = element.value if isinstance(element.value, (bytes, str)) else b""
        text_kind = str(element.VR) in ("PN", "LO", "SH", "ST", "LT", "UT", "CS", "UC")
        if text_kind and len(value) < 4096 and any((b if isinstance(b, int) else ord(b)) > 127 for b in value):
            odd.append(_tag_name(tag))
    if not odd:
        return []
    text = f"Tags hold bytes outside the file's character set: {some(odd)}; their text is not shown."
    return [Message("warn", "character-set", text, remedy="Set SpecificCharacterSet (0008,0005) when exporting.")]


def check_header(dataset: Any, limits: Limits) -> tuple[int, int, int]:
    """Rows, columns and frames, within the limits and free of contradictions."""
    rows, columns = (int(get_tag(dataset, keyword) or 0) for keyword in ("Rows", "Columns"))
    frames = int(get_tag(dataset, "NumberOfFrames") or 1)
    samples = int(get_tag(dataset, "SamplesPerPixel") or 1)
    voxels = rows * columns * max(frames, 1) * samples
    if voxels > limits.voxels:
        raise RefusedError(f"The file declares {voxels:,} pixel values, over the limit of {limits.voxels:,}.")
    if "PixelData" not in dataset and "FloatPixelData" not in dataset and "DoubleFloatPixelData" not in dataset:
        raise InputError("The file has no pixel data (a report, a plan or a structure set?): give an image.")
    if rows < 1 or columns < 1 or frames < 1:
        raise InputError(f"The image has no size: Rows {rows}, Columns {columns}, NumberOfFrames {frames}.")
    allocated, stored = (int(get_tag(dataset, keyword) or 0) for keyword in ("BitsAllocated", "BitsStored"))
    if allocated not in (1, 8, 16, 32, 64) or not 1 <= stored <= allocated:
        raise InputError(f"BitsStored ({stored}) does not fit BitsAllocated ({allocated}): export the file again.")
    return rows, columns, frames


def _check_pixels(dataset: Any, syntax: str) -> list[Message]:
    """Decode the pixels where no further program is needed for it."""
    said: list[Message] = []
    if str(get_tag(dataset, "BurnedInAnnotation") or "").upper() == "YES":
        text = "The image says that names are burned into its pixels."
        said.append(Message("warn", "burned-in", text, remedy="Exclude it, or black the names out."))
    if syntax not in _DECODED_HERE:
        text = f"The pixels are compressed ({_SYNTAXES[syntax]}) and were not decoded for this check."
        return [*said, Message("ok", "compressed", text)]
    try:
        values = np.asarray(dataset.pixel_array)
    except (
        ValueError,
        OSError,
        EOFError,
        AttributeError,
        NotImplementedError,
        RuntimeError,
        KeyError,
        TypeError,
    ) as error:
        raise InputError("The DICOM file is damaged: its pixels do not fit its header. Export it again.") from error
    if values.min() == values.max():
        said.append(Message("warn", "constant-image", "The image is constant: all its pixels have the same value."))
    return said
