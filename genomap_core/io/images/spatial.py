"""Spatial transcriptomics as a cohort: every spot is a patch of the tissue's image with the expression measured there.

Three forms are read: outputs of Space Ranger (see :mod:`genomap_core.io.images.outs`); a folder with, for each section
``S``, an image ``S_HE.jpg``, counts ``S.tsv.gz`` (spots x genes), places ``S_selection.tsv`` (columns x, y, pixel_x,
pixel_y) and, where known, ``S-cluster-annotation.tsv.gz`` (columns x, y, label, patient_id); or an AnnData file (.h5ad)
of a Visium section with its image.

Spots of one section resemble each other: groups are sections, patients, or blocks of tissue, never single spots.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.sparse as sp

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.intensity import scale_bytes
from genomap_core.data.images.patients import PatientImages
from genomap_core.data.message import Message, plural, some
from genomap_core.data.schema.validate import validate
from genomap_core.data.table import Table
from genomap_core.errors import InputError
from genomap_core.io.images.cohort import COHORT, Source, as_source
from genomap_core.io.images.members import open_members
from genomap_core.io.images.patches import LEAST, SLIDE, Patches
from genomap_core.io.kinds import find_kind
from genomap_core.io.sandbox.call import run_in_child
from genomap_core.io.tables.read import head_of, read_table
from genomap_core.progress import OnProgress, Progress, ignore

if TYPE_CHECKING:
    from genomap_core.io.images.outs import Tissue

TARGET = 10_000.0


@dataclass(frozen=True, eq=False)
class Counts:
    """``values (n, p)`` CSR float32 of ``n`` spots and ``p`` distinct genes."""

    spots: tuple[str, ...]
    genes: tuple[str, ...]
    values: sp.csr_matrix


def counts_of(table: Table) -> Counts:
    """A table with spots in rows, their names in the first column; missing cells count 0, equal genes are added.

    Raises :class:`InputError` where there are no names or values below 0.
    """
    if 0 not in table.texts:
        raise InputError(f"{table.name}: the first column must hold the spots' names.")
    described = {0} | set(table.annotations)
    matrix = sp.csc_matrix(table.numbers)
    matrix.data = np.nan_to_num(matrix.data)
    at = [int(j) for j in table.number_at]
    words = [j for j in table.texts if j not in described]
    if words:
        extra = np.stack([_numbers(table.text_column(j).values()) for j in words], axis=1)
        matrix, at = sp.hstack([matrix, sp.csc_matrix(extra)], format="csc"), at + words
    if matrix.nnz and matrix.data.min() < 0:
        raise InputError(f"{table.name}: counts can't be below 0: give counts, not scaled values.")
    genes, where = np.unique([table.title(j) for j in at], return_inverse=True)
    join = sp.csr_matrix((np.ones(len(at), np.float32), (np.arange(len(at)), where)), (len(at), len(genes)))
    spots = tuple(word or "" for word in table.texts[0].values())
    return Counts(spots, tuple(genes.tolist()), sp.csr_matrix(matrix @ join, dtype=np.float32))


def _numbers(values: Sequence[str | None]) -> np.ndarray:
    """Columns of few distinct words, such as 0 and 1, are read as text; other words count 0."""
    out = np.zeros(len(values), np.float32)
    for k, value in enumerate(values):
        try:
            out[k] = float(value or 0)
        except ValueError:
            continue
    return np.nan_to_num(out)


def stacked(parts: Sequence[Counts]) -> Counts:
    """All spots below each other; a gene that a part lacks was never seen in it: 0."""
    genes = tuple(sorted({gene for part in parts for gene in part.genes}))
    where = {gene: k for k, gene in enumerate(genes)}
    blocks = []
    for part in parts:
        values = part.values.tocoo()
        columns = np.array([where[gene] for gene in part.genes])[values.col]
        blocks.append(sp.csr_matrix((values.data, (values.row, columns)), (len(part.spots), len(genes))))
    return Counts(tuple(s for part in parts for s in part.spots), genes, sp.vstack(blocks, format="csr"))


def expression(counts: sp.csr_matrix) -> sp.csr_matrix:
    """log(1 + counts per 10,000 of the spot's own): ``(n, p)``; a spot without counts stays 0."""
    totals = np.asarray(counts.sum(axis=1)).ravel()
    factor = TARGET / np.where(totals > 0, totals, 1)
    scaled = sp.csr_matrix(sp.diags_array(factor) @ counts, dtype=np.float32)
    scaled.data = np.log1p(scaled.data)
    return scaled


def most_variable(values: sp.csr_matrix, count: int) -> np.ndarray:
    """Numbers of the ``count`` columns with the largest variance, in their order."""
    mean = np.asarray(values.mean(axis=0)).ravel()
    square = np.asarray(values.multiply(values).mean(axis=0)).ravel()
    return np.sort(np.argsort(-(square - mean**2), kind="stable")[:count])


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


__all__ = ["Section", "SpatialOptions", "find_sections", "read_spatial"]

_BLOCKS = 3
"""Blocks of tissue along each side, where there is one section alone."""


@dataclass(frozen=True, slots=True)
class SpatialOptions:
    """``patch``: side of a patch in pixels of the source image; ``side``: of the cohort's images; ``n_genes``: those
    that vary most over all spots, whatever their labels; ``groups``: what never parts in a split; ``stains``: bring
    haematoxylin and eosin of each slide to standard colours."""

    patch: int = 224
    side: int = 64
    n_genes: int = 256
    groups: Literal["patient", "section"] = "patient"
    stains: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (("patch", 8, 4096), ("side", 16, 512), ("n_genes", 1, 100_000)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"`{name}` must be {low} to {high}, got {getattr(self, name)}.")
        if self.groups not in ("patient", "section"):
            raise ValueError(f"`groups` must be patient or section, got {self.groups!r}.")


def read_spatial(
    source: Path | Sequence[Section],
    options: SpatialOptions = SpatialOptions(),
    on_progress: OnProgress = ignore,
    name: str = "Spatial transcriptomics",
) -> tuple[PatientImages, tuple[Message, ...]]:
    """A folder, sections, or a Visium .h5ad file -> one cohort of spots.

    Raises
    ------
    InputError
        Files that are missing, damaged, or do not fit each other.
    RefusedError
        An image over the limit for slides, or a file that breaks a rule of safety.
    """
    if isinstance(source, Path) and source.is_file():
        parts, patches = _visium(source, options)
    elif isinstance(source, Path) and (found := _outs(source)):
        parts = [tissue.spots for tissue in found]
        patches = _cut([(t.image, t.spots.places, t.scale) for t in found], options, on_progress)
    else:
        sections = find_sections(source) if isinstance(source, Path) else list(source)
        parts = [read_section(section) for section in sections]
        images = [(section.image, part.places, 1.0) for section, part in zip(sections, parts)]
        patches = _cut(images, options, on_progress)
    said = [m for part in parts for m in part.messages]
    if patches.edge:
        text = f"{patches.edge:,} patch{'es' * (patches.edge > 1)} beyond the image's edge: filled with white."
        said.append(Message("warn", "edge", text))
    return _cohort(parts, patches, options, name, said)


def _outs(folder: Path) -> list[Tissue]:
    from genomap_core.io.images.outs import read_outs  # it makes spots, which are defined here

    return read_outs(folder)


def _cut(images: Sequence[tuple[Path, np.ndarray, float]], options: SpatialOptions, on_progress: OnProgress) -> Patches:
    """All patches, in one child process; of pictures, centres in full resolution, and the picture's share of that."""
    for image, _, scale in images:
        if options.patch * scale < LEAST:
            text = f"A patch of {options.patch} pixels is {options.patch * scale:.1f} pixels of {image.name}"
            raise InputError(f"{text}: choose at least {int(np.ceil(LEAST / scale))} pixels.")

    def watch(folder: Path) -> None:
        told = folder / "progress"
        counted = told.read_text().split() if told.is_file() else []
        if len(counted) == 2:
            on_progress(Progress("cutting patches", int(counted[0]), int(counted[1])))

    asked = {
        "images": [
            {"path": str(image.resolve()), "centres": (places * scale).tolist(), "patch": options.patch * scale}
            for image, places, scale in images
        ],
        "patch": options.patch,
        "side": options.side,
        "stains": options.stains,
    }
    with tempfile.TemporaryDirectory(prefix="genomap-") as folder:
        path = Path(folder) / "asked.json"
        path.write_text(json.dumps(asked))
        with run_in_child("patches", path, {"progress": "progress"}, SLIDE, watch) as answer:
            return Patches.load(answer)


def _visium(path: Path, options: SpatialOptions) -> tuple[list[Spots], Patches]:
    table = read_table(path, path.name)
    if "counts" in table.source.layers:
        table = read_table(path, path.name, layer="counts")
    counts = counts_of(table)
    asked = json.dumps({"patch": options.patch, "side": options.side, "stains": options.stains})
    with run_in_child("visium", path, {"asked": asked}, SLIDE) as answer:
        patches = Patches.load(answer)
    if patches.places is None or len(patches.values) != len(counts.spots):
        raise InputError('obsm["spatial"] and X differ in their number of rows: the file is damaged.')
    target = validate(table).roles.target
    words = column_of(table, target) if target else None
    tissue = column_of(table, "in_tissue")
    kept = [k for k in range(len(counts.spots)) if tissue is None or tissue[k] not in ("0", "0.0", "False")]
    said = []
    if len(kept) < len(counts.spots):
        text = f"{plural(len(counts.spots) - len(kept), 'spot')} beside the tissue left out."
        said.append(Message("ok", "no-tissue", text))
    if target:
        said.append(Message("ok", "label", f"The column {target} of obs is the label.", target))
    part = Spots(
        "section",
        "patient",
        patches.places[kept],
        tuple((words[k] or "") if words else "" for k in kept),
        Counts(tuple(counts.spots[k] for k in kept), counts.genes, counts.values[kept]),
        said,
    )
    return [part], Patches(patches.values[kept], patches.edge)


def _cohort(
    parts: Sequence[Spots], patches: Patches, options: SpatialOptions, name: str, said: list[Message]
) -> tuple[PatientImages, tuple[Message, ...]]:
    counts = stacked([part.counts for part in parts])
    labels = np.array([word for part in parts for word in part.labels], object)
    rows = _usable(counts, labels, said)
    values = expression(counts.values[rows])
    genes = most_variable(values, options.n_genes)
    groups = _groups(parts, options, said)[rows]
    classes, y = np.unique(labels[rows].astype(str), return_inverse=True)
    section = np.array([part.section for part in parts for _ in part.labels])
    places = np.concatenate([part.places for part in parts]).astype(np.float32)
    table = Dataset(
        name=name,
        X=values[:, genes].toarray(),
        feature_names=tuple(counts.genes[g] for g in genes),
        sample_ids=tuple(f"{section[k]} {counts.spots[k]}" if len(parts) > 1 else counts.spots[k] for k in rows),
        y=y.astype(np.int64) if labels.any() else None,
        classes=tuple(map(str, classes)) if labels.any() else (),
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64),
        omics_names=("expression",),
        unit="log(1 + counts per 10,000)",
    )
    text = (
        f"{plural(len(rows), 'spot')} of {plural(len(parts), 'section')} in "
        f"{plural(len(set(groups.tolist())), 'group')}; {table.n_features:,} of {len(counts.genes):,} genes, "
        "those that vary most over all spots (labels play no part)."
    )
    said.insert(0, Message("ok", "content", text))
    images = scale_bytes(np.moveaxis(patches.values[rows], 3, 1))
    notes = tuple(str(m) for m in said if m.severity == "warn")
    channels = ("red", "green", "blue")
    cohort = PatientImages(images, table, channels, notes=notes, places=places[rows], sections=section[rows])
    return cohort, tuple(said)


