"""What every solver is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from genomap_core.errors import LayoutError
from genomap_core.layout.constraints import Constraints
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.geometry import Grid
from genomap_core.progress import OnProgress, Progress, ignore


@dataclass(frozen=True, slots=True)
class Arrangement(Progress):
    """Progress with the arrangement so far: ``positions (p, 2)`` int32."""

    positions: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Problem:
    """Features to place on a grid.

    Parameters
    ----------
    table
        The features and their distance.
    grid
        The cells.
    channel
        ``(p,)`` int: omics type; features of different types may share a cell.
    balance
        0: global distances only; 1: neighbourhoods only. Solvers without a trade-off ignore it.
    seed
        Of every random choice.
    on_progress
        Told of each step.
    effort
        Multiplies the sweeps of the ``ot`` solver.
    constraints
        Pins, sets and a reference; only the ``ot`` solver works around them.
    """

    table: FeatureTable
    grid: Grid
    channel: np.ndarray
    balance: float = 0.5
    seed: int = 0
    on_progress: OnProgress = ignore
    effort: float = 1.0
    constraints: Constraints = field(default_factory=Constraints)

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise LayoutError(f"`balance` must lie in [0, 1], got {self.balance}.")
        if not self.effort > 0:
            raise LayoutError(f"`effort` must be > 0, got {self.effort}.")
        most = int(np.bincount(self.channel).max())
        if most > self.grid.n_cells:
            height, width = self.grid.shape
            side = int(np.ceil(np.sqrt(most * height * width / self.grid.n_cells)))
            raise LayoutError(
                f"{most} features do not fit on a {height} x {width} grid ({self.grid.n_cells} cells): choose at least "
                f"{side} x {side}, or select fewer features first."
            )

    @property
    def n_channels(self) -> int:
        return int(self.channel.max()) + 1

    def of_channel(self, code: int) -> Problem:
        """The features of one omics type as a problem of their own."""
        columns = np.flatnonzero(self.channel == code)
        table = replace(self.table, X=self.table.X[:, columns])
        return replace(self, table=table, channel=np.zeros(len(columns), np.int64))


Solver = Callable[[Problem], np.ndarray]
"""Gives ``(p,)`` int: index of each feature's cell in ``problem.grid.positions``."""


def one_channel_at_a_time(solve: Solver) -> Solver:
    """A solver for several omics types from one that knows a single type: each type gets a map of its own."""

    def solve_each(problem: Problem) -> np.ndarray:
        if problem.n_channels == 1:
            return solve(problem)
        cells = np.empty(len(problem.channel), np.int64)
        for code in np.unique(problem.channel):
            cells[problem.channel == code] = solve(problem.of_channel(int(code)))
        return cells

    return solve_each
