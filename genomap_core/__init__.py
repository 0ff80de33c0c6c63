"""GenoMap Studio's library: tables as pictures, networks on them, their comparison and explanation.

Names are loaded when they are first used, so that ``import genomap_core`` costs nothing and needs no torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "CompareConfig": "workflows.compare",
    "Dataset": "data.dataset",
    "ExpressionCompareConfig": "workflows.expression",
    "ExpressionConfig": "data.expression_networks",
    "ExpressionRegressor": "training.expression",
    "FusionClassifier": "training.fusion",
    "FusionCompareConfig": "workflows.fusion",
    "FusionConfig": "training.fusion",
    "GenomapConfig": "workflows.genomap",
    "GenomapTransformer": "layout",
    "ImagingCohort": "data.imaging",
    "MapClassifier": "training",
    "annotate": "workflows.annotated",
    "compare": "workflows.compare",
    "compare_expression": "workflows.expression",
    "compare_fusion": "workflows.fusion",
    "explain": "explain",
    "expression_cohort": "data.expression",
    "fit_genomap": "workflows.genomap",
    "from_anndata": "workflows.annotated",
    "fusion_type_values": "explain.fusion:type_values",
    "load_bundle": "training",
    "load_expression_sample": "workflows.expression_samples",
    "load_fusion_sample": "workflows.fusion_samples",
    "load_growth": "training.growth_bundle",
    "load_sample": "workflows.samples",
    "make_classifier": "workflows.models",
    "prepare_slices": "data.hygiene:prepare",
    "read_imaging_cohort": "io.imaging",
    "read_spatial": "io.spatial",
    "read_table": "io.tables",
    "sample_slices": "workflows.growth_samples:read_samples",
    "save_bundle": "training",
    "to_anndata": "workflows.annotated",
    "to_dataset": "data.schema",
    "validate": "data.schema",
}
"""Stable name -> its module, and behind a colon what it is called there."""

__all__ = [
    "CompareConfig",
    "Dataset",
    "ExpressionCompareConfig",
    "ExpressionConfig",
    "ExpressionRegressor",
    "FusionClassifier",
    "FusionCompareConfig",
    "FusionConfig",
    "GenomapConfig",
    "GenomapTransformer",
    "ImagingCohort",
    "MapClassifier",
    "annotate",
    "compare",
    "compare_expression",
    "compare_fusion",
    "explain",
    "expression_cohort",
    "fit_genomap",
    "from_anndata",
    "fusion_type_values",
    "load_bundle",
    "load_expression_sample",
    "load_fusion_sample",
    "load_growth",
    "load_sample",
    "make_classifier",
    "prepare_slices",
    "read_imaging_cohort",
    "read_spatial",
    "read_table",
    "sample_slices",
    "save_bundle",
    "to_anndata",
    "to_dataset",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'genomap_core' has no attribute {name!r}")
    module, _, other = _HOME[name].partition(":")
    return getattr(import_module(f"genomap_core.{module}"), other or name)


def __dir__() -> list[str]:
    return sorted(__all__)
