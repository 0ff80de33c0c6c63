"""Looking into a layout: how features travel to their places, its named regions, and how steady it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
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


def named_regions(result: GenomapResult, config: GenomapConfig, n_regions: int = 12) -> tuple[np.ndarray, list[str]]:
    """Regions of the map and what to call them: ``(q,)`` int labels (-1: none) and a name each.

    The gene sets where the layout has some; else contiguous groups of correlated features, each named after the
    feature that correlates most with the group's mean.
    """
    sets = config.constraints(result.kept).sets
    if sets:
        labels = np.full(len(result.kept), -1)
        for k, columns in reversed(list(enumerate(sets.values()))):
            labels[np.asarray(columns, np.int64)] = k
        return labels, list(sets)
    labels = map_regions(result.layout, result.z, max(1, min(n_regions, len(result.kept) // 4)))
    names = []
    for k in range(labels.max() + 1):
        members = np.flatnonzero(labels == k)
        mean = result.z[:, members].mean(axis=1)
        middle = int(members[np.argmax(result.z[:, members].T @ (mean - mean.mean()))])
        names.append(result.feature_names[middle])
    return labels, names


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
