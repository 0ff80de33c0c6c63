"""Images and tables of the same patients -> one cohort. One call::

    cohort, messages = read_imaging_cohort(Path("cohort.zip"), ImagingOptions(side=128))

Images are PNG, JPEG, TIFF, DICOM (a file or a series) or NIfTI, one a patient; tables are CSV, TSV or Parquet, each a
type of omics named after its file. They are joined by the id of the row, which the image's name or folder is or holds,
or by a manifest (a table with columns patient and file). Volumes are seen as slices: one, or several as channels.

Nothing is repaired silently: everything left out, filled in or doubtful is a message. The images are parsed in one
child process; names and tags of files never leave it but in messages, and there only where they name nobody.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.patients import ImagingOptions, PatientImages
from genomap_core.data.message import Message, plural, some, worst
from genomap_core.data.personal import may_name_a_person
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.join import Stack, match_units, messages_on_units, stack_channels
from genomap_core.io.images.prepare import Units, stem_of
from genomap_core.io.images.tables import CohortTables, joined, read_cohort_tables
from genomap_core.io.kinds import NAMES, find_kind
from genomap_core.io.sandbox.call import run_in_child
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.tables.read import head_of
from genomap_core.progress import OnProgress, Progress, ignore

__all__ = ["COHORT", "ImagingOptions", "Source", "read_imaging_cohort"]

Source = Path | bytes | Sequence[tuple[str, bytes]]
"""A ZIP archive (its path or bytes), a folder, or files as (name with folders, bytes)."""

COHORT = replace(DEFAULT, members=50_000, unpacked=16 << 30, seconds=1800.0)
"""Of a cohort as a whole; each of its files keeps the usual limits."""


def read_imaging_cohort(
    source: Source,
    options: ImagingOptions = ImagingOptions(),
    on_progress: OnProgress = ignore,
    name: str = "Imaging cohort",
    limits: FileLimits = COHORT,
) -> tuple[PatientImages | None, tuple[Message, ...]]:
    """Read, match and normalise; the cohort is None while there are errors among the messages.

    Raises
    ------
    InputError
        The archive is damaged or there is nothing in it.
    RefusedError
        It breaks a rule of safety or a limit.
    """
    units = _read_units(source, options, on_progress, limits)
    names = {part for unit in units.units for part in (stem_of(unit.label), *PurePosixPath(unit.label).parts[:-1])}
    tables = read_cohort_tables(units.tables, options.target, names)
    said = [*tables.messages, *messages_on_units(units)]
    if not units.tables:
        text = "There is no table: put a CSV, TSV or Parquet file with sample ids and features beside the images."
        said.append(Message("error", "no-table", text))
    elif not tables.types and worst(said) != "error":
        said.append(Message("error", "no-features", "No table has features: add one with a column for each feature."))
    if worst(said) in ("error", "refuse"):
        return None, tuple(said)
    matched = match_units(units, tables, options.sequence)
    said += matched.messages
    if worst(said) == "error":
        return None, tuple(said)
    ids = _with_labels([s for s in tables.ids if s in matched.of or not units.units], tables, said)
    stack = stack_channels(units, matched, tables, ids) if units.units else _without_images(ids, options, said)
    said += stack.messages
    if len(stack.ids) < 2:
        text = f"{plural(len(stack.ids), 'sample')} with an image and a row: at least 2 are needed."
        remedy = "Name the images by sample id, or give a manifest with columns patient and file."
        return None, (*said, Message("error", "few-pairs", text, remedy=remedy))
    table = joined(tables, stack.ids, "Imaging cohort" if may_name_a_person(name) else name)
    said = [_content(stack, table, units), *said, *_messages_on_types(table)]
    return _cohort(stack, table, said), tuple(said)


def _cohort(stack: Stack, table: Dataset, said: Sequence[Message]) -> PatientImages:
    known = np.isfinite(stack.pixel).any()
    return PatientImages(
        images=stack.images,
        table=table,
        channels=stack.channels,
        spacing=np.repeat(stack.pixel[:, None], 2, axis=1) if known else None,
        patches=stack.patches,
        notes=tuple(str(m) for m in said if m.severity == "warn"),
    )


def _content(stack: Stack, table: Dataset, units: Units) -> Message:
    text = (
        f"{plural(len(stack.ids), 'sample')} with {plural(len(stack.channels), 'image channel')} "
        f"({some(stack.channels, 8) or 'none'}) and {plural(table.n_features, 'feature')} "
        f"of {plural(len(table.omics_names), 'type')} ({some(table.omics_names, 8)})."
    )
    if any(unit.shape and unit.shape[0] > 1 for unit in units.units):
        text += " Volumes are seen as slices; evenly spaced ones can be seen in 3-D too."
    return Message("ok", "content", text)


def _with_labels(ids: list[str], tables: CohortTables, said: list[Message]) -> list[str]:
    """Those with a label, where there are labels at all."""
    if not tables.labels:
        return ids
    without = [sample for sample in ids if sample not in tables.labels]
    if without:
        text = f"{plural(len(without), 'sample')} without a label left out: {some(without, 10)}."
        said.append(Message("warn", "no-label", text, remedy="Add their labels."))
    return [sample for sample in ids if sample in tables.labels]


def _without_images(ids: list[str], options: ImagingOptions, said: list[Message]) -> Stack:
    said.append(Message("warn", "no-images", "There are no images: the cohort holds omics alone."))
    empty = np.zeros((len(ids), 0, options.side, options.side), np.float32)
    return Stack(tuple(ids), empty, (), np.full(len(ids), np.nan, np.float32), ())


def _messages_on_types(table: Dataset) -> list[Message]:
    """How many samples lack a type of omics."""
    said = []
    X = np.asarray(table.X)
    for t, kind in enumerate(table.omics_names):
        own = X if table.omics is None else X[:, table.omics == t]
        missing = int(np.isnan(own).all(axis=1).sum())
        if missing:
            text = f"{plural(missing, 'sample')} of {table.n_samples} lack {kind}: their values stay missing."
            said.append(Message("warn", "type-missing", text))
    return said


def _read_units(source: Source, options: ImagingOptions, on_progress: OnProgress, limits: FileLimits) -> Units:
    def watch(folder: Path) -> None:
        told = folder / "progress"
        parts = told.read_text().split() if told.is_file() else []
        if len(parts) == 2:
            on_progress(Progress("reading images", int(parts[0]), int(parts[1])))

    given: dict[str, str | None] = {"options": json.dumps(asdict(options)), "progress": "progress"}
    with as_source(source) as path, run_in_child("units", path, given, limits, watch) as folder:
        return Units.load(folder)


@contextmanager
def as_source(source: Source) -> Iterator[Path]:
    """A path to a ZIP archive or a folder; what is in memory is written to a private temporary archive."""
    if isinstance(source, Path):
        if not source.exists():
            raise InputError(f"There is no file or folder {source.name!r}: check the path.")
        if source.is_file():
            _check_zip(head_of(source))
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="genomap-") as folder:
        path = Path(folder) / "input"
        if isinstance(source, bytes):
            _check_zip(source[:4096])
            path.write_bytes(source)
        else:
            if not source:
                raise InputError("No files were given: choose a folder or a ZIP archive.")
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
                for name, data in source:
                    archive.writestr(zipfile.ZipInfo(name.lstrip("/")), data)
        yield path


def _check_zip(head: bytes) -> None:
    kind = find_kind(head)
    if kind == "tar":
        raise RefusedError("Tar archives are not accepted: give a ZIP archive.")
    if kind != "zip":
        raise InputError(f"The file is {NAMES[kind]}, not a ZIP archive: pack images and tables into one.")
