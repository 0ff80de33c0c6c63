"""What the user wishes of a map, from uploads and choices: its shape as a mask, and gene sets."""

from __future__ import annotations

from functools import partial

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.layout import disc, fitting_mask, mask_from_image, picture_aspect, read_gmt
from genomap_core.layout.geometry import auto_shape
from genomap_core.workflows.tabular.genomap import GenomapConfig

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
    return _rows(fitting_mask(partial(mask_from_image, picture), n_features, picture_aspect(picture)))


def _rows(mask: np.ndarray) -> tuple[str, ...]:
    return tuple("".join(".#"[int(cell)] for cell in row) for row in mask)


def gene_sets(data: bytes, dataset: Dataset) -> tuple[int, dict[str, tuple[int, ...]]]:
    """How many sets a GMT file has, and name -> columns of those with at least three genes in the table."""
    found = read_gmt(data, dataset.feature_names)
    usable = [name for name, genes in found.sets.items() if len(genes) >= SMALLEST_SET]
    usable = sorted(usable, key=lambda name: -len(found.sets[name]))[:MOST_SETS]
    return len(found.missing), {name: found.sets[name] for name in usable}
