"""DICOM files: checked, and their frames with their places in the patient. Runs in the child process.

No value of a tag ever enters a message: tags are named only.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import struct
import warnings
from dataclasses import dataclass
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
from genomap_core.io.images.volume import reduce_to_float32
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits

LOWEST_HU = -1024
"""What scanners write outside their field of view lies below: it counts as air."""
_MOST = (1 << 15) - 1
_FAR = 1 << 30
_UNFIT = "The DICOM file is damaged and can't be decoded: its pixels do not fit its header. Export it again."
_COMPRESSED = "The DICOM file's pixels can't be decoded (damaged, or compressed in a rare way): export it uncompressed."


@dataclass(frozen=True, eq=False)
class Frames:
    """What one file holds.

    ``pixels``: ``(n, H, W)`` int16 or float32; ``(n, H, W, 3)`` uint8 for colours. ``places``:
    ``(n, 3)`` mm of each frame's first pixel towards left, back and head; ``directions``: ``(2, 3)``, of a step to the
    next column and to the next row; None where the file does not say. ``pixel``: height and width in mm. ``gap``:
    between slices in mm, NaN where unknown. ``series``: a digest that equals that of the series' other files, empty
    where the file names none.
    """

    pixels: np.ndarray
    places: np.ndarray | None
    directions: np.ndarray | None
    pixel: tuple[float, float] | None
    gap: float
    modality: str
    series: str
    number: int
    messages: tuple[Message, ...]


def read_frames(data: bytes, limits: FileLimits = DEFAULT) -> Frames:
    """Decode one file. Raises :class:`InputError` where it holds no image, or one that can't be decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values
        try:
            dataset, _ = open_dicom(data)
            check_header(dataset, limits)
            groups = _groups(dataset)
            said = messages_on_identifiers(dataset)
            if str(get_tag(dataset, "BurnedInAnnotation") or "").upper() == "YES":
                said.append(Message("warn", "burned-in", "The image says that names are burned into its pixels."))
            series = str(get_tag(dataset, "SeriesInstanceUID") or "")
            n = max(1, int(get_tag(dataset, "NumberOfFrames") or 1))
            places, directions = _geometry(dataset, groups, n)
        except InputError:
            raise
        except UNREADABLE as error:
            raise InputError("The DICOM file is damaged: its tags can't be read. Export it again.") from error
        modality = _plain(get_tag(dataset, "Modality"))
        pixels, pixel_said = _decode(dataset, groups, modality)
    return Frames(
        pixels=pixels,
        places=places,
        directions=directions,
        pixel=_pixel(dataset, groups),
        gap=_gap(dataset, groups),
        modality=modality,
        series=hashlib.sha256(series.encode()).hexdigest() if series else "",
        number=_whole(get_tag(dataset, "InstanceNumber")),
        messages=(*said, *pixel_said),
    )


def _plain(modality: Any) -> str:
    found = str(modality or "")
    return found if re.fullmatch(r"[A-Z]{2,8}", found) else ""


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _floats(value: Any, count: int) -> np.ndarray | None:
    """``(count,)`` finite numbers of a tag, or None."""
    try:
        found = np.array([float(v) for v in (value if count > 1 else [value])])
    except (TypeError, ValueError):
        return None
    return found if found.shape == (count,) and np.isfinite(found).all() else None


def _groups(dataset: Any) -> list[Any]:
    """Of an enhanced file: what its frames share, then what each has of its own."""
    shared = list(get_tag(dataset, "SharedFunctionalGroupsSequence") or [])[:1]
    own = list(get_tag(dataset, "PerFrameFunctionalGroupsSequence") or [])
    return [*(shared or [None]), *own] if shared or own else []


def _tag(dataset: Any, groups: list[Any], sequence: str, keyword: str, frame: int = 0) -> Any:
    """A tag of a frame: its own, that shared by all, or that of the file."""
    for group in (groups[frame + 1 : frame + 2] + groups[:1]) if groups else []:
        items = get_tag(group, sequence) if group is not None else None
        if items and (value := get_tag(items[0], keyword)) is not None:
            return value
    return get_tag(dataset, keyword)


