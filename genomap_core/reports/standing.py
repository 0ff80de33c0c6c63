"""What stands out in a patient as a report: sentences, figures, the difference map, clinical columns; no identifier."""

from __future__ import annotations

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.plotting.colour import robust_range
from genomap_core.plotting.static_map import StaticMap
from genomap_core.reports.document import Block, Document, Heading, Picture, Table, Text
from genomap_core.reports.parts import facts_table, origin, size_words
from genomap_core.workflows.tabular.genomap import GenomapConfig, GenomapResult, layout_words, map_unit
from genomap_core.workflows.tabular.stands_out import Finding, StandsOut

DIFFERENCE_ENDS = (-4.0, 4.0)
"""Of the scale of a difference map, in standard deviations of the reference."""


def standing_blocks(dataset: Dataset, row: int, found: StandsOut) -> tuple[Block, ...]:
    """The part of a report that says what is unusual; in every report of a patient the same."""
    others = f"Compared with {found.reference}, {found.n_reference:,} samples without this patient."
    return (
        Heading("What stands out"),
        Text(f"{others} {found.usual_words}", kind="about"),
        *(Text(f.sentence) for f in (*found.regions, *found.features)),
        Table(("what", "value", "z-score", "percentile"), tuple(_row(f) for f in (*found.regions, *found.features))),
        Text(
            "z-score: how far, in standard deviations of the reference; percentile: how rare, the share of the "
            f"reference that lies below. {_alike(dataset, found)}",
            kind="about",
        ),
        *_clinical(dataset, row),
    )


def standing_document(
    dataset: Dataset, genomap: GenomapResult, options: GenomapConfig, row: int, found: StandsOut, name: str
) -> Document:
    """A patient's report without any model; no name in it but ``name``."""
    return Document(
        f"{name}: genomap report",
        (
            Text(
                f"Cohort: {size_words(dataset)}",
                kind="about",
            ),
            *standing_blocks(dataset, row, found),
            Heading("The map"),
            Picture(_values(dataset, genomap, row), "The patient's values on the map."),
            Picture(_difference(genomap, found), f"The patient minus the mean of {found.reference}."),
            Heading("Where this comes from"),
            facts_table(_origin(dataset, options, found)),
        ),
    )


def _origin(dataset: Dataset, options: GenomapConfig, found: StandsOut) -> dict[str, str]:
    return origin(
        None,
        **{
            "Cohort (SHA-256)": dataset.digest,
            "Layout": f"{layout_words(options)}; all patients, labels unseen",
            "Reference": f"{found.reference}, {found.n_reference:,} samples",
        },
    )


def _row(finding: Finding) -> tuple[str, ...]:
    return finding.title, finding.value, finding.z_words, f"{finding.percentile:.0f}"


def _alike(dataset: Dataset, found: StandsOut) -> str:
    """Classes of the most similar patients; their ids stay out of a report."""
    if dataset.y is None or not found.nearest:
        return ""
    classes = [dataset.classes[dataset.y[row]] for row, _ in found.nearest]
    told = ", ".join(f"{classes.count(name)} {name}" for name in dict.fromkeys(classes))
    return f"The {len(classes)} patients most alike on the map: {told}."


def _clinical(dataset: Dataset, row: int) -> tuple[Block, ...]:
    told = tuple((name, texts[row] or "not given") for name, texts in dataset.clinical)
    return (Heading("Beside the map", level=3), Table(("column", "value"), told)) if told else ()


def _values(dataset: Dataset, genomap: GenomapResult, row: int) -> StaticMap:
    values = np.where(genomap.missing[row], np.float32(np.nan), genomap.z[row])
    return StaticMap(
        maps=genomap.layout.to_maps(values[None], fill=np.nan),
        occupied=genomap.layout.feature_of_cell >= 0,
        labels=("values",),
        channel_names=_types(genomap),
        value_range=robust_range(genomap.z, symmetric=True),
        unit=map_unit(dataset),
    )


def _difference(genomap: GenomapResult, found: StandsOut) -> StaticMap:
    return StaticMap(
        maps=genomap.layout.to_maps(found.difference[None], fill=np.nan),
        occupied=genomap.layout.feature_of_cell >= 0,
        labels=("difference",),
        channel_names=_types(genomap),
        value_range=DIFFERENCE_ENDS,
        unit=f"standard deviations of {found.reference}",
    )


def _types(genomap: GenomapResult) -> tuple[str, ...]:
    return tuple(f"type {k + 1}" for k in range(genomap.layout.n_channels)) if genomap.layout.n_channels > 1 else ("",)
