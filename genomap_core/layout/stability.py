"""How far features move between layouts of resampled rows, and how many neighbours halves of the samples agree on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import LayoutError
from genomap_core.layout.align import align, displacement
from genomap_core.layout.geometry import Grid, mean_cell_distance
from genomap_core.layout.layout import Layout
from genomap_core.layout.quality import Reproducibility, neighbours_kept
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


def reproducibility(
    X: np.ndarray | sp.spmatrix,
    lay_out: Callable[[np.ndarray | sp.spmatrix], Layout],
    n_splits: int = 3,
    k: int = 8,
    seed: int = 0,
    on_progress: OnProgress = ignore,
) -> Reproducibility:
    """Lay out random halves of the rows of ``X (n, p)``, n >= 4, and count the neighbours that both maps have.

    A map of all samples rests on twice as many and is steadier than this says.
    """
    n, p = X.shape
    if n < 4 or n_splits < 1:
        raise LayoutError(f"Halves need at least 4 samples and 1 split, got {n} samples and {n_splits} splits.")
    X = X.tocsr() if isinstance(X, sp.spmatrix | sp.sparray) else X
    rng = np.random.default_rng(seed)
    kept = []
    for split in range(n_splits):
        order = rng.permutation(n)
        one, other = (lay_out(X[np.sort(half)]) for half in (order[: n // 2], order[n // 2 :]))
        kept.append(neighbours_kept(one.positions, other.positions, k))
        on_progress(Progress("reproducibility", split + 1, n_splits))
    return Reproducibility(float(np.mean(kept)), min(k, p - 1) / max(p - 1, 1), k, n_splits)
