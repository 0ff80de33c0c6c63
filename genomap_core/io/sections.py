"""Sections of tissue as files: which belong together, the places of their spots, counts and labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from genomap_core.data.message import Message, plural, some
from genomap_core.data.table import Table
from genomap_core.errors import InputError
from genomap_core.io.spot_counts import Counts, counts_of
from genomap_core.io.tables import read_table


@dataclass(frozen=True, slots=True)
class Section:
    """The files of one section; ``labels`` where its spots are annotated."""

    name: str
    image: Path
    spots: Path
    counts: Path
    labels: Path | None = None


@dataclass(frozen=True, eq=False)
class Spots:
    """Spots of one section that have counts: pixel ``places (n, 2)``, labels ("" where none), the patient."""

    section: str
    patient: str
    places: np.ndarray
    labels: tuple[str, ...]
    counts: Counts
    messages: list[Message] = field(default_factory=list)


def find_sections(folder: Path) -> list[Section]:
    """The sections of a folder, by name. Raises :class:`InputError` where there is none."""
    found = []
    for image in sorted(p for p in folder.iterdir() if p.stem.endswith("_HE")):
        name = image.stem.removesuffix("_HE")
        counts = next((p for e in (".tsv.gz", ".tsv", ".csv") if (p := folder / f"{name}{e}").is_file()), None)
        spots = next((p for e in (".tsv", ".csv") if (p := folder / f"{name}_selection{e}").is_file()), None)
        ends = ("-cluster-annotation.tsv.gz", "-cluster-annotation.tsv")
        labels = next((p for e in ends if (p := folder / f"{name}{e}").is_file()), None)
        if counts is None or spots is None:
            raise InputError(f"Section {name} lacks {'counts' if counts is None else 'places of its spots'}: add them.")
        found.append(Section(name, image, spots, counts, labels))
    if not found:
        raise InputError("The folder holds no image whose name ends in _HE: give the sections' images and tables.")
    return found


def read_section(section: Section) -> Spots:
    """Selected spots with counts; the others are messages. Raises :class:`InputError` where none is left."""
    table = read_table(section.spots, section.spots.name)
    keys = _keys(table, section.name)
    selected = column_of(table, "selected")
    places = {
        key: (float(x), float(y))
        for key, x, y, kept in zip(
            keys, _need(table, "pixel_x"), _need(table, "pixel_y"), selected or ["1"] * len(keys)
        )
        if kept not in ("0", "0.0") and x is not None and y is not None
    }
    counts = counts_of(read_table(section.counts, section.counts.name))
    said = []
    kept = [k for k, spot in enumerate(counts.spots) if spot in places]
    if len(kept) < len(counts.spots):
        text = f"{section.name}: {plural(len(counts.spots) - len(kept), 'spot')} with counts have no place: left out."
        said.append(Message("warn", "no-place", text))
    if bare := len(places) - len(kept):
        text = f"{section.name}: {plural(bare, 'spot')} with a place have no counts: left out."
        said.append(Message("warn", "no-counts", text))
    if not kept:
        raise InputError(f"Section {section.name}: no spot has counts and a place; spots must be called like 10x14.")
    labels, patient = _annotation(section)
    spots = tuple(counts.spots[k] for k in kept)
    return Spots(
        section.name,
        patient,
        np.array([places[spot] for spot in spots]),
        tuple(labels.get(spot, "") for spot in spots),
        Counts(spots, counts.genes, counts.values[kept]),
        said,
    )


def _annotation(section: Section) -> tuple[dict[str, str], str]:
    """Labels by spot, and the patient: the section's own name where it is not told."""
    if section.labels is None:
        return {}, section.name
    table = read_table(section.labels, section.labels.name)
    labels = dict(zip(_keys(table, section.name), _need(table, "label")))
    patients = {p for p in column_of(table, "patient_id") or [] if p}
    return {k: v for k, v in labels.items() if v}, patients.pop() if len(patients) == 1 else section.name


def _keys(table: Table, section: str) -> list[str]:
    """Names of the spots: whole numbers of column and row, as ``10x14``."""
    try:
        cells = zip(_need(table, "x"), _need(table, "y"))
        pairs = [(round(float(x or "nan")), round(float(y or "nan"))) for x, y in cells]
    except ValueError as error:
        raise InputError(f"Section {section}: columns x and y must hold numbers in every row.") from error
    return [f"{x}x{y}" for x, y in pairs]


def column_of(table: Table, name: str) -> list[str | None] | None:
    """Cells of a column as text; None where there is none of this name."""
    at = table.find(name)
    return None if at is None else table.text_column(at).values()


def _need(table: Table, name: str) -> list[str | None]:
    found = column_of(table, name)
    if found is None:
        raise InputError(f"{table.name} has no column {name!r}; it has {some(table.columns, 10)}.")
    return found
