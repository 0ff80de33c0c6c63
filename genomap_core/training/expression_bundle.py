"""A trained model from images to expression in one file: weights and layouts as safetensors, the rest as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.images.networks import ExpressionConfig
from genomap_core.errors import BundleError
from genomap_core.layout import Layout
from genomap_core.models.expression import ExpressionNet
from genomap_core.store import decode
from genomap_core.training.container import arrays_under, opened, weights_of, with_weights, write_fields
from genomap_core.training.expression import ExpressionRegressor, ExpressionScaling
from genomap_core.training.fusion_inputs import FusionScaling

FORMAT = "genomap-expression"
_WRONG = "The file is no model of this kind: choose a .safetensors file that the Expression page saved."
_SCALING = ("image_mean", "image_sd", "kept", "mean", "scale")
_NAMES = ("feature_names", "genes", "channels", "omics_names")
_LAYOUTS = ("layout", "gene_layout")


@dataclass(frozen=True, eq=False)
class ExpressionBundle:
    """A loaded model. ``model.inputs`` refuses other channels, sizes and features."""

    model: ExpressionRegressor
    provenance: Mapping[str, Any]


def save_expression(
    path: Path, model: ExpressionRegressor, *, provenance: Mapping[str, Any] | None = None, half: bool = False
) -> None:
    """Write a fitted regressor. ``half``: 16-bit weights, half as large."""
    arrays = weights_of([model.module_], half)
    arrays |= {f"scaling/{name}": np.asarray(getattr(model.scaling_, name)) for name in _SCALING}
    arrays |= {"expression/mean": model.expression_.mean, "expression/sd": model.expression_.sd}
    layouts: dict[str, Any] = {}
    for name in _LAYOUTS:
        layout: Layout | None = getattr(model, f"{name}_")
        if layout is not None:
            parts, layouts[name] = layout.to_arrays()
            arrays |= {f"{name}/{k}": a for k, a in parts.items()}
    fields = {
        "config": asdict(model.config) | {"weights": ""},  # a path of the machine it was trained on
        **{name: list(getattr(model, f"{name}_")) for name in _NAMES},
        "unit": model.unit_,
        "size": [int(v) for v in model.size_],
        "layouts": layouts,
        "history": list(model.history_),
        "provenance": dict(provenance or {}),
    }
    write_fields(path, FORMAT, fields, arrays)


def load_expression(source: str | Path | bytes, device: str = "cpu") -> ExpressionBundle:
    """Read what :func:`save_expression` wrote.

    Raises
    ------
    BundleError
        The file is damaged, of another kind, of a newer version, or its parts don't fit together.
    """
    with opened(source, FORMAT, _WRONG) as (header, arrays):
        return ExpressionBundle(_model(header, arrays, device), header["provenance"])


def _model(header: dict[str, Any], arrays: Mapping[str, np.ndarray], device: str) -> ExpressionRegressor:
    config = decode(ExpressionConfig, {"paths": "both"} | header["config"])  # version 0.1 had no other
    model = ExpressionRegressor(replace(config, device=device))
    for name in _NAMES:
        setattr(model, f"{name}_", tuple(header[name]))
    for name in _LAYOUTS:
        stored = header["layouts"].get(name)
        setattr(
            model, f"{name}_", None if stored is None else Layout.from_arrays(arrays_under(f"{name}/", arrays), stored)
        )
    model.scaling_ = FusionScaling(**arrays_under("scaling/", arrays))
    model.expression_ = ExpressionScaling(**arrays_under("expression/", arrays))
    if len(model.expression_.mean) != len(model.genes_):
        raise BundleError(f"{len(model.expression_.mean)} means for {len(model.genes_)} genes")
    model.unit_, model.size_ = str(header["unit"]), tuple(header["size"])
    model.history_ = tuple(header["history"])
    model.module_ = with_weights(ExpressionNet(model.spec), arrays, 0)  # type: ignore[assignment]
    return model
