"""Trained image networks in one file: weights as safetensors, everything else as JSON. No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from genomap_core.errors import BundleError, GenomapError
from genomap_core.files import USUAL, write_atomically
from genomap_core.models.physnet import PhysicsConfig
from genomap_core.training.bundle_fields import read_fields, weights_of, with_weights
from genomap_core.training.growth import GrowthClassifier, GrowthTraining
from genomap_core.training.growth_augment import Shift
from genomap_core.training.growth_calibration import Calibration
from genomap_core.training.growth_likeness import LikenessModel
from genomap_core.training.growth_losses import LossWeights

FORMAT, VERSION = "genomap-growth", 2
_WRONG = "The file is no growth model of this program: choose a .safetensors file that the Growth page saved."


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
    calibration: Calibration = field(default_factory=Calibration)
    likeness: LikenessModel | None = None
    """Says which images are like those it was trained on; None: it can't tell, and answers no image from outside."""

    @property
    def simulated(self) -> bool:
        """It was trained on simulated slices alone."""
        return bool(self.provenance.get("simulated", self.provenance.get("lengths_taught", False)))


def save_growth(
    path: Path,
    model: GrowthClassifier,
    *,
    classes: Sequence[str],
    size: int,
    infiltrating: Sequence[str] = (),
    metrics: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    calibration: Calibration = Calibration(),
    likeness: LikenessModel | None = None,
    half: bool = False,
) -> None:
    """Write a fitted classifier. ``half``: 16-bit weights, half as large."""
    tensors = weights_of(model.modules_, half) | ({} if likeness is None else likeness.arrays())
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
        "calibration": asdict(calibration),
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
    header = read_fields(data, FORMAT, VERSION, _WRONG)
    try:
        tensors = load_tensors(data)
        model = GrowthClassifier(_config(header["config"], device))
        model.n_classes_, model.in_channels_ = len(header["classes"]), int(header["in_channels"])
        model.history_, model.modules_ = (), ()
        for k in range(model.config.n_seeds):
            model.modules_ += (with_weights(model.build(), tensors, k),)
        return GrowthBundle(
            model,
            tuple(header["classes"]),
            tuple(header["infiltrating"]),
            int(header["size"]),
            header["metrics"],
            header["provenance"],
            Calibration(**header.get("calibration", {})),
            LikenessModel.of_arrays(tensors),
        )
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, BundleError):
            raise
        reason = str(error) if isinstance(error, GenomapError) else "its weights or options do not fit its network"
        raise BundleError(f"The model file is damaged: {reason}. Save or download it again.") from error


def _config(values: dict[str, Any], device: str) -> GrowthTraining:
    physics, losses = (_tuples(values[name]) for name in ("physics", "losses"))
    shift = None if values["shift"] is None else Shift(**values["shift"])
    rest = {k: v for k, v in values.items() if k not in ("physics", "losses", "shift", "device")}
    return GrowthTraining(
        **rest, physics=PhysicsConfig(**physics), losses=LossWeights(**losses), shift=shift, device=device
    )


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
