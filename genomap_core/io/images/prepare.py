"""The images of a cohort's files, one by one made fit for a network: all of this in one child process.

A *unit* is one image of one patient: a picture, a volume, or all files of a DICOM series. What leaves the process is
its pixels at the final size, its geometry and messages; no tag, no text.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from genomap_core.data.images.framing import choose_slices, fit_square
from genomap_core.data.images.intensity import CT_WINDOWS, Modality, normalised, padding, to_grey
from genomap_core.data.images.patients import ImagingOptions
from genomap_core.data.images.stain import find_stains, normalise_stains
from genomap_core.data.message import Message, plural, some
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.members import Members, open_members
from genomap_core.io.images.nifti import join_pair, read_nifti
from genomap_core.io.images.read import read_series, read_volume
from genomap_core.io.images.slide import SlideOptions, is_slide, patches_of_slide
from genomap_core.io.images.volume import Volume
from genomap_core.io.kinds import IMAGE_ENDINGS, IMAGE_SUFFIXES, SLIDES, find_kind
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.store import decode

_SMALLEST = 8
_MAY_BE_SLIDE = 16 << 20
"""Bytes of a TIFF that is worth a look whether it is a whole slide"""
_RGB = ("red", "green", "blue")
_AIR = -500
"""A NIfTI volume with values below is taken for CT: magnitudes of MR are not negative."""


@dataclass(frozen=True, eq=False)
class Picture:
    """``values (c, side, side)`` float32 with ``c`` names; ``pixel``: height and width of a pixel in mm."""

    values: np.ndarray
    channels: tuple[str, ...]
    pixel: float | None
    treatment: Modality
    messages: tuple[Message, ...]


def picture_of(volume: Volume, options: ImagingOptions) -> Picture:
    """Raises :class:`InputError` for images of a few pixels."""
    voxels = volume.voxels
    if min(voxels.shape[1:3]) < _SMALLEST:
        rows, columns = voxels.shape[1:3]
        raise InputError(f"The image has {columns} x {rows} pixels; at least {_SMALLEST} x {_SMALLEST} are needed.")
    treatment = _treatment(volume, options)
    chosen = choose_slices(voxels, options.slices, options.n_slices, treatment)
    planes, names = [], []
    for k, z in enumerate(chosen):
        values, own = _channels(voxels[z], volume.channels, options)
        planes.append(normalised(values, treatment, CT_WINDOWS[options.window]))
        names += [_name(own[c], k, len(chosen), len(own)) for c in range(len(own))]
    image = np.concatenate(planes)
    said = list(volume.messages)
    if len(voxels) > 1:
        numbers = some((str(z + 1) for z in chosen), 32)
        text = f"Of {len(voxels)} slices or frames seen ({options.slices}): {numbers}."
        said.append(Message("ok", "slices", text))
    if float(np.ptp(image)) == 0.0:
        said.append(Message("warn", "constant-image", "All pixels of the image are alike: it shows nothing."))
    fitted, frame = fit_square(image, options.side, padding(image, treatment), volume.pixel)
    return Picture(fitted, tuple(names), frame.spacing, treatment, tuple(said))


def _treatment(volume: Volume, options: ImagingOptions) -> Modality:
    if options.treatment != "auto":
        return options.treatment
    if volume.kind == "nifti":
        return "ct" if float(volume.voxels.min()) < _AIR else "mr"
    return {"CT": "ct", "MR": "mr"}.get(volume.modality, "picture")  # type: ignore[return-value]


def _channels(
    values: np.ndarray, names: tuple[str, ...], options: ImagingOptions
) -> tuple[np.ndarray, tuple[str, ...]]:
    """``(H, W)`` or ``(H, W, c)`` -> ``(c, H, W)`` with names; red, green and blue that are alike are one grey."""
    if values.ndim == 2:
        return values[None], ("image",)
    if names != _RGB:
        return np.moveaxis(values, 2, 0), names
    if not options.colours:
        return to_grey(values)[None], ("grey",)
    if (values == values[..., :1]).all():
        return np.moveaxis(values[..., :1], 2, 0), ("image",)
    if options.stains:
        values = normalise_stains(values, find_stains(values))
    return np.moveaxis(values, 2, 0), names


def _name(channel: str, k: int, n_slices: int, n_channels: int) -> str:
    if n_slices == 1:
        return channel
    return f"slice {k + 1}" if n_channels == 1 else f"slice {k + 1} {channel}"


TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".xlsx")
_PAIR = (".hdr", ".img")
_IMAGES = tuple(ending for ending in IMAGE_ENDINGS if ending not in _PAIR)
_MASKS = tuple(f"{sign}{what}" for sign in "_-" for what in ("mask", "seg", "label", "segmentation"))
_BESIDE = re.compile(
    r"(^|/)sub-[^/]+/.+\.tsv$|(^|/)(dataset_description|participants)\.json$|_(bold|dwi|T1w|T2w|FLAIR)\.json$"
)
"""Files of a BIDS folder that hold neither images nor omics"""
_MOST_VALUES = 400_000_000
"""Pixels of all units together, at their final size: 1.6 GB."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One image: ``label`` is its file, or the folder of a series; ``files`` all its files. Names stay inside."""

    label: str
    files: tuple[str, ...]
    kind: str = ""
    modality: str = ""
    treatment: str = ""
    shape: tuple[int, ...] = ()
    """Slices, rows and columns as read"""
    spacing: tuple[float, ...] | None = None
    """The same in mm"""
    channels: tuple[str, ...] = ()
    pixel: float | None = None
    """Height and width in mm of a pixel at the final size"""
    messages: tuple[Message, ...] = ()
    places: tuple[tuple[float, float], ...] = ()
    """Of a slide: where each patch lies, its centre as shares of width and height"""
    refused: str = ""
    """Why it can't be used"""


