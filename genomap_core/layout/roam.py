"""Boards with room: single features move, or change places, wherever that lowers the full objective.

Where cells stay empty, an arrangement s chooses which cells it occupies, and the mean and the mean square of their
distances are no constants. With C1 and C2 the distances of features and cells and means over pairs of features,

    f(s) = (1 - balance) (mean(C2^2) / mean(C2)^2 - 2 mean(C1 C2) / (mean(C1) mean(C2))) - balance near(s)

is the joint objective of `solvers.transport` up to the constant mean((C1 / mean C1)^2). In a stack of several omics
types each type has the same mass in the means, or a small one would be placed for the sake of the large one alone. The
change of f by a move is known exactly from three sums and two tables of potentials, O(m) for all m cells at once; a
move that is made costs O(p m).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import blas

from genomap_core.layout.board import CLOSED, Board
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.field import CORNER, EDGE, SAME, convolve, distance_spectrum

LIMIT = 8_000_000
"""Features times cells above which no feature leaves its block: the tables of potentials would be too large."""
SWAPS = 2_000_000
"""Features times cells up to which two features may change places; above, they move into empty cells only."""
ROUNDS = 30
SETTLED = 1e-6
"""Gain of a whole round below which features stay where they are."""


@dataclass(frozen=True, eq=False)
class Ruler:
    """Distances and bonds from one cell of a board to all, read off a table of offsets."""

    shape: tuple[int, int]

    @cached_property
    def _offsets(self) -> tuple[np.ndarray, np.ndarray]:
        height, width = self.shape
        dy, dx = np.arange(1 - height, height)[:, None], np.arange(1 - width, width)[None]
        square = dy**2 + dx**2
        bonds = np.select([square == 1, square == 2, square == 0], [EDGE, CORNER, SAME], 0.0)
        return np.sqrt(square), bonds.astype(np.float32)

    def _window(self, table: np.ndarray, cell: int) -> np.ndarray:
        height, width = self.shape
        row, column = divmod(cell, width)
        return table[height - 1 - row : 2 * height - 1 - row, width - 1 - column : 2 * width - 1 - column].ravel()

    def apart(self, cell: int) -> np.ndarray:
        """Euclidean distance of every cell: ``(m,)`` float64."""
        return self._window(self._offsets[0], cell)

    def bonds(self, cell: int) -> np.ndarray:
        """Weight of every cell in the neighbourhood of this one (of two types in the same cell too): ``(m,)``."""
        return self._window(self._offsets[1], cell)


@dataclass(frozen=True, eq=False)
class Likeness:
    """What the moves look at, the same for every start.

    Parameters
    ----------
    movers
        ``(k,)`` int: features that may move, all of those in their layers.
    unlike
        ``(k + 1, p)`` float32: distances C1 of the movers and all features, zero of a feature to itself; the last row,
        of the empty cell, is zero.
    constant
        C1 is this number minus the inner product that the neighbourhood term looks at.
    channel
        ``(p,)`` omics type of each feature: its layer of the board.
    """

    movers: np.ndarray
    unlike: np.ndarray
    constant: float
    channel: np.ndarray

    @cached_property
    def inner(self) -> np.ndarray:
        """Inner products, zero of a feature with itself and of the empty cell: ``(k + 1, p)`` float32."""
        inner = (self.constant - self.unlike).astype(np.float32)
        inner[np.arange(len(self.movers)), self.movers] = 0
        inner[-1] = 0
        return inner

    @cached_property
    def mass(self) -> np.ndarray:
        """Weight of each feature, the same sum for every type; 1 where there is one type: ``(p,)``."""
        count = np.bincount(self.channel)
        return len(self.channel) / np.count_nonzero(count) / count[self.channel]

    @cached_property
    def row(self) -> np.ndarray:
        """Row of each feature in the tables, the last one for the empty cell: ``(p + 1,)`` int."""
        row = np.full(len(self.channel) + 1, len(self.movers))
        row[self.movers] = np.arange(len(self.movers))
        return row

    @property
    def complete(self) -> bool:
        """Whether every feature may move."""
        return len(self.movers) == len(self.channel)


def likeness(table: FeatureTable, movers: np.ndarray, constant: float, channel: np.ndarray) -> Likeness:
    """Exact distances of ``movers (k,)`` to all features, block by block."""
    Z = table.take(movers)
    unlike = np.zeros((len(movers) + 1, table.n_features), np.float32)
    for columns, block in table.blocks():
        unlike[:-1, columns] = table.between(Z, block)
    unlike[np.arange(len(movers)), movers] = 0
    return Likeness(movers, unlike, constant, channel)


@dataclass(eq=False)
class Roaming:
    """Sums over pairs and potentials of a board, kept up to date while features move; its seats change."""

    board: Board
    of: Likeness

    def __post_init__(self) -> None:
        of, board = self.of, self.board
        self.ruler = Ruler(board.shape)
        self.cells = board.cell_of_feature()
        # Sums over pairs from the low-rank vectors: not every feature has exact distances.
        mass, vectors = of.mass, board.vectors[:-1].astype(np.float64)
        own = float(mass**2 @ (vectors**2 @ board.signs))
        self.pairs = float(mass.sum() ** 2 - (mass**2).sum())
        inner = float((mass @ vectors) ** 2 @ board.signs) - own
        self.mean = max(of.constant - inner / max(self.pairs, 1e-12), 1e-12)
        self.refresh()

    def refresh(self) -> None:
        """All potentials and sums anew, so that no rounding adds up."""
        of = self.of
        apart = np.stack([self.ruler.apart(int(cell)) for cell in self.cells])
        self.far = np.ascontiguousarray(of.unlike @ (of.mass[:, None] * apart), np.float64)
        self.apart_at = of.mass @ apart
        self.square_at = of.mass @ np.square(apart, out=apart)
        self.near = of.inner @ np.stack([self.ruler.bonds(int(cell)) for cell in self.cells])
        self._sum_up()
        own = self.far[of.row[:-1], self.cells]
        self.product = float(of.mass @ own) if of.complete else self._product_by_rank()

    def _sum_up(self) -> None:
        """Sums of C2 and of its square over ordered pairs."""
        mass = self.of.mass
        self.apart, self.square = float(mass @ self.apart_at[self.cells]), float(mass @ self.square_at[self.cells])

    def _product_by_rank(self) -> float:
        """Sum of C1 C2 over ordered pairs, from the low-rank vectors."""
        board = self.board
        heavy = np.append(self.of.mass, 0).astype(np.float32)[:, None] * board.vectors
        total = np.sum([heavy[seat] for seat in board.seat], axis=0)
        padded = board.kernels.padded
        field = convolve(total.reshape(*board.shape, -1), distance_spectrum(padded), padded)
        return self.of.constant * self.apart - float(np.vdot(total * board.signs, field))

    def _distortion(
        self, square: np.ndarray | float, apart: np.ndarray | float, product: np.ndarray | float
    ) -> np.ndarray:
        """Gromov-Wasserstein part of f, from sums over ordered pairs: of C2^2, of C2, of C1 C2."""
        apart = np.maximum(apart, 1e-12)
        return np.asarray(self.pairs * square / apart**2 - 2 * product / (self.mean * apart))

    def objective(self) -> float:
        """f of the arrangement (by rank where not every feature may move), with the board's linear cost."""
        board, kernels, of = self.board, self.board.kernels, self.of
        if of.complete:
            near = -0.5 * kernels.edge * float(self.near[of.row[:-1], self.cells].sum(dtype=np.float64))
        else:
            near = 0.5 * sum(
                float(np.vdot(board.signed[seat], board.near_field(k))) for k, seat in enumerate(board.seat)
            )
        total = (1 - kernels.balance) * float(self._distortion(self.square, self.apart, self.product)) + near
        if board.pull is not None and board.push is not None:
            total += float(np.vdot(board.pull[:-1], board.push[self.cells]))
        return total

    def gains(self, feature: int) -> np.ndarray:
        """Change of f where ``feature`` goes to a cell and who sits there comes here, for every cell: ``(m,)``."""
        board, kernels, of = self.board, self.board.kernels, self.of
        a, i, mass = int(self.cells[feature]), of.row[feature], of.mass[feature]
        seat = board.seat[of.channel[feature]]
        other, there = of.row[seat], np.arange(len(seat))
        apart, free = self.ruler.apart(a), seat == len(of.channel)
        product = self.far[i] - self.far[i, a] + self.far[other, a] - self.far[other, there]
        product = self.product + 2 * mass * (product + 2 * mass * apart * of.unlike[other, feature])
        square = self.square + 2 * mass * free * (self.square_at - self.square_at[a] - mass * apart**2)
        moved = self.apart + 2 * mass * free * (self.apart_at - self.apart_at[a] - mass * apart)
        change = self._distortion(square, moved, product) - self._distortion(self.square, self.apart, self.product)
        near = self.near[i] - self.near[i, a] + self.near[other, a] - self.near[other, there]
        near = near + 2 * (self.ruler.bonds(a) - SAME) * of.inner[other, feature]
        gain = (1 - kernels.balance) * change - kernels.edge * near
        if board.pull is not None and board.push is not None:
            way = board.push - board.push[a]
            gain += way @ board.pull[feature] - (way * board.pull[seat]).sum(axis=1)
        return gain

    def move(self, feature: int, to: int) -> None:
        """Carry the move out."""
        of, seat, a = self.of, self.board.seat[self.of.channel[feature]], int(self.cells[feature])
        mass, other, taken = float(of.mass[feature]), int(seat[to]), int(seat[to]) < len(of.channel)
        i, j = of.row[feature], of.row[other]
        here, there = self.ruler.apart(a), self.ruler.apart(to)
        product = float(self.far[i, to] - self.far[i, a] + self.far[j, a] - self.far[j, to])
        self.product += 2 * mass * (product + 2 * mass * float(here[to] * of.unlike[j, feature]))
        seat[a], seat[to] = other, feature
        self.cells[feature] = to
        unlike, inner = of.unlike[:, feature].astype(np.float64), of.inner[:, feature]
        if taken:
            self.cells[other] = a
            unlike, inner = unlike - of.unlike[:, other], inner - of.inner[:, other]
        else:
            self.apart_at += mass * (there - here)
            self.square_at += mass * (there**2 - here**2)
            self._sum_up()
        # In place: a temporary of this size would take as long again.
        blas.dger(mass, there - here, unlike, a=self.far.T, overwrite_a=1)
        bonds = self.ruler.bonds(to) - self.ruler.bonds(a)
        touched = np.flatnonzero(bonds)
        self.near[:, touched] += np.outer(inner, bonds[touched])


