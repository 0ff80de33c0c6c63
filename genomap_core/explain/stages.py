"""The parts of a map model, however it was put together: preprocessing, map, network. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from genomap_core.layout import Layout


@dataclass(frozen=True, eq=False)
class Stages:
    """A fitted map model, opened."""

    preprocess: Any
    """Fitted :class:`~genomap_core.data.preprocess.Preprocessor`, or None: then the table is laid out as it is."""
    genomap: Any
    """Fitted :class:`~genomap_core.layout.GenomapTransformer`."""
    network: Any
    """Fitted map classifier."""

    @property
    def layout(self) -> Layout:
        return self.genomap.layout_

    @property
    def n_features(self) -> int:
        """Raw features ``p``."""
        return int((self.preprocess or self.genomap).n_features_in_)

    @property
    def kept(self) -> np.ndarray:
        """``(q,)`` raw feature of each column of the layout."""
        return np.asarray(self.preprocess.kept_) if self.preprocess is not None else np.arange(self.n_features)

    def prepared(self, X: np.ndarray | sp.csr_matrix) -> np.ndarray:
        """Raw rows ``(n, p)`` as the layout takes them: ``(n, q)`` float32."""
        return np.asarray(X if self.preprocess is None else self.preprocess.transform(X), np.float32)

    def maps(self, X: np.ndarray | sp.csr_matrix) -> np.ndarray:
        """Raw rows ``(n, p)`` -> maps ``(n, c, H, W)`` float32."""
        return np.asarray(self.genomap.transform(self.prepared(X)), np.float32)


def map_stages(model: Any) -> Stages | None:
    """Open a pipeline with steps "genomap" and "network", or a map classifier fitted on a table; None for others."""
    steps = dict(getattr(model, "steps", []))
    if "genomap" in steps and hasattr(steps.get("network"), "module_"):
        return Stages(steps.get("preprocess"), steps["genomap"], steps["network"])
    if hasattr(model, "module_") and hasattr(model, "transformer_"):
        return Stages(getattr(model, "preprocessor_", None), model.transformer_, model)
    return None


def used_features(model: Any, p: int) -> np.ndarray:
    """``(p,)`` bool: which raw features the model looks at; all where it does not tell.

    Known are our own models: what a step kept (``kept_``), less what got no cell on the map.
    """
    stages = map_stages(model)
    used = np.zeros(p, bool)
    if stages is not None:
        used[stages.kept[stages.layout.positions[:, 0] >= 0]] = True
        return used
    steps = [step for _, step in getattr(model, "steps", [])] or [getattr(model, "reducer_", None)]
    kept = next((step.kept_ for step in steps if getattr(step, "kept_", None) is not None), None)
    used[slice(None) if kept is None else kept] = True
    return used


def model_name(model: Any) -> str:
    """How the user knows the model: the name of its weights, of its network, or of its last step."""
    if hasattr(model, "label_"):
        return str(model.label_)
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    return str(getattr(last, "network", None) or type(last).__name__)
