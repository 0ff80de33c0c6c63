"""Looking into a layout: how features travel to their places, its named regions, and how steady it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.files import SAMPLE_DATA
from genomap_core.io.images.preview import read_pixels
from genomap_core.layout import (
    Arrangement,
    Constraints,
    Layout,
    bootstrap_stability,
    disc,
    fitting_mask,
    map_regions,
    mask_from_image,
    read_gmt,
)
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.geometry import auto_shape
from genomap_core.layout.lowrank import feature_vectors
from genomap_core.progress import OnProgress, Progress
from genomap_core.workflows.tabular.genomap import GenomapConfig, GenomapResult, fit_genomap, place

if TYPE_CHECKING:
    from genomap_core.workflows.expression.enrichment import EnrichedSet

SHIPPED_SETS = SAMPLE_DATA / "gene_sets.gmt"
MOST_FALSE = 0.05
SMALLEST_SET = 3
MOST_SETS = 1000
"""Gene sets offered, those with most genes in the table first."""


def features_per_type(dataset: Dataset, config: GenomapConfig) -> int:
    """Features that need a cell of their own."""
    count = min(config.max_features, dataset.n_features)
    if dataset.omics is None or config.joint:
        return count
    return min(count, int(np.bincount(dataset.omics).max()))


def grid_of(dataset: Dataset, config: GenomapConfig) -> tuple[int, int]:
    """``(height, width)`` that the layout will have."""
    if config.mask:
        return len(config.mask), len(config.mask[0])
    return config.grid or auto_shape(features_per_type(dataset, config))


def disc_rows(n_features: int) -> tuple[str, ...]:
    """A disc with room for ``n_features``, as :attr:`GenomapConfig.mask` wants it."""
    return _rows(fitting_mask(disc, n_features))


def outline_rows(picture: bytes, n_features: int) -> tuple[str, ...]:
    """A picture's outline with room for ``n_features``, as :attr:`GenomapConfig.mask` wants it."""
    pixels = read_pixels(picture, "outline").slices[0]
    height, width = pixels.shape[:2]
    return _rows(fitting_mask(partial(mask_from_image, pixels), n_features, width / height))


def _rows(mask: np.ndarray) -> tuple[str, ...]:
    return tuple("".join(".#"[int(cell)] for cell in row) for row in mask)


def gene_sets(data: bytes, dataset: Dataset) -> tuple[int, dict[str, tuple[int, ...]]]:
    """How many sets a GMT file has, and name -> columns of those with at least three genes in the table."""
    found = read_gmt(data, dataset.feature_names)
    usable = [name for name, genes in found.sets.items() if len(genes) >= SMALLEST_SET]
    usable = sorted(usable, key=lambda name: -len(found.sets[name]))[:MOST_SETS]
    return len(found.missing), {name: found.sets[name] for name in usable}


@dataclass(frozen=True, eq=False)
class Journey:
    """How features came to their places."""

    frames: np.ndarray
    """``(k, q, 2)`` int16: row and column of each feature; first in the table's order, last where they stay."""
    colours: np.ndarray
    """``(q, 3)`` uint8, alike for features that vary together."""


def journey(result: GenomapResult, config: GenomapConfig, on_progress: OnProgress) -> Journey:
    """Lay the result's features out again and keep every arrangement on the way."""
    layout, frames = result.layout, [table_order(result.layout)]

    def keep(report: Progress) -> None:
        positions = positions_of(report)
        if positions is not None:
            frames.append(positions.astype(np.int16))
        on_progress(report)

    channels = layout.channel.astype(np.int64) if layout.n_channels > 1 else None
    final = place(result.z, config, config.solver, channels, config.constraints(result.kept), keep)
    frames.append(final.positions.astype(np.int16))
    return Journey(np.stack(frames), feature_colours(result.z))


def positions_of(report: Progress) -> np.ndarray | None:
    """The arrangement that a report of progress carries: ``(q, 2)``; None if it carries none."""
    return report.positions if isinstance(report, Arrangement) else None


def table_order(layout: Layout) -> np.ndarray:
    """Features row by row as in the table, on the cells that the layout uses: ``(q, 2)`` int16."""
    positions = layout.positions.astype(np.int16)
    for code in range(layout.n_channels):
        own = np.flatnonzero((layout.channel == code) & (layout.positions[:, 0] >= 0))
        cells = layout.positions[own]
        positions[own] = cells[np.lexsort((cells[:, 1], cells[:, 0]))]
    return positions


def feature_colours(z: np.ndarray) -> np.ndarray:
    """Colours from the ranks of the features' first three principal components: ``(n, q)`` -> ``(q, 3)`` uint8."""
    vectors = feature_vectors(FeatureTable(z), most=3, least=3).values
    vectors = np.pad(vectors, ((0, 0), (0, 3 - vectors.shape[1])))
    ranks = np.argsort(np.argsort(vectors, axis=0), axis=0) / max(len(vectors) - 1, 1)
    return (40 + 205 * ranks).astype(np.uint8)


