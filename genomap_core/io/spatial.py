"""Spatial transcriptomics as a cohort: every spot is a patch of the tissue's image with the expression measured there.

Two forms are read: a folder with, for each section ``S``, an image ``S_HE.jpg``, counts ``S.tsv.gz`` (spots x genes),
places ``S_selection.tsv`` (columns x, y, pixel_x, pixel_y) and, where known, ``S-cluster-annotation.tsv.gz`` (columns
x, y, label, patient_id); or an AnnData file (.h5ad) of a Visium section with its image.

Spots of one section resemble each other: groups are sections, patients, or blocks of tissue, never single spots.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.imaging import ImagingCohort
from genomap_core.data.intensity import scale_bytes
from genomap_core.data.message import Message, plural
from genomap_core.data.schema import validate
from genomap_core.errors import InputError
from genomap_core.io.patches import SLIDE, Patches
from genomap_core.io.sandbox import run_in_child
from genomap_core.io.sections import Section, Spots, column_of, find_sections, read_section
from genomap_core.io.spot_counts import Counts, counts_of, expression, most_variable, stacked
from genomap_core.io.tables import read_table
from genomap_core.progress import OnProgress, Progress, ignore

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
) -> tuple[ImagingCohort, tuple[Message, ...]]:
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
    else:
        sections = find_sections(source) if isinstance(source, Path) else list(source)
        parts = [read_section(section) for section in sections]
        patches = _cut(sections, parts, options, on_progress)
    said = [m for part in parts for m in part.messages]
    if patches.edge:
        text = f"{patches.edge:,} patch{'es' * (patches.edge > 1)} beyond the image's edge: filled with white."
        said.append(Message("warn", "edge", text))
    return _cohort(parts, patches, options, name, said)


def _cut(
    sections: Sequence[Section], parts: Sequence[Spots], options: SpatialOptions, on_progress: OnProgress
) -> Patches:
    """All patches, in one child process."""

    def watch(folder: Path) -> None:
        told = folder / "progress"
        counted = told.read_text().split() if told.is_file() else []
        if len(counted) == 2:
            on_progress(Progress("cutting patches", int(counted[0]), int(counted[1])))

    asked = {
        "images": [
            {"path": str(section.image.resolve()), "centres": part.places.tolist()}
            for section, part in zip(sections, parts)
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
) -> tuple[ImagingCohort, tuple[Message, ...]]:
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
    cohort = ImagingCohort(images, table, channels, notes=notes, places=places[rows], sections=section[rows])
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