def _usable(counts: Counts, labels: np.ndarray, said: list[Message]) -> np.ndarray:
    """Numbers of the spots with counts and, where any has one, with a label."""
    full = np.asarray(counts.values.sum(axis=1)).ravel() > 0
    named = np.array([bool(word) for word in labels]) | (not labels.any())
    for what, good in (("without any count", full), ("without a label", named)):
        if not good.all():
            text = f"{plural(int((~good).sum()), 'spot')} {what} left out."
            said.append(Message("warn", "spots", text))
    rows = np.flatnonzero(full & named)
    if len(rows) < 2:
        raise InputError("Fewer than 2 spots have an image, counts and a label: nothing can be learned from them.")
    return rows


def _groups(parts: Sequence[Spots], options: SpatialOptions, said: list[Message]) -> np.ndarray:
    """``(n,)`` codes of what never parts in a split; blocks of tissue where all spots are of one."""
    names = [part.patient if options.groups == "patient" else part.section for part in parts for _ in part.labels]
    codes = np.unique(names, return_inverse=True)[1].astype(np.int64)
    if codes.max() > 0:
        return codes
    places = np.concatenate([part.places for part in parts])
    x, y = (np.searchsorted(np.quantile(places[:, a], np.arange(1, _BLOCKS) / _BLOCKS), places[:, a]) for a in (0, 1))
    text = "All spots are of one patient or section: blocks of tissue are the groups, neighbours at their borders part."
    said.append(Message("warn", "blocks", text, remedy="Judge a model on other patients before you trust it."))
    return x * _BLOCKS + y