@dataclass(frozen=True, eq=False)
class Units:
    """All images ``(sum of their channels, side, side)`` float32 in the units' order; tables as their bytes."""

    units: tuple[Unit, ...]
    images: np.ndarray
    tables: tuple[tuple[str, bytes], ...]
    ignored: tuple[str, ...] = ()
    masks: int = 0
    junk: int = 0

    def save(self, folder: Path) -> None:
        """Write ``units.json``, ``images.npy`` and ``table-K`` files."""
        np.save(folder / "images.npy", self.images, allow_pickle=False)
        for k, (_, data) in enumerate(self.tables):
            (folder / f"table-{k}").write_bytes(data)
        header = {
            "units": [asdict(unit) for unit in self.units],
            "tables": [name for name, _ in self.tables],
            "ignored": self.ignored,
            "masks": self.masks,
            "junk": self.junk,
        }
        (folder / "units.json").write_text(json.dumps(header))

    @classmethod
    def load(cls, folder: Path) -> Units:
        """Read what :meth:`save` wrote."""
        header = json.loads((folder / "units.json").read_text())
        units = tuple(decode(Unit, fields) for fields in header["units"])
        tables = tuple((name, (folder / f"table-{k}").read_bytes()) for k, name in enumerate(header["tables"]))
        images = np.load(folder / "images.npy", allow_pickle=False)
        return cls(units, images, tables, tuple(header["ignored"]), header["masks"], header["junk"])


def units_of(path: Path, *, options: str, progress: str | None = None, limits: FileLimits = DEFAULT) -> Units:
    """Read all images of a ZIP archive or a folder. ``options``: :class:`ImagingOptions` as JSON; ``progress``: a file
    in which to count."""
    chosen = ImagingOptions(**json.loads(options))
    with open_members(path, limits) as members:
        tables, images, masks, ignored = _sorted(members)
        groups = _groups(members, images, _first_cells(members, tables))
        found: list[tuple[Unit, np.ndarray | None]] = []
        held = 0
        for k, (label, files) in enumerate(groups):
            _count(progress, k, len(groups))
            unit, image = _unit(members, label, files, chosen)
            held += 0 if image is None else image.size
            if held > _MOST_VALUES:
                raise RefusedError("The images take too much memory together: choose a smaller size or fewer slices.")
            found.append((unit, image))
        _count(progress, len(groups), len(groups))
        kept = tuple((name, members.read(name)) for name in tables)
    planes = [image for _, image in found if image is not None]
    stacked = np.concatenate(planes) if planes else np.zeros((0, chosen.side, chosen.side), np.float32)
    return Units(tuple(unit for unit, _ in found), stacked, kept, tuple(ignored), len(masks), members.junk)


