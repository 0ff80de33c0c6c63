"""`make_layout`: a table in, a `Layout` with its quality out. A pure function."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import LayoutError
from genomap_core.layout.distances import FeatureTable, check_features
from genomap_core.layout.geometry import Grid, auto_shape
from genomap_core.layout.layout import Layout
from genomap_core.layout.problem import Problem
from genomap_core.layout.quality import measure
from genomap_core.layout.solvers import get_solver
from genomap_core.progress import OnProgress, ignore


def make_layout(
    X: np.ndarray | sp.spmatrix,
    shape: tuple[int, int] | str = "auto",
    solver: str = "ot",
    distance: str = "correlation",
    random_state: int = 0,
    on_progress: OnProgress = ignore,
    *,
    balance: float = 0.5,
    channels: Sequence[int] | np.ndarray | None = None,
    feature_names: tuple[str, ...] | None = None,
) -> Layout:
    """Give every feature a cell, related features near each other.

    Parameters
    ----------
    X
        ``(n, p)`` finite numbers, samples x features, dense or sparse; n >= 2.
    shape
        ``(height, width)``, or "auto": the smallest near-square grid that holds every feature.
    solver
        One of :data:`genomap_core.layout.SOLVERS`.
    distance
        Between features: "correlation" (signed), "absolute", "spearman" or "euclidean".
    random_state
        The same seed and data give the same layout.
    on_progress
        Told of each step, with the arrangement so far where the solver has one.
    balance
        Trade-off of the ``ot`` solver: 0 global distances only, 1 neighbourhoods only.
    channels
        ``(p,)`` codes of omics types: each type has a map of its own on the same grid. None: one type.
    feature_names
        For messages.

    Raises
    ------
    LayoutError
        NaN or inf (named), fewer than two samples, nothing but constant features, more features than cells, unknown
        solver or distance.
    """
    X = X if sp.issparse(X) else np.asarray(X)
    if not sp.issparse(X) and X.dtype.kind != "f":
        X = X.astype(np.float32)
    check_features(X, feature_names)
    solve = get_solver(solver)
    table = FeatureTable(X, distance)
    codes = channel_codes(channels, table.n_features)
    wanted = auto_shape(int(np.bincount(codes).max())) if isinstance(shape, str) else shape
    if isinstance(shape, str) and shape != "auto":
        raise LayoutError(f"The grid must be 'auto' or (height, width), got {shape!r}.")
    grid = Grid((int(wanted[0]), int(wanted[1])))
    problem = Problem(table, grid, codes, balance, random_state, on_progress)
    positions = grid.positions[solve(problem)].astype(np.int32)
    return Layout(
        shape=grid.shape,
        positions=positions,
        channel=codes.astype(np.int32),
        n_channels=problem.n_channels,
        quality=measure(table, positions, codes),
        solver=solver,
        notes={"distance": distance, "balance": balance, "random_state": random_state},
    )


def channel_codes(channels: Sequence[int] | np.ndarray | None, n_features: int) -> np.ndarray:
    """Checked codes ``(p,)`` int, 0 .. k-1; all 0 for None."""
    if channels is None:
        return np.zeros(n_features, np.int64)
    codes = np.asarray(channels)
    if codes.shape != (n_features,) or codes.dtype.kind not in "iu" or codes.min(initial=0) < 0:
        raise LayoutError(
            f"`channels` must be {n_features} whole numbers from 0, one per feature; got shape {codes.shape}, "
            f"type {codes.dtype}."
        )
    return codes.astype(np.int64)
