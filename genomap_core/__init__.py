"""GenoMap Studio's library: tables as pictures, networks on them, their comparison and explanation.

Names are loaded when they are first used, so that ``import genomap_core`` costs nothing and needs no torch.
"""

from genomap_core.doors import door

__version__ = "0.1.0"

_HOME = {
    "CompareConfig": "workflows.tabular.compare",
    "Dataset": "data.dataset",
    "ExpressionCompareConfig": "workflows.expression.compare",
    "ExpressionConfig": "data.images.networks",
    "ExpressionRegressor": "training.expression",
    "FusionClassifier": "training.fusion",
    "FusionCompareConfig": "workflows.fusion.compare",
    "FusionConfig": "training.fusion",
    "GenomapConfig": "workflows.tabular.genomap",
    "GenomapTransformer": "layout",
    "ImagingCohort": "data.images.patients:PatientImages",
    "MapClassifier": "training",
    "annotate": "workflows.cohorts.annotated",
    "compare": "workflows.tabular.compare",
    "compare_expression": "workflows.expression.compare",
    "compare_fusion": "workflows.fusion.compare",
    "explain": "explain",
    "expression_cohort": "data.images.expression",
    "fit_genomap": "workflows.tabular.genomap",
    "from_anndata": "workflows.cohorts.annotated",
    "fusion_type_values": "explain.fusion:type_values",
    "load_bundle": "training",
    "load_expression_sample": "workflows.expression.samples",
    "load_fusion_sample": "workflows.fusion.samples",
    "load_growth": "training.growth_bundle",
    "load_sample": "workflows.cohorts.samples",
    "make_classifier": "workflows.tabular.models",
    "prepare_slices": "data.images.hygiene:prepare",
    "read_imaging_cohort": "io.images.cohort",
    "read_spatial": "io.images.spatial",
    "read_table": "io.tables.read",
    "sample_slices": "workflows.growth.samples:read_samples",
    "save_bundle": "training",
    "to_anndata": "workflows.cohorts.annotated",
    "to_dataset": "data.schema.validate",
    "validate": "data.schema.validate",
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


__getattr__, __dir__ = door(__name__, _HOME)
