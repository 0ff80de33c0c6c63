"""Trained image networks in one file: weights as safetensors, everything else as JSON. No pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from genomap_core.store import decode
from genomap_core.training.container import opened, weights_of, with_weights, write_fields
from genomap_core.training.growth import GrowthClassifier, GrowthTraining
from genomap_core.training.growth_likeness import Calibration, LikenessModel

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
    fields = {
        "config": asdict(model.config),
        "in_channels": model.in_channels_,
        "classes": list(classes),
        "infiltrating": list(infiltrating),
        "size": size,
        "metrics": dict(metrics or {}),
        "provenance": dict(provenance or {}),
        "calibration": asdict(calibration),
    }
    arrays = weights_of(model.modules_, half) | ({} if likeness is None else likeness.arrays())
    write_fields(path, FORMAT, fields, arrays, VERSION)


def load_growth(source: str | Path | bytes, device: str = "cpu") -> GrowthBundle:
    """Read what :func:`save_growth` wrote.

    Raises
    ------
    BundleError
        The file is damaged, of another kind, of another version, or its weights don't fit its network.
    """
    with opened(source, FORMAT, _WRONG) as (header, arrays):
        model = GrowthClassifier(replace(decode(GrowthTraining, header["config"]), device=device))
        model.n_classes_, model.in_channels_ = len(header["classes"]), int(header["in_channels"])
        model.history_, seeds = (), range(model.config.n_seeds)
        model.modules_ = tuple(with_weights(model.build(), arrays, k) for k in seeds)
        return GrowthBundle(
            model,
            tuple(header["classes"]),
            tuple(header["infiltrating"]),
            int(header["size"]),
            header["metrics"],
            header["provenance"],
            Calibration(**header.get("calibration", {})),
            LikenessModel.of_arrays(arrays),
        )