def roam(
    state: Roaming,
    rng: np.random.Generator,
    order: np.ndarray,
    on_round: Callable[[], None] = lambda: None,
    rounds: int = ROUNDS,
) -> float:
    """Give every mover in turn its best cell until none gains; returns the objective reached. The board changes.

    Features keep to their zone; closed cells are neither left nor taken. ``order`` lists the movers in an order that
    does not depend on the table's columns.
    """
    for _ in range(rounds):
        gained = sum(_settle(state, int(feature)) for feature in order[rng.permutation(len(order))])
        on_round()
        if gained > -SETTLED:
            break
    state.refresh()
    return state.objective()


def _settle(state: Roaming, feature: int) -> float:
    """Move a feature to its best cell, if there is a better one; returns the change of the objective."""
    board, layer = state.board, int(state.of.channel[feature])
    zone = board.zone[layer]
    own = zone[state.cells[feature]]
    if own == CLOSED:
        return 0.0
    gain = state.gains(feature)
    gain[zone != own] = 0
    if len(state.of.movers) * len(zone) > SWAPS:
        gain[board.seat[layer] < board.n_features] = 0
    best = int(gain.argmin())
    if gain[best] > -1e-2 * SETTLED:
        return 0.0
    state.move(feature, best)
    return float(gain[best])