def _sorted(members: Members) -> tuple[list[str], list[str], list[str], list[str]]:
    """Tables, images, masks of images, and the rest. Files without a known ending are images if DICOM."""
    tables: list[str] = []
    images: list[str] = []
    masks: list[str] = []
    ignored: list[str] = []
    pairs = _pairs(members.names)
    for name in members.names:
        plain = name.lower().removesuffix(".gz")
        if name in pairs:
            (masks if stem_of(name).lower().endswith(_MASKS) else images).append(name)
        elif name in pairs.values() or _BESIDE.search(name):
            continue
        elif plain.endswith(TABLES):
            tables.append(name)
        elif plain.endswith(SLIDES) and find_kind(members.head(name)) == "tiff":
            images.append(name)
        elif plain.endswith(_IMAGES):
            (masks if stem_of(name).lower().endswith(_MASKS) else images).append(name)
        elif find_kind(members.head(name)) == "dicom":
            images.append(name)
        else:
            ignored.append(name)
    return tables, images, masks, ignored


def _pairs(names: Sequence[str]) -> dict[str, str]:
    """Header -> voxels, of volumes that are written in two files."""
    of = {name.lower().removesuffix(".gz"): name for name in names}
    return {
        name: of[plain[:-4] + ".img"]
        for plain, name in of.items()
        if plain.endswith(".hdr") and plain[:-4] + ".img" in of
    }


def stem_of(name: str) -> str:
    """The file's name without its folder and endings."""
    plain = PurePosixPath(name).name
    for ending in (".gz", *IMAGE_ENDINGS, *SLIDES, *TABLES):
        if plain.lower().endswith(ending):
            plain = plain[: -len(ending)]
    return plain


_MOST_TEXT = 16 << 20


def _first_cells(members: Members, tables: Sequence[str]) -> set[str]:
    """What stands first in the lines of the text tables: ids of samples, most likely."""
    found: set[str] = set()
    for name in tables:
        if name.lower().endswith((".csv", ".tsv", ".txt")):
            text = members.read(name)[:_MOST_TEXT].decode("utf-8", "replace")
            found |= {match[1].strip() for match in re.finditer(r'(?m)^"?([^",;\t\r\n]+)', text)}
    return found


