"""GenoMap Studio's library: tables as pictures, networks on them, their comparison and explanation.

Names are loaded when they are first used, so that ``import genomap_core`` costs nothing and needs no torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Dataset": "genomap_core.data.dataset",
    "read_table": "genomap_core.io.tables",
    "GenomapTransformer": "genomap_core.layout",
    "MapClassifier": "genomap_core.training",
    "make_classifier": "genomap_core.workflows.models",
    "explain": "genomap_core.explain",
    "save_bundle": "genomap_core.training",
    "load_bundle": "genomap_core.training",
}

__all__ = [
    "Dataset",
    "GenomapTransformer",
    "MapClassifier",
    "explain",
    "load_bundle",
    "make_classifier",
    "read_table",
    "save_bundle",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'genomap_core' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
