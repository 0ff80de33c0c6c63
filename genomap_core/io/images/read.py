"""One patient's image from its bytes: a picture, a DICOM file or series, a NIfTI volume. Runs in the child process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from genomap_core.data.message import Message, plural
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.dicom import Frames, read_frames
from genomap_core.io.images.nifti import read_nifti
from genomap_core.io.images.raster import FORMATS, read_picture
from genomap_core.io.images.volume import Volume, face_viewer, swaps
from genomap_core.io.kinds import find_kind, told
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.tables.gunzip import gunzip

MOST_VOXELS = 250_000_000
_SAME_MM = 1e-2
"""Two slices nearer than this lie at one place."""
_GAP = 1.5
"""A distance of so many usual ones is a gap."""
_UNEVEN = 0.1


def volume_of(parts: Sequence[Frames]) -> Volume:
    """Put the frames of one series (or of one file) together, in order along their normal.

    Raises :class:`RefusedError` where there are too many voxels.
    """
    said = _once(m for part in parts for m in part.messages)
    parts, odd = _of_one_form(parts)
    if sum(part.pixels.size for part in parts) > MOST_VOXELS:
        raise RefusedError(f"The series has over {MOST_VOXELS:,} voxels: give fewer slices.")
    first = parts[0]
    n = sum(len(part.pixels) for part in parts)
    order, gap, placed = _order(parts, n)
    if len(parts) == 1 and n > 1 and first.places is None:
        text = f"The file holds {n} frames and does not say where they lie (a film?): each is taken for a slice."
        placed.append(Message("warn", "frames", text, remedy="Choose which slice is seen, or export one frame."))
    pixel = _common_pixel(parts)
    voxels = _stack(parts, order)
    if first.directions is not None and voxels.ndim == 3:
        axes = np.stack([np.cross(*first.directions), first.directions[1], first.directions[0]])
        pixel = pixel[::-1] if pixel is not None and swaps(axes) else pixel
        voxels = face_viewer(voxels, axes)
    return Volume(
        voxels=voxels,
        spacing=None if pixel is None else (gap, *pixel),
        modality=first.modality,
        kind="dicom",
        channels=("red", "green", "blue") if voxels.ndim == 4 else (),
        messages=(*said, *odd, *placed),
    )


def _once(messages: Iterable[Message]) -> list[Message]:
    """Every file of a series says the same of itself: said once."""
    return list({(m.code, m.severity): m for m in reversed(list(messages))}.values())[::-1]


def _form(part: Frames) -> tuple[object, ...]:
    """What the slices of one stack have in common."""
    facing = None if part.directions is None else tuple(np.round(part.directions, 2).ravel().tolist())
    return part.pixels.shape[1:], facing, part.modality


def _of_one_form(parts: Sequence[Frames]) -> tuple[list[Frames], list[Message]]:
    """The largest set of slices of one size and orientation; what was left out."""
    counts = Counter(_form(part) for part in parts)
    main, count = counts.most_common(1)[0]
    kept = [part for part in parts if _form(part) == main]
    if len(counts) == 1:
        return kept, []
    sizes = len({form[0] for form in counts}) > 1
    text = (
        f"The series mixes slices of different {'sizes' if sizes else 'orientations'}: {count} of {len(parts)} "
        f"files are alike and used, {len(parts) - count} left out."
    )
    return kept, [Message("warn", "mixed-series", text, remedy="Leave one stack of slices in the folder.")]


def _order(parts: Sequence[Frames], n: int) -> tuple[np.ndarray, float, list[Message]]:
    """Numbers of the ``n`` frames in order, doubled ones left out; the distance of two in mm, NaN where unknown."""
    hint = parts[0].gap
    places = [part.places for part in parts]
    if n == 1:
        return np.zeros(1, int), hint, []
    if parts[0].directions is None or any(place is None for place in places):
        numbers = np.concatenate([np.full(len(part.pixels), part.number) for part in parts])
        said = []
        if len(parts) > 1:
            text = "The files do not say where their slices lie: they are ordered by their numbers."
            said = [Message("warn", "no-positions", text, remedy="Export the series with ImagePositionPatient.")]
        return np.argsort(numbers, kind="stable"), hint, said
    along = np.concatenate([place for place in places if place is not None]) @ np.cross(*parts[0].directions)
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    kept = order[np.concatenate([[True], steps > _SAME_MM])]
    said = []
    if len(kept) < n:
        text = f"{plural(n - len(kept), 'slice')} of {n} lie where another one does: the first of each is used."
        said.append(Message("warn", "doubled-positions", text, remedy="Leave one phase or echo in the folder."))
    gap, more = _distances(np.diff(along[kept]), hint)
    return kept, gap, said + more


def _distances(steps: np.ndarray, hint: float) -> tuple[float, list[Message]]:
    """The usual distance of two slices, and whether some are missing."""
    if not len(steps):
        return hint, []
    gap = float(np.median(steps))
    wide = steps > _GAP * gap
    if wide.any():
        missing = int(np.rint(steps[wide] / gap - 1).sum())
        text = (
            f"The series has {plural(int(wide.sum()), 'gap')}: about {plural(missing, 'slice')} missing "
            f"(usual distance {gap:.4g} mm, widest {steps.max():.4g} mm)."
        )
        return gap, [Message("warn", "missing-slices", text, remedy="Export the whole series.")]
    if steps.max() - steps.min() > _UNEVEN * gap:
        text = f"The slices lie {steps.min():.4g} to {steps.max():.4g} mm apart: taken as {gap:.4g} mm."
        return gap, [Message("warn", "uneven-slices", text)]
    return gap, []


def _stack(parts: Sequence[Frames], order: np.ndarray) -> np.ndarray:
    """``(z, y, x)`` or with colours, in this order; written once, without a second copy of all frames."""
    kind = np.result_type(*(part.pixels.dtype for part in parts))
    out = np.empty((len(order), *parts[0].pixels.shape[1:]), kind)
    where = {int(k): z for z, k in enumerate(order)}
    k = 0
    for part in parts:
        for frame in part.pixels:
            if k in where:
                out[where[k]] = frame
            k += 1
    return out


def _common_pixel(parts: Sequence[Frames]) -> tuple[float, float] | None:
    known = [part.pixel for part in parts if part.pixel is not None]
    return Counter(known).most_common(1)[0][0] if known else None


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
    raise InputError(f"The file is {told(data[:4096], name)}")


def read_series(files: Sequence[bytes], limits: FileLimits = DEFAULT) -> Volume:
    """The files of one DICOM series, in any order, as one volume."""
    return volume_of([read_frames(data, limits) for data in files])
