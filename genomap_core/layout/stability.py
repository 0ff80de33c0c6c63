"""How far features move between layouts of resampled rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from genomap_core.layout.align import align, displacement
from genomap_core.layout.geometry import Grid, mean_cell_distance
from genomap_core.layout.layout import Layout
from genomap_core.progress import OnProgress, Progress, ignore


@dataclass(frozen=True, eq=False)
class Stability:
    """How far features move between resampled layouts.

    Parameters
    ----------
    displacement
        ``(p,)`` mean distance from the reference over the resamples, in cells.
    relative
        Its mean, in units of the mean distance of two random cells: 0 nothing moves, 1 as good as random.
    """

    displacement: np.ndarray
    relative: float


def bootstrap_stability(
    X: np.ndarray,
    reference: Layout,
    lay_out: Callable[[np.ndarray], Layout],
    n_resamples: int = 10,
    seed: int = 0,
    on_progress: OnProgress = ignore,
) -> Stability:
    """Lay out bootstrap samples of the rows of ``X (n, p)``, align each to ``reference``, and measure the moves.

    ``lay_out`` makes a layout of a resampled table, for instance a partial of :func:`make_layout`.
    """
    rng = np.random.default_rng(seed)
    moves = np.zeros(reference.n_features)
    for k in range(n_resamples):
        resample = lay_out(X[rng.integers(0, X.shape[0], X.shape[0])])
        moves += displacement(align(resample, reference), reference)
        on_progress(Progress("stability", k + 1, n_resamples))
    moves /= n_resamples
    return Stability(moves, float(np.nanmean(moves) / mean_cell_distance(Grid(reference.shape))))
