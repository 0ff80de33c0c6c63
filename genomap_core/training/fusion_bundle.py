"""A trained fusion model in one file: weights and layout as safetensors, everything else as JSON. No pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.errors import BundleError
from genomap_core.layout import Layout
from genomap_core.models.fusion import build_fusion
from genomap_core.training.bundle_fields import arrays_under, opened, weights_of, with_weights, write_fields
from genomap_core.training.fusion import FusionClassifier, FusionConfig
from genomap_core.training.fusion_inputs import FusionScaling, make_canvas

FORMAT, VERSION = "genomap-fusion", 1
_WRONG = "The file is no fusion model of this program: choose a .safetensors file that the Fusion page saved."
_SCALING = ("image_mean", "image_sd", "kept", "mean", "scale")
_NAMES = ("feature_names", "classes", "channels", "omics_names")


@dataclass(frozen=True, eq=False)
class FusionBundle:
    """A loaded model. ``model.inputs`` refuses other features, with the difference of their names."""

    model: FusionClassifier
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]


def save_fusion(
    path: Path,
    model: FusionClassifier,
    *,
    metrics: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a fitted classifier. ``half``: 16-bit weights, half as large."""
    layout_arrays, layout_header = model.layout_.to_arrays()
    arrays = weights_of(model.modules_, half)
    arrays |= {f"layout/{name}": array for name, array in layout_arrays.items()}
    arrays |= {f"scaling/{name}": np.asarray(getattr(model.scaling_, name)) for name in _SCALING}
    fields = {
        "config": asdict(model.config),
        **{name: list(getattr(model, f"{name}_")) for name in _NAMES},
        "size": list(model.canvas_.size),
        "layout": layout_header,
        "history": list(model.history_),
        "metrics": dict(metrics or {}),
        "provenance": dict(provenance or {}),
    }
    write_fields(path, FORMAT, VERSION, fields, arrays)


def load_fusion(source: str | Path | bytes, device: str = "cpu") -> FusionBundle:
    """Read what :func:`save_fusion` wrote.

    Raises
    ------
    BundleError
        The file is damaged, of another kind, of a newer version, or its parts don't fit together.
    """
    with opened(source, FORMAT, VERSION, _WRONG) as (header, arrays):
        return FusionBundle(_model(header, arrays, device), header["metrics"], header["provenance"])


def _model(header: dict[str, Any], arrays: Mapping[str, np.ndarray], device: str) -> FusionClassifier:
    model = FusionClassifier(replace(FusionConfig(**header["config"]), device=device))
    for name in _NAMES:
        setattr(model, f"{name}_", tuple(header[name]))
    model.layout_ = Layout.from_arrays(arrays_under("layout/", arrays), header["layout"])
    model.scaling_ = FusionScaling(**arrays_under("scaling/", arrays))
    size = (int(header["size"][0]), int(header["size"][1]))
    model.canvas_ = make_canvas(size, model.layout_.shape, model.config.spread)
    if model.layout_.n_features != len(model.feature_names_):
        raise BundleError(f"a layout of {model.layout_.n_features} features for {len(model.feature_names_)} names")
    model.history_ = tuple(header["history"])
    spec, seeds = model.spec, range(model.config.n_seeds)
    model.modules_ = tuple(with_weights(build_fusion(spec), arrays, k) for k in seeds)  # type: ignore[misc]
    return model
