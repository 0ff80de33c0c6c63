"""`make_layout`: a table in, a `Layout` with its quality out. A pure function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import LayoutError
from genomap_core.layout.align import align
from genomap_core.layout.consensus import consensus_table
from genomap_core.layout.constraints import Constraints
from genomap_core.layout.constraints import check as check_constraints
from genomap_core.layout.distances import FeatureTable, check_features
from genomap_core.layout.geometry import Grid, auto_shape
from genomap_core.layout.layout import Layout
from genomap_core.layout.omics import entity_table
from genomap_core.layout.problem import Problem
from genomap_core.layout.quality import measure
from genomap_core.layout.solvers import get_solver
from genomap_core.layout.stability import reproducibility
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
    entities: Sequence[int] | np.ndarray | None = None,
    constraints: Constraints | None = None,
    effort: float = 1.0,
    memory_mb: int = 1024,
    feature_names: tuple[str, ...] | None = None,
    resamples: int = 0,
    halves: int = 0,
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
    entities
        ``(p,)`` codes: features of one entity (a gene's expression and its methylation) share a cell, each in its own
        channel; their distance is that of the mean correlation over types. None: every feature has a cell of its own.
    constraints
        Mask, pins, gene sets, and a reference layout to stay comparable with (solver "ot").
    effort
        Multiplies the sweeps of the ``ot`` solver.
    memory_mb
        Working memory for blocks of columns, besides the table.
    feature_names
        For messages.
    resamples
        Above 0: places follow the features' affinities averaged over so many bootstrap resamples of the samples
        (:func:`genomap_core.layout.consensus.consensus_table`), which another cohort would sooner give again; takes
        O(p^2) time a resample. Quality is measured on the table as it is.
    halves
        Above 0: as many random splits of the samples are laid out half by half, and the layout says how many
        neighbours both halves agree on (:attr:`Layout.reproducibility`). Takes twice as many layouts.

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
    get_solver(solver)
    table = FeatureTable(X, distance, memory_mb)
    codes = channel_codes(channels, table.n_features)
    wishes = constraints or Constraints()
    settings = Settings(shape, solver, random_state, on_progress, balance, effort, resamples)
    if resamples < 0 or halves < 0:
        raise LayoutError(f"`resamples` and `halves` must be at least 0, got {resamples} and {halves}.")
    if entities is not None:
        return _joint(table, codes, channel_codes(entities, table.n_features, "entities"), wishes, settings)
    layout = _solve(table, codes, wishes, settings)
    if halves:
        quiet = replace(settings, on_progress=ignore)

        def lay_out(rows: np.ndarray | sp.spmatrix) -> Layout:
            return _solve(replace(table, X=rows), codes, wishes, quiet)

        measured = reproducibility(table.X, lay_out, halves, seed=random_state, on_progress=on_progress)
        layout = replace(layout, reproducibility=measured)
    return layout if wishes.reference is None or wishes.stability > 0 else align(layout, wishes.reference)


@dataclass(frozen=True, slots=True)
class Settings:
    """The plain options of :func:`make_layout`, checked there."""

    shape: tuple[int, int] | str
    solver: str
    random_state: int
    on_progress: OnProgress
    balance: float
    effort: float
    resamples: int = 0


def _solve(table: FeatureTable, codes: np.ndarray, wishes: Constraints, settings: Settings) -> Layout:
    if wishes.any and settings.solver != "ot":
        raise LayoutError(f"Solver {settings.solver!r} knows no pins, gene sets or reference: use solver='ot'.")
    grid = Grid(grid_shape(settings.shape, codes, wishes.mask), wishes.mask)
    check_constraints(wishes, grid, codes)
    averaged = settings.resamples > 0
    seed, said = settings.random_state, settings.on_progress
    problem = Problem(
        consensus_table(table, settings.resamples, seed, on_progress=said) if averaged else table,
        grid,
        codes,
        settings.balance,
        settings.random_state,
        settings.on_progress,
        settings.effort,
        wishes,
    )
    positions = grid.positions[get_solver(settings.solver)(problem)].astype(np.int32)
    return Layout(
        shape=grid.shape,
        positions=positions,
        channel=codes.astype(np.int32),
        n_channels=problem.n_channels,
        quality=measure(table, positions, codes),
        solver=settings.solver,
        notes={
            "distance": table.distance,
            "balance": float(settings.balance),
            "random_state": int(settings.random_state),
            "effort": float(settings.effort),
        }
        | ({"resamples": int(settings.resamples)} if averaged else {}),
    )


def _joint(
    table: FeatureTable, codes: np.ndarray, entity: np.ndarray, wishes: Constraints, settings: Settings
) -> Layout:
    """Entities laid out as features of their own, and every feature put in its entity's cell."""
    if settings.resamples:
        raise LayoutError("`resamples` are for layouts without `entities`: leave one of them out.")
    if wishes.any:
        raise LayoutError("Pins, gene sets and a reference are for layouts without `entities`: leave one of them out.")
    _, entity = np.unique(entity, return_inverse=True)
    genes = entity_table(table, codes, entity)
    shared = _solve(genes, np.zeros(genes.n_features, np.int64), wishes, settings)
    return replace(
        shared,
        positions=shared.positions[entity],
        channel=codes.astype(np.int32),
        n_channels=int(codes.max()) + 1,
    )


def grid_shape(shape: tuple[int, int] | str, codes: np.ndarray, mask: np.ndarray | None = None) -> tuple[int, int]:
    """The grid to use: as given; the mask's; or for "auto" the smallest near-square one for the largest omics type."""
    if mask is not None and isinstance(shape, str):
        return int(mask.shape[0]), int(mask.shape[1])
    if isinstance(shape, str):
        if shape != "auto":
            raise LayoutError(f"The grid must be 'auto' or (height, width), got {shape!r}.")
        return auto_shape(int(np.bincount(codes).max()))
    if len(shape) != 2:
        raise LayoutError(f"The grid must be 'auto' or (height, width), got {shape!r}.")
    return int(shape[0]), int(shape[1])


def channel_codes(channels: Sequence[int] | np.ndarray | None, n_features: int, what: str = "channels") -> np.ndarray:
    """Checked codes ``(p,)`` int, 0 .. k-1; all 0 for None."""
    if channels is None:
        return np.zeros(n_features, np.int64)
    codes = np.asarray(channels)
    if codes.shape != (n_features,) or codes.dtype.kind not in "iu" or codes.min(initial=0) < 0:
        raise LayoutError(
            f"`{what}` must be {n_features} whole numbers from 0, one per feature; got shape {codes.shape}, "
            f"type {codes.dtype}."
        )
    return codes.astype(np.int64)
