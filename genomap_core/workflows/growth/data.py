"""Image cohorts for the growth workflows: simulated ones, and labelled files in folders."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.images.hygiene import check_image, head_box, head_region, normalise, normalise_mask, to_grey
from genomap_core.data.images.labelled import LabelledImages
from genomap_core.data.images.leakage import HygieneReport, inspect_collection
from genomap_core.data.message import Message, plural
from genomap_core.data.simulated.mri import CLASSES
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.raster import shown_pixels
from genomap_core.workflows.growth.samples import simulated

if TYPE_CHECKING:
    import pandas as pd

_MOST_IMAGES, _MOST_BYTES = 20_000, 2 << 30
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_CHANGED = ("pages", "turned")
"""Codes of what is said of every image that it befell"""


def simulated_cohort(n_per_class: int, size: int, seed: int, contrast: str = "t1gd") -> LabelledImages:
    """Simulated slices of all classes with the masks of their tumours."""
    slices = simulated(n_per_class, 128, seed, contrast)
    regions = [head_region(image) for image in slices.images]
    images = [normalise(image, size, region=region) for image, region in zip(slices.images, regions)]
    masks = [normalise_mask(mask, region, size) for mask, region in zip(slices.masks, regions)]
    sides = [max(s.stop - s.start for s in head_box(region)) for region in regions]
    lengths = np.sqrt(slices.diffusion / slices.rate) * size / np.array(sides)
    return LabelledImages(
        name="Simulated slices",
        images=np.stack(images),
        y=slices.y.astype(np.int64),
        classes=CLASSES,
        ids=tuple(f"{CLASSES[c]} {i // len(CLASSES) + 1}" for i, c in enumerate(slices.y)),
        masks=np.stack(masks),
        lengths=np.where(slices.y == CLASSES.index("glioma"), lengths, np.nan).astype(np.float32),
        without_tumour=("no tumour",),
        infiltrating=("glioma",),
    )


def folder_cohort(files: Iterable[tuple[str, bytes]], size: int, name: str) -> tuple[LabelledImages, HygieneReport]:
    """A cohort from pictures whose class is the folder they lie in, with the report of what was wrong with them.

    Parameters
    ----------
    files
        Names with folders ("glioma/001.png") and contents.
    size
        Side of the cleaned images.

    Raises
    ------
    InputError
        A picture can't be read, or fewer than two folders hold pictures; RefusedError beyond the limits.
    """
    raw: list[np.ndarray] = []
    told: list[Message] = []
    labels, modes, ids = [], [], []
    for path, data in files:
        where = PurePosixPath(path)
        if where.suffix.lower() not in _PICTURES or where.stem.endswith("_mask"):
            continue
        if len(where.parts) < 2:
            raise InputError(f"{where.name} lies in no folder: put the images of each class in a folder of its own.")
        image, facts = shown_pixels(data, where.name)
        check_image(image, where.name)
        raw.append(image)
        told += [m for m in facts.messages if m.code in _CHANGED]
        labels.append(where.parts[-2])
        modes.append(facts.mode)
        ids.append(f"{where.parts[-2]}/{where.name}")
        if len(raw) > _MOST_IMAGES:
            raise RefusedError(f"More than {_MOST_IMAGES:,} images: give fewer.")
    classes, y = np.unique(np.array(labels, dtype=object).astype(str), return_inverse=True)
    if len(classes) < 2:
        raise InputError("Images of at least two classes are needed: one folder for each, named as the class.")
    images = np.stack([normalise(image, size) for image in raw])
    report = inspect_collection(raw, y, modes=modes, cleaned=images[:, 0])
    clear = tuple(str(c) for c in classes if without_tumour(str(c)))
    cohort = LabelledImages(
        name=name,
        images=images,
        y=y.astype(np.int64),
        classes=tuple(str(c) for c in classes),
        ids=tuple(ids),
        groups=report.groups,
        without_tumour=clear,
        infiltrating=tuple(str(c) for c in classes if _plain(c).startswith(("glioma", "glioblastoma", "astrocytoma"))),
        notes=(*report.messages, *_counted(told)),
    )
    return cohort, report


def _counted(told: Iterable[Message]) -> tuple[str, ...]:
    """What was done to images when they were read, once for all of a kind."""
    found = Counter(message.text for message in told)
    return tuple(f"{plural(count, 'image')}: {text}" for text, count in found.most_common())


def without_tumour(name: str) -> bool:
    """Whether a class of this name is one of images without a tumour."""
    return _plain(name) in ("notumor", "notumour", "normal", "healthy", "control")


def read_indexed(folder: Path, label: str) -> tuple[pd.DataFrame, list[Path], list[np.ndarray]]:
    """Rows of ``index.csv`` that have a ``label``, and the picture of each: ``SLICE.png`` as it is.

    Raises
    ------
    InputError
        A column (``patient``, ``slice``, ``label``) or a picture is missing, or can't be looked at.
    """
    import pandas as pd

    table = pd.read_csv(folder / "index.csv")
    missing = [c for c in ("patient", "slice", label) if c not in table]
    if missing:
        known = ", ".join(map(str, table))
        raise InputError(f"{folder / 'index.csv'} has no column {', '.join(missing)}; it has {known}.")
    table = table[table[label].notna()]
    paths = [folder / f"{PurePosixPath(str(s)).name}.png" for s in table["slice"]]
    absent = [p.name for p in paths if not p.is_file()]
    if absent:
        raise InputError(f"{len(absent)} pictures named in index.csv are missing, the first is {absent[0]}.")
    raw = [shown_pixels(p.read_bytes(), p.name)[0] for p in paths]
    for path, image in zip(paths, raw):
        check_image(image, path.name)
    return table, paths, raw


def indexed_cohort(folder: Path, label: str, size: int, name: str) -> tuple[LabelledImages, HygieneReport]:
    """Gliomas listed in ``index.csv``: columns ``patient``, ``slice`` (file name without its ending) and ``label``.

    Beside ``SLICE.png`` lies ``SLICE_mask.png`` where a mask is known. Colours are kept as channels: they hold
    different sequences. Rows without a label are left out; slices of one patient share a group.

    Raises
    ------
    InputError
        A column or a picture is missing.
    """
    table, paths, raw = read_indexed(folder, label)
    regions = [head_region(to_grey(image)) for image in raw]
    images = np.stack([normalise(i, size, grey=False, region=r) for i, r in zip(raw, regions)])
    masks = np.full((len(raw), size, size), np.nan, np.float32)
    for k, (path, region) in enumerate(zip(paths, regions)):
        if (mask := path.with_name(f"{path.stem}_mask.png")).is_file():
            masks[k] = normalise_mask(to_grey(shown_pixels(mask.read_bytes(), mask.name)[0]), region, size)
    classes, y = np.unique(table[label].astype(str), return_inverse=True)
    _, patients = np.unique(table["patient"].astype(str), return_inverse=True)
    report = inspect_collection(raw, y, patients=patients, cleaned=images.mean(1))
    titles = tuple(f"{label} {c.removesuffix('.0')}" for c in classes)
    cohort = LabelledImages(
        name=name,
        images=images,
        y=y.astype(np.int64),
        classes=titles,
        ids=tuple(p.stem for p in paths),
        groups=report.groups,
        masks=masks,
        infiltrating=titles,
        notes=report.messages,
    )
    return cohort, report


def zip_cohort(path: Path, size: int, name: str) -> tuple[LabelledImages, HygieneReport]:
    """:func:`folder_cohort` from a ZIP archive; its size is checked before anything is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if len(members) > 2 * _MOST_IMAGES or sum(m.file_size for m in members) > _MOST_BYTES:
                raise RefusedError("The archive holds too many or too large files: give fewer images.")
            return folder_cohort(((m.filename, archive.read(m)) for m in members), size, name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise InputError("The ZIP archive is damaged or encrypted: pack the folders again.") from error


def describe(report: HygieneReport) -> str:
    """The report as JSON for the page."""
    leaks = {
        leak.name: {"before": leak.before, "after": leak.after, "chance": leak.chance, "present": leak.present}
        for leak in report.leaks
    }
    return json.dumps({"messages": report.messages, "leaks": leaks, "copies": report.duplicates.n_copies})


def _plain(name: str) -> str:
    return "".join(c for c in str(name).lower() if c.isalpha())