def is_spatial(names: Sequence[str]) -> bool:
    """Whether files of these names are sections of a tissue and not images of patients."""
    plain = [PurePosixPath(name).name for name in names]
    if "scalefactors_json.json" in plain:
        return True
    return any(PurePosixPath(name).stem.endswith("_HE") for name in plain) and any("_selection." in n for n in plain)


def read_spatial_upload(
    source: Source,
    options: SpatialOptions = SpatialOptions(),
    on_progress: OnProgress = ignore,
    name: str = "Spatial transcriptomics",
) -> tuple[PatientImages, tuple[Message, ...]]:
    """:func:`read_spatial` of a ZIP archive (its bytes or path), of named files, or of the bytes of a .h5ad file.

    Raises :class:`InputError` and :class:`RefusedError` as reading an imaging cohort does.
    """
    from genomap_core.io.images.outs import roots, unpack, unpack_tar

    with tempfile.TemporaryDirectory(prefix="genomap-") as folder:
        place = Path(folder)
        if isinstance(source, bytes) and find_kind(source[:4096]) == "hdf5":
            path = place / "section.h5ad"
            path.write_bytes(source)
            return read_spatial(path, options, on_progress, name)
        if not isinstance(source, Sequence) or isinstance(source, bytes):
            head = source[:4096] if isinstance(source, bytes) else head_of(source) if source.is_file() else b""
            if find_kind(head) in ("tar", "gzip"):
                unpack_tar(source, place, COHORT)
                return read_spatial(place, options, on_progress, name)
        with as_source(source) as given, open_members(given, COHORT) as members:
            if roots(members.names):
                unpack(members, place)
                return read_spatial(place, options, on_progress, name)
            for member in members.names:
                target = place / PurePosixPath(member).name
                if target.exists():
                    raise InputError(f"Two files are called {target.name!r}: give each section files of its own name.")
                target.write_bytes(members.read(member))
        whole = sorted(place.glob("*.h5ad"))
        return read_spatial(whole[0] if len(whole) == 1 else place, options, on_progress, name)
