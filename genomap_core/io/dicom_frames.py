"""Frames of one DICOM file with their places in the patient, in physical units. Runs in the child process."""

from __future__ import annotations

import hashlib
import re
import struct
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from genomap_core.data.message import Message
from genomap_core.errors import InputError
from genomap_core.io.dicom import UNREADABLE, check_header, get_tag, open_dicom, said_on_identifiers
from genomap_core.io.limits import DEFAULT, Limits

LOWEST_HU = -1024
"""What scanners write outside their field of view lies below: it counts as air."""
_MOST = (1 << 15) - 1
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


def read_frames(data: bytes, limits: Limits = DEFAULT) -> Frames:
    """Decode one file. Raises :class:`InputError` where it holds no image, or one that can't be decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values
        try:
            dataset, _ = open_dicom(data)
            check_header(dataset, limits)
            groups = _groups(dataset)
            said = said_on_identifiers(dataset)
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
    from pydicom.pixels import apply_color_lut, pixel_array

    photometric = str(get_tag(dataset, "PhotometricInterpretation") or "")
    try:
        raw = np.asarray(pixel_array(dataset))
        if photometric == "PALETTE COLOR":
            raw = np.asarray(apply_color_lut(raw, dataset))
    except (*UNREADABLE, AssertionError, MemoryError, struct.error) as error:
        raise InputError(_COMPRESSED) from error
    colour = photometric == "PALETTE COLOR" or int(get_tag(dataset, "SamplesPerPixel") or 1) > 1
    frames = raw if raw.ndim == (4 if colour else 3) else raw[None]
    if colour:
        shift = 8 * (frames.dtype.itemsize - 1)
        return (frames >> shift).astype(np.uint8)[..., :3], []
    if photometric == "MONOCHROME1" and modality != "CT" and frames.dtype.kind in "iu":
        bits, signed = int(get_tag(dataset, "BitsStored") or 16), frames.dtype.kind == "i"
        frames = (-1 if signed else (1 << bits) - 1) - frames.astype(np.int32)
    return _physical(dataset, groups, frames, modality)


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
    whole = bool((slopes == 1).all() and (intercepts == np.rint(intercepts)).all())
    if whole and frames.dtype.kind in "iu" and frames.dtype.itemsize <= 4:
        values: np.ndarray = frames.astype(np.int32) + intercepts.astype(np.int32)
        if modality == "CT":
            values = np.clip(values, LOWEST_HU, _MOST)
        small = int(values.min()) >= -_MOST and int(values.max()) <= _MOST
        return values.astype(np.int16 if small else np.float32), said
    values = frames.astype(np.float32) * slopes.astype(np.float32) + intercepts.astype(np.float32)
    return (np.maximum(values, LOWEST_HU) if modality == "CT" else values).astype(np.float32), said


_SCALES = (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))


def _scale(value: Any, usual: float) -> float:
    if value is None:
        return usual
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
