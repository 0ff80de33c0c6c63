"""Adaptive fusion as one model of a patient: asked with regions, modules or types absent as a single network is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_softmax

from genomap_core.data.images.patients import FusionInputs
from genomap_core.workflows.comparison.runner import fold_file
from genomap_core.workflows.fusion.adaptive import Pool
from genomap_core.workflows.fusion.controls import BASELINES
from genomap_core.workflows.fusion.linear import LinearPart, load_linear

if TYPE_CHECKING:
    from genomap_core.training.fusion import FusionClassifier


@dataclass(frozen=True, eq=False)
class AdaptiveModel:
    """The parts of one fold, and how they are combined.

    Every part was trained on the same patients, so what the first network is given tells what each of the others would
    be: maps are read back to features in standard deviations, and laid out anew for each network.
    """

    first: FusionClassifier
    """Whose :meth:`inputs`, layout and canvas questions are asked in"""
    parts: Mapping[str, FusionClassifier | LinearPart]
    pool: Pool

    def logits(self, inputs: FusionInputs) -> np.ndarray:
        """``(n, C)``, log-probabilities but for a constant of each row."""
        Z = self._features(inputs.maps)
        said = []
        for part in self.parts.values():
            if isinstance(part, LinearPart):
                scaling, shape = self.first.scaling_, (1, -1, 1, 1)
                images = inputs.images * scaling.image_sd.reshape(shape) + scaling.image_mean.reshape(shape)
                said.append(part.log_proba(Z[:, scaling.kept], images, len(self.first.classes_)))
            else:
                said.append(log_softmax(part.logits(self._as_given(part, inputs, Z)), axis=1))
        return self.pool.logits(np.stack(said))

    def _features(self, maps: np.ndarray) -> np.ndarray:
        """``(n, t, H, W)`` -> ``(n, p)`` in standard deviations, 0 for features that were not kept."""
        layout, kept = self.first.layout_, self.first.scaling_.kept
        cells = self._rows @ maps @ self._columns.T
        row, column = layout.positions[kept].T
        Z = np.zeros((len(maps), len(self.first.feature_names_)))
        Z[:, kept] = np.sinh(cells[:, layout.channel[kept], row, column])
        return Z

    @cached_property
    def _rows(self) -> np.ndarray:
        return np.linalg.pinv(self.first.canvas_.rows)

    @cached_property
    def _columns(self) -> np.ndarray:
        return np.linalg.pinv(self.first.canvas_.columns)

    def _as_given(self, part: FusionClassifier, inputs: FusionInputs, Z: np.ndarray) -> FusionInputs:
        """The inputs as this network has them: its own features, types and layout."""
        from genomap_core.training.fusion_inputs import cell_values

        place = {name: j for j, name in enumerate(self.first.feature_names_)}
        own = np.array([place[name] for name in part.feature_names_])[part.scaling_.kept]
        cells = cell_values(part.layout_, part.scaling_, Z[:, own].astype(np.float32))
        types = [self.first.omics_names_.index(name) for name in part.omics_names_]
        return FusionInputs(inputs.images, part.canvas_.spread(np.arcsinh(cells)), inputs.present[:, types])


def part_files(folder: Path, names: Sequence[str], fold: int, first: str) -> dict[str, Path]:
    """Where the model of each part of a fold lies; the first run's has no name of its own."""
    files = {name: folder / fold_file(fold, "" if name == first else name) for name in names}
    return {name: path.with_suffix(".npz") if name in BASELINES else path for name, path in files.items()}


def load_adaptive(folder: Path, names: Sequence[str], fold: int, first: str, pool: Pool) -> AdaptiveModel:
    """The parts of one fold as a comparison left them.

    Raises
    ------
    BundleError, InputError
        A file is damaged.
    OSError
        A file is missing.
    """
    from genomap_core.training.fusion_bundle import load_fusion

    network = load_fusion(folder / fold_file(fold)).model
    parts = {
        name: load_linear(path) if name in BASELINES else network if name == first else load_fusion(path).model
        for name, path in part_files(folder, names, fold, first).items()
    }
    return AdaptiveModel(network, parts, pool)
