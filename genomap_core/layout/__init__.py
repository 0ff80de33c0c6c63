"""From features to cells of a grid: distances, solvers, quality, and the `Layout` that knows both. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genomap_core.layout.align import align, displacement
from genomap_core.layout.build import make_layout
from genomap_core.layout.constraints import Constraints
from genomap_core.layout.genesets import GeneSets, read_gmt
from genomap_core.layout.layout import Layout
from genomap_core.layout.masks import disc, fitting_mask, mask_from_image
from genomap_core.layout.problem import Arrangement
from genomap_core.layout.quality import LayoutQuality, Reproducibility
from genomap_core.layout.reference import Match, ReferenceMap, layout_at
from genomap_core.layout.regions import map_regions, outline
from genomap_core.layout.solvers import SOLVERS
from genomap_core.layout.stability import Stability, bootstrap_stability, reproducibility

if TYPE_CHECKING:
    from genomap_core.layout.transformer import GenomapTransformer

__all__ = [
    "SOLVERS",
    "Arrangement",
    "Constraints",
    "GeneSets",
    "GenomapTransformer",
    "Layout",
    "LayoutQuality",
    "Match",
    "ReferenceMap",
    "Reproducibility",
    "Stability",
    "align",
    "bootstrap_stability",
    "disc",
    "displacement",
    "fitting_mask",
    "layout_at",
    "make_layout",
    "map_regions",
    "mask_from_image",
    "outline",
    "read_gmt",
    "reproducibility",
]


def __getattr__(name: str) -> Any:
    """The transformer is imported on first use: scikit-learn takes a second that a first map need not wait for."""
    if name == "GenomapTransformer":
        from genomap_core.layout.transformer import GenomapTransformer

        return GenomapTransformer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
