"""Trained image networks in one file: weights as safetensors, everything else as JSON. No pickle."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from genomap_core.errors import BundleError, GenomapError
from genomap_core.files import USUAL, write_atomically
from genomap_core.models.physnet import PhysicsConfig
from genomap_core.training.growth import GrowthClassifier, GrowthTraining
from genomap_core.training.growth_losses import LossWeights

FORMAT, VERSION = "genomap-growth", 1


@dataclass(frozen=True, eq=False)
class GrowthBundle:
    """A loaded model."""

    model: GrowthClassifier
    classes: tuple[str, ...]
    infiltrating: tuple[str, ...]
    size: int
    """Side of the images it was trained on"""
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]


def save_growth(
    path: Path,
    model: GrowthClassifier,
    *,
    classes: Sequence[str],
    size: int,
    infiltrating: Sequence[str] = (),
    metrics: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a fitted classifier. ``half``: 16-bit weights, half as large."""
    tensors: dict[str, np.ndarray] = {}
    for k, module in enumerate(model.modules_):
        for name, tensor in module.state_dict().items():
            array = tensor.detach().cpu().contiguous().numpy()
            tensors[f"{k}.{name}"] = array.astype(np.float16) if half and array.dtype == np.float32 else array
    header = {
        "format": FORMAT,
        "version": VERSION,
        "config": asdict(model.config),
        "in_channels": model.in_channels_,
        "classes": list(classes),
        "infiltrating": list(infiltrating),
        "size": size,
        "metrics": dict(metrics or {}),
        "provenance": dict(provenance or {}),
    }
    write_atomically(path, save_tensors(tensors, metadata={"genomap": json.dumps(header)}), USUAL)


def load_growth(source: str | Path | bytes, device: str = "cpu") -> GrowthBundle:
    """Read what :func:`save_growth` wrote.

    Raises
    ------
    BundleError
        The file is damaged, of another kind, of a newer version, or its weights don't fit its network.
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    header = _header(data)
    try:
        tensors = load_tensors(data)
        model = GrowthClassifier(_config(header["config"], device))
        model.n_classes_, model.in_channels_ = len(header["classes"]), int(header["in_channels"])
        model.history_, model.modules_ = (), ()
        for k in range(model.config.n_seeds):
            state = {n.removeprefix(f"{k}."): torch.from_numpy(t) for n, t in tensors.items() if n.startswith(f"{k}.")}
            module = model.build().eval()
            module.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in state.items()})
            model.modules_ += (module,)
        return GrowthBundle(
            model,
            tuple(header["classes"]),
            tuple(header["infiltrating"]),
            int(header["size"]),
            header["metrics"],
            header["provenance"],
        )
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, BundleError):
            raise
        reason = str(error) if isinstance(error, GenomapError) else "its weights or options do not fit its network"
        raise BundleError(f"The model file is damaged: {reason}. Save or download it again.") from error


def _header(data: bytes) -> dict[str, Any]:
    wrong = "The file is no growth model of this program: choose a .safetensors file that the Growth page saved."
    try:
        (length,) = struct.unpack("<Q", data[:8])
        header: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["genomap"])
    except (struct.error, ValueError, KeyError, TypeError, MemoryError, OverflowError) as error:
        raise BundleError(wrong) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise BundleError(wrong)
    if header.get("version") != VERSION:
        raise BundleError(f"The model file is of version {header.get('version')}, this program reads {VERSION}.")
    return header


def _config(values: dict[str, Any], device: str) -> GrowthTraining:
    physics: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values["physics"].items()}
    rest = {k: v for k, v in values.items() if k not in ("physics", "losses", "device")}
    return GrowthTraining(
        **rest, physics=PhysicsConfig(**physics), losses=LossWeights(**values["losses"]), device=device
    )