def _groups(members: Members, images: Sequence[str], ids: set[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Units as (label, files): DICOM files of one folder and series together, all else alone.

    Files that are called by ``ids`` in a folder that is not are patients, whatever their tags say.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    alone: list[tuple[str, tuple[str, ...]]] = []
    pairs = _pairs(members.names)
    for name in images:
        if name in pairs:
            alone.append((name, (name, pairs[name])))
            continue
        head = members.head(name) if not name.lower().endswith((".gz", *IMAGE_SUFFIXES, *SLIDES)) else b""
        if head and find_kind(head) == "dicom":
            folders[str(PurePosixPath(name).parent)].append(name)
        else:
            alone.append((name, (name,)))
    for folder, names in folders.items():
        patients = PurePosixPath(folder).name not in ids and all(stem_of(name) in ids for name in names)
        alone += [(name, (name,)) for name in names] if patients else _series(members, folder, names)
    return sorted(alone)


def _series(members: Members, folder: str, names: list[str]) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Of one folder's DICOM files: each series under the folder's name, single files under their own."""
    if len(names) == 1:
        return [(names[0], (names[0],))]
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        key = _series_key(members.head(name))
        found[key or (name if folder == "." else "")].append(name)
    several = sum(len(group) > 1 for group in found.values()) > 1
    return [
        (group[0] if len(group) == 1 or several or folder == "." else folder, tuple(group)) for group in found.values()
    ]


def _series_key(head: bytes) -> str:
    """A digest of the series' and the patient's identifiers; empty where the file has none."""
    import io

    import pydicom

    from genomap_core.io.images.dicom import UNREADABLE, get_tag

    try:
        with warnings.catch_warnings(action="ignore"):
            tags = pydicom.dcmread(
                io.BytesIO(head), stop_before_pixels=True, specific_tags=["SeriesInstanceUID", "PatientID"]
            )
            found = [str(get_tag(tags, k) or "") for k in ("SeriesInstanceUID", "PatientID")]
    except (*UNREADABLE, pydicom.errors.InvalidDicomError):
        return ""
    return hashlib.sha256("\n".join(found).encode()).hexdigest() if any(found) else ""


def _unit(
    members: Members, label: str, files: tuple[str, ...], options: ImagingOptions
) -> tuple[Unit, np.ndarray | None]:
    try:
        large = files[0].lower().endswith((".tif", ".tiff")) and members.size(files[0]) > _MAY_BE_SLIDE
        if large or files[0].lower().endswith(SLIDES):
            with tempfile.TemporaryDirectory(dir=".") as folder:
                path = members.path(files[0], Path(folder))
                if is_slide(path, files[0]):
                    return _slide_unit(path, label, files, options)
        if files[0].lower().removesuffix(".gz").endswith(".hdr"):
            volume = read_nifti(join_pair(members.read(files[0]), members.read(files[1])))
        elif len(files) > 1:
            volume = read_series([members.read(name) for name in files])
        else:
            volume = read_volume(members.read(files[0]), PurePosixPath(files[0]).name)
        picture = picture_of(volume, options)
    except MemoryError:
        return Unit(label, files, refused="it needs more memory than there is: give fewer or smaller slices."), None
    except (InputError, OSError) as error:
        text = str(error) if isinstance(error, InputError) else "it can't be read from the disk."
        return Unit(label, files, refused=text), None
    unit = Unit(
        label,
        files,
        kind=volume.kind,
        modality=volume.modality,
        treatment=picture.treatment,
        shape=tuple(int(s) for s in volume.voxels.shape[:3]),
        spacing=volume.spacing,
        channels=picture.channels,
        pixel=picture.pixel,
        messages=picture.messages,
    )
    return unit, picture.values


def _slide_unit(path: Path, label: str, files: tuple[str, ...], options: ImagingOptions) -> tuple[Unit, np.ndarray]:
    """Patches of a slide's tissue, each taken as a slice; where they are too few the first ones again."""
    given = SlideOptions(options.side, options.microns, options.patches, options.pixel, stains=options.stains)
    cut = patches_of_slide(path, options=json.dumps(asdict(given)))
    chosen = np.arange(options.patches) % len(cut.values)
    said = list(cut.messages)
    if len(cut.values) < options.patches:
        text = f"The slide has {plural(len(cut.values), 'place')} with tissue, fewer than {options.patches}: repeated."
        said.append(Message("warn", "few-patches", text, remedy="Ask for fewer or smaller patches."))
    planes, names = [], []
    for k, number in enumerate(chosen):
        values, own = _channels(cut.values[number], _RGB, options)
        planes.append(normalised(values, "histology", CT_WINDOWS[options.window]))
        names += [_name(channel, k, options.patches, len(own)) for channel in own]
    width, height = cut.size
    unit = Unit(
        label,
        files,
        kind="slide",
        treatment="histology",
        shape=(options.patches, height, width),
        channels=tuple(names),
        pixel=None,
        messages=tuple(said),
        places=tuple((float(x) / width, float(y) / height) for x, y in cut.places[chosen]),
    )
    return unit, np.concatenate(planes)


def _count(progress: str | None, step: int, total: int) -> None:
    """Tell the parent how far it is."""
    if progress is not None:
        Path(progress).write_text(f"{step} {total}")
