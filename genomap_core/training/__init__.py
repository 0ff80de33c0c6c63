"""Networks and baselines behind scikit-learn's face, and their bundles. Names are imported on first use: the
bundle's header can be read without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genomap_core.doors import door

if TYPE_CHECKING:
    from genomap_core.training.baselines import forest_pipeline, logistic_pipeline
    from genomap_core.training.bundle import Bundle, load_bundle, save_bundle
    from genomap_core.training.bundle_header import BundleHeader, read_header
    from genomap_core.training.classifier import MapClassifier
    from genomap_core.training.logistic import TunedLogistic
    from genomap_core.training.pipelines import genomap_pipeline, genonet_pipeline

_HOMES = {
    "Bundle": "bundle",
    "load_bundle": "bundle",
    "save_bundle": "bundle",
    "BundleHeader": "bundle_header",
    "read_header": "bundle_header",
    "MapClassifier": "classifier",
    "TunedLogistic": "logistic",
    "forest_pipeline": "baselines",
    "genomap_pipeline": "pipelines",
    "genonet_pipeline": "pipelines",
    "logistic_pipeline": "baselines",
}

__all__ = [
    "Bundle",
    "BundleHeader",
    "MapClassifier",
    "TunedLogistic",
    "forest_pipeline",
    "genomap_pipeline",
    "genonet_pipeline",
    "load_bundle",
    "logistic_pipeline",
    "read_header",
    "save_bundle",
]


__getattr__, __dir__ = door(__name__, _HOMES)
