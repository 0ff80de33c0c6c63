"""A trained fusion model in one file: weights and layout as safetensors, everything else as JSON. No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from genomap_core.errors import BundleError, GenomapError
from genomap_core.files import USUAL, write_atomically
from genomap_core.layout import Layout
from genomap_core.models.fusion import build_fusion
from genomap_core.training.bundle import checksum
from genomap_core.training.bundle_fields import read_fields, weights_of, with_weights
from genomap_core.training.fusion import FusionClassifier
from genomap_core.training.fusion_config import FusionConfig
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
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    bad = [name for name, a in arrays.items() if a.dtype.kind == "f" and not np.isfinite(a).all()]
    if bad:
        raise BundleError(f"The model holds values that are no finite number ({bad[0]}): train it again.")
    header = {
        "format": FORMAT,
        "version": VERSION,
        "config": asdict(model.config),
        **{name: list(getattr(model, f"{name}_")) for name in _NAMES},
        "size": list(model.canvas_.size),
        "layout": layout_header,
        "history": list(model.history_),
        "metrics": dict(metrics or {}),
        "provenance": dict(provenance or {}),
        "sha256": checksum(arrays),
    }
    write_atomically(path, save_tensors(arrays, metadata={"genomap": json.dumps(header)}), USUAL)


def load_fusion(source: str | Path | bytes, device: str = "cpu") -> FusionBundle:
    """Read what :func:`save_fusion` wrote.

    Raises
    ------
    BundleError
        The file is damaged, of another kind, of a newer version, or its parts don't fit together.
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    header = read_fields(data, FORMAT, VERSION, _WRONG)
    try:
        arrays = load_tensors(data)
        if checksum(arrays) != header["sha256"]:
            raise BundleError("its tensors differ from its checksum")
        model = _model(header, arrays, device)
        return FusionBundle(model, header["metrics"], header["provenance"])
    except (SafetensorError, GenomapError, KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        reason = str(error) if isinstance(error, GenomapError) else "its weights or options do not fit its network"
        raise BundleError(f"The model file is damaged: {reason}. Save or download it again.") from error


def _model(header: dict[str, Any], arrays: Mapping[str, np.ndarray], device: str) -> FusionClassifier:
    def part(prefix: str) -> dict[str, np.ndarray]:
        return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}

    model = FusionClassifier(replace(FusionConfig(**header["config"]), device=device))
    for name in _NAMES:
        setattr(model, f"{name}_", tuple(header[name]))
    model.layout_ = Layout.from_arrays(part("layout/"), header["layout"])
    model.scaling_ = FusionScaling(**part("scaling/"))
    size = (int(header["size"][0]), int(header["size"][1]))
    model.canvas_ = make_canvas(size, model.layout_.shape, model.config.spread)
    if model.layout_.n_features != len(model.feature_names_):
        raise BundleError(f"a layout of {model.layout_.n_features} features for {len(model.feature_names_)} names")
    model.history_ = tuple(header["history"])
    spec, seeds = model.spec, range(model.config.n_seeds)
    model.modules_ = tuple(with_weights(build_fusion(spec), arrays, k) for k in seeds)  # type: ignore[misc]
    return model