def _geometry(dataset: Any, groups: list[Any], n: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    cosines = _floats(_tag(dataset, groups, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    if cosines is None or not np.allclose(np.linalg.norm(cosines.reshape(2, 3), axis=1), 1, atol=0.05):
        return None, None
    directions = cosines.reshape(2, 3)
    found = [_floats(_tag(dataset, groups, "PlanePositionSequence", "ImagePositionPatient", k), 3) for k in range(n)]
    known = [place for place in found if place is not None]
    if len(known) < n:
        return None, directions
    places = np.stack(known)
    offsets = _floats(get_tag(dataset, "GridFrameOffsetVector"), n) if n > 1 else None
    if offsets is not None:
        places = places + (offsets - offsets[0])[:, None] * np.cross(*directions)
    elif n > 1 and not np.ptp(places, axis=0).any():
        return None, directions
    return places, directions


def _pixel(dataset: Any, groups: list[Any]) -> tuple[float, float] | None:
    found = _floats(_tag(dataset, groups, "PixelMeasuresSequence", "PixelSpacing"), 2)
    if found is None:
        found = _floats(get_tag(dataset, "ImagerPixelSpacing"), 2)
    return (float(found[0]), float(found[1])) if found is not None and (found > 0).all() else None


def _gap(dataset: Any, groups: list[Any]) -> float:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        found = _floats(_tag(dataset, groups, "PixelMeasuresSequence", keyword), 1)
        if found is not None and found[0] > 0:
            return float(found[0])
    return float("nan")


def _decode(dataset: Any, groups: list[Any], modality: str) -> tuple[np.ndarray, list[Message]]:
    """``(n, H, W)`` physical values or ``(n, H, W, 3)`` colours, and what was found on the way."""
    from pydicom.pixels import apply_color_lut

    photometric = str(get_tag(dataset, "PhotometricInterpretation") or "")
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    try:
        raw, said = _stored(dataset, syntax in _NATIVE)
        if photometric == "PALETTE COLOR":
            raw = np.asarray(apply_color_lut(raw, dataset))
    except (*UNREADABLE, AssertionError, MemoryError, struct.error) as error:
        raise InputError(_UNFIT if syntax in _DECODED_HERE else _COMPRESSED) from error
    colour = photometric == "PALETTE COLOR" or int(get_tag(dataset, "SamplesPerPixel") or 1) > 1
    frames = raw if raw.ndim == (4 if colour else 3) else raw[None]
    frames = frames[: int(get_tag(dataset, "NumberOfFrames") or 1)]
    if colour:
        shift = 8 * (frames.dtype.itemsize - 1)
        return (frames >> shift).astype(np.uint8)[..., :3], said
    hounsfield = modality == "CT" and get_tag(dataset, "RescaleIntercept") is not None
    if photometric == "MONOCHROME1" and not hounsfield:
        if frames.dtype.kind == "f":
            frames = -frames
        else:
            bits, signed = int(get_tag(dataset, "BitsStored") or 16), frames.dtype.kind == "i"
            frames = (-1 if signed else (1 << bits) - 1) - frames.astype(_wider(frames))
    values, further = _physical(dataset, groups, frames, modality)
    return values, [*said, *further]


def _wider(frames: np.ndarray) -> type[np.signedinteger[Any]]:
    return np.int32 if frames.dtype.itemsize <= 2 else np.int64


def _stored(dataset: Any, native: bool) -> tuple[np.ndarray, list[Message]]:
    """Pixels as stored. pydicom looks neither at HighBit nor at what lies behind the last frame: done here."""
    from pydicom.pixels import pixel_array

    if not native or "PixelData" not in dataset:
        return np.asarray(pixel_array(dataset)), []
    said = []
    rows, columns, allocated, stored = (
        int(get_tag(dataset, keyword) or 0) for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored")
    )
    count = (
        rows * columns * int(get_tag(dataset, "SamplesPerPixel") or 1) * int(get_tag(dataset, "NumberOfFrames") or 1)
    )
    asked, given = (count * allocated + 7) // 8, len(dataset.PixelData)
    if given >= 2 * asked > 0:
        raise InputError(f"The pixel data hold {given:,} bytes, {asked:,} fit the header: rows or frames are missing.")
    if given > asked + 1:  # one byte makes the length even
        text = f"The pixel data hold {given:,} bytes, {asked:,} fit the header: those behind are not used."
        said.append(Message("warn", "pixel-length", text, remedy="Export it again: rows or frames may be missing."))
    high = int(stored - 1 if (tag := get_tag(dataset, "HighBit")) is None else tag)
    if high == stored - 1:
        return np.asarray(pixel_array(dataset)), said
    dataset.BitsStored, dataset.HighBit = allocated, allocated - 1
    whole = np.asarray(pixel_array(dataset))
    dataset.BitsStored, dataset.HighBit = stored, high
    free, shift = allocated - stored, high + 1 - stored
    low = (whole << free) >> free
    narrow = bool((low == whole).all() or not (whole.astype(np.int64) & (-1 << stored)).any())
    if not 0 <= shift <= free or (narrow and (whole & ((1 << shift) - 1)).any()):
        text = f"HighBit ({high}) does not fit the values of {stored} bits: they are taken from the lowest ones."
        said.append(Message("warn", "bits", text, remedy="Export it again."))
        return low, said
    return (whole << (free - shift)) >> free, said


def _physical(dataset: Any, groups: list[Any], frames: np.ndarray, modality: str) -> tuple[np.ndarray, list[Message]]:
    """Stored values -> physical ones: slope and intercept of the file, or of each frame of an enhanced one."""
    if get_tag(dataset, "ModalityLUTSequence"):
        from pydicom.pixels import apply_modality_lut

        return np.asarray(apply_modality_lut(frames, dataset), np.float32), []
    sequence = "PixelValueTransformationSequence"
    scales = np.array(
        [
            [_scale(_tag(dataset, groups, sequence, k, f), usual) for k, usual in _SCALES]
            for f in range(len(frames) if len(groups) > 1 else 1)
        ]
    )
    said = []
    if not np.isfinite(scales).all() or (scales[:, 0] == 0).any():
        scales = np.where(np.isfinite(scales).all(1, keepdims=True) & (scales[:, :1] != 0), scales, [1.0, 0.0])
        said.append(Message("warn", "slope", "The rescale slope is 0 or no number: values are taken as they are."))
    slopes, intercepts = scales[:, 0, None, None], scales[:, 1, None, None]
    whole = bool((slopes == 1).all() and (intercepts == np.rint(intercepts)).all() and np.abs(intercepts).max() < _FAR)
    if whole and frames.dtype.kind in "iu":
        values: np.ndarray = frames.astype(_wider(frames)) + intercepts.astype(np.int32)
        if modality == "CT":
            values = np.clip(values, LOWEST_HU, _MOST)
        if int(values.min()) >= -_MOST and int(values.max()) <= _MOST:
            return values.astype(np.int16), said
        values, further = reduce_to_float32(values)
        return values, [*said, *further]
    if len(scales) == 1:
        values, further = reduce_to_float32(frames, float(scales[0, 0]), float(scales[0, 1]))
    else:
        values, further = reduce_to_float32(frames * slopes + intercepts)
    return (np.maximum(values, np.float32(LOWEST_HU)) if modality == "CT" else values), [*said, *further]


_SCALES = (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))


def _scale(value: Any, usual: float) -> float:
    if value is None:
        return usual
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


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

_NATIVE = _DECODED_HERE - {"1.2.840.10008.1.2.5"}

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


def check_dicom(path: Path, *, name: str, limits: FileLimits = DEFAULT) -> tuple[Message, ...]:
    """All messages on one DICOM file. Raises where it can't or must not be read."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset, syntax = open_dicom(path)
            _check_kinds(dataset)
            said = [*messages_on_identifiers(dataset), *_messages_on_characters(dataset)]
            pixels = check_header(dataset, limits)
        except InputError:
            raise
        except UNREADABLE as error:
            raise InputError("The DICOM file is damaged: its tags can't be read. Export it again.") from error
        if str(get_tag(dataset, "BurnedInAnnotation") or "").upper() == "YES":
            text = "The image says that names are burned into its pixels."
            said.append(Message("warn", "burned-in", text, remedy="Exclude it, or black the names out."))
        values, further = _decode(dataset, _groups(dataset), _plain(get_tag(dataset, "Modality")))
    said += further
    if values.min() == values.max():
        said.append(Message("warn", "constant-image", "The image is constant: all its pixels have the same value."))
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


def messages_on_identifiers(dataset: Any) -> list[Message]:
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


def _messages_on_characters(dataset: Any) -> list[Message]:
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


def check_header(dataset: Any, limits: FileLimits) -> tuple[int, int, int]:
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
    if "PixelData" not in dataset:  # numbers of floating point have all their bits
        return rows, columns, frames
    allocated, stored = (int(get_tag(dataset, keyword) or 0) for keyword in ("BitsAllocated", "BitsStored"))
    if allocated not in (1, 8, 16, 32, 64) or not 1 <= stored <= allocated:
        raise InputError(f"BitsStored ({stored}) does not fit BitsAllocated ({allocated}): export the file again.")
    return rows, columns, frames