def arrangement_picture(
    positions: np.ndarray, colours: np.ndarray, shape: tuple[int, int], side: int = 480
) -> np.ndarray:
    """An arrangement as pixels: ``(q, 2)``, ``(q, 3)`` -> about ``(side, side, 4)`` uint8; cells of none are clear."""
    picture = np.zeros((*shape, 4), np.uint8)
    placed = positions[:, 0] >= 0
    cells = tuple(positions[placed].T.astype(int))
    picture[(*cells, slice(3))], picture[(*cells, 3)] = colours[placed], 255
    cell = max(1, side // max(shape))
    return picture.repeat(cell, axis=0).repeat(cell, axis=1)


@dataclass(frozen=True, eq=False)
class NamedRegions:
    """Patches of the map and what to call them."""

    labels: np.ndarray
    """``(q,)`` int: the region of each feature, -1 for none"""
    names: tuple[str, ...]
    """Of region 0, 1, ...; no two alike"""
    why: tuple[str, ...]
    """What each name rests on, in words"""

    def only(self, region: int) -> tuple[np.ndarray, tuple[str, ...]]:
        """The labels and the name of this one alone, to be outlined."""
        return np.where(self.labels == region, 0, -1), (self.names[region],)


def named_regions(result: GenomapResult, config: GenomapConfig, n_regions: int = 16) -> NamedRegions:
    """Regions of the map and what to call them.

    The gene sets where the layout has some; else contiguous groups of correlated features. Such a group is named
    after the shipped gene set that it holds more of than chance would put there (hypergeometric, false discovery rate
    over all groups and sets at most 5 %), else after the two features that correlate most with its mean.
    """
    sets = config.constraints(result.kept).sets
    if sets:
        labels = np.full(len(result.kept), -1)
        for k, columns in reversed(list(enumerate(sets.values()))):
            labels[np.asarray(columns, np.int64)] = k
        return NamedRegions(labels, tuple(sets), tuple("a gene set of the layout" for _ in sets))
    labels = map_regions(result.layout, result.z, max(1, min(n_regions, len(result.kept) // 4)))
    tops = [_most_typical(result, labels == k) for k in range(labels.max() + 1)]
    names, why = [", ".join(top) for top in tops], ["no gene set stands out; its two most typical features"] * len(tops)
    taken: set[str] = set()
    for k, found in _processes(result.feature_names, labels):
        name = found.name if found.name not in taken else f"{found.name}: {tops[k][0]}"
        taken.add(found.name)
        genes = ", ".join(found.genes[:8]) + (" ..." if found.overlap > 8 else "")
        names[k] = name
        why[k] = (
            f"holds {found.overlap} of the table's {found.size} features of this set, {found.expected:.1f} expected by "
            f"chance (false discovery rate {found.fdr:.1g}): {genes}"
        )
    return NamedRegions(labels, tuple(names), tuple(why))


def _most_typical(result: GenomapResult, members: np.ndarray, most: int = 2) -> list[str]:
    """Names of the features that correlate most with the mean of the ``members (q,)`` bool."""
    columns = np.flatnonzero(members)
    mean = result.z[:, columns].mean(axis=1)
    order = np.argsort(-(result.z[:, columns].T @ (mean - mean.mean())), kind="stable")[:most]
    return [result.feature_names[int(columns[j])] for j in order]


def _processes(names: tuple[str, ...], labels: np.ndarray) -> list[tuple[int, EnrichedSet]]:
    """(region, the set it is named after), strongest first; regions without one are left out."""
    from genomap_core.workflows.expression.enrichment import enrichment
    from genomap_core.workflows.expression.statistics import false_discovery_rate

    known = read_gmt(SHIPPED_SETS, names)
    known = replace(known, sets={name: genes for name, genes in known.sets.items() if len(genes) >= SMALLEST_SET})
    rows = [(k, found) for k in range(labels.max() + 1) for found in enrichment(known, names, labels == k)]
    if not rows:
        return []
    fdr = false_discovery_rate(np.array([found.p for _, found in rows]))
    rows = [(k, replace(found, fdr=float(q))) for (k, found), q in zip(rows, fdr, strict=True)]
    best: dict[int, EnrichedSet] = {}
    for k, found in sorted(rows, key=lambda row: row[1].p):
        if found.fdr <= MOST_FALSE and found.overlap >= SMALLEST_SET:
            best.setdefault(k, found)
    return list(best.items())


def stability_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: bootstrap samples of ``folder/dataset.npz`` laid out again; writes ``moved.npz``.

    ``spec``: config, resamples, and stability: above 0 each starts from the map and is held to it.
    """
    config = GenomapConfig.from_spec(spec["config"])
    result = fit_genomap(Dataset.load(folder / "dataset.npz"), config)
    layout = result.layout
    channels = layout.channel.astype(np.int64) if layout.n_channels > 1 else None
    hold = float(spec.get("stability", 0.0))
    wishes = config.constraints(result.kept)
    if hold > 0:
        wishes = Constraints(wishes.mask, wishes.pins, wishes.sets, layout, hold)
    found = []

    def lay_out(z: np.ndarray) -> Layout:
        found.append(place(z, config, config.solver, channels, wishes))
        return found[-1]

    steady = bootstrap_stability(result.z, layout, lay_out, spec["resamples"], spec.get("seed", 0), on_progress)
    np.savez(folder / "moved.npz", cells_moved=steady.displacement)
    quality = {key: float(np.mean([asdict(at.quality)[key] for at in found])) for key in asdict(layout.quality)}
    return {
        "relative": steady.relative,
        "median_cells_moved": float(np.nanmedian(steady.displacement)),
        "resamples": len(found),
        "stability": hold,
        "quality": quality,
    }
