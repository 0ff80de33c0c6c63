"""What a fusion network is given: arrays of images, omics maps, and which omics types are there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class FusionInputs:
    """``n`` patients as the networks get them, float32; 0 is the training patients' mean everywhere.

    ``images`` ``(n, c, H, W)`` in standard deviations; ``maps`` ``(n, t, H, W)``, the arcsinh of standard deviations:
    near 0 as they are, logarithmic in the tails; ``present`` ``(n, t)`` of 0 and 1.
    """

    images: np.ndarray
    maps: np.ndarray
    present: np.ndarray

    def take(self, rows: np.ndarray) -> FusionInputs:
        """These patients only."""
        return FusionInputs(self.images[rows], self.maps[rows], self.present[rows])
