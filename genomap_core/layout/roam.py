"""Boards with room: single features move, or change places, wherever that lowers the full objective.

Where cells stay empty, an arrangement s chooses which cells it occupies, and the mean and the mean square of their
distances are no constants. With C1 and C2 the distances of features and cells and all means over pairs of features,

    f(s) = (1 - balance) (mean(C2^2) / mean(C2)^2 - 2 mean(C1 C2) / (mean(C1) mean(C2))) - balance near(s)

is the joint objective of `solvers.transport` up to the constant mean((C1 / mean C1)^2). The change of f by a move is
known exactly from three sums and two tables of potentials, O(m) for all m cells at once; a move that is made costs
O(p m). Only features of omics types with room move.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import blas

from genomap_core.layout.board import CLOSED, Board
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.field import CORNER, EDGE, SAME, distance_spectrum

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


@dataclass(eq=False)
class Roaming:
    """Sums and potentials of a board, kept up to date while features move.

    Parameters
    ----------
    board
        Its seats change.
    movers
        ``(k,)`` int: features that may move, all of those in their layers.
    unlike
        ``(k + 1, p)`` float32: distances C1 of the movers and all features, zero of a feature to itself; the last row,
        of the empty cell, is zero.
    similarity
        C1 is this number minus the inner product that the neighbourhood term looks at.
    channel
        ``(p,)`` omics type of each feature: its layer of the board.
    """

    board: Board
    movers: np.ndarray
    unlike: np.ndarray
    similarity: float
    channel: np.ndarray

    def __post_init__(self) -> None:
        p, k = len(self.channel), len(self.movers)
        self.ruler = Ruler(self.board.shape)
        self.cells = self.board.cell_of_feature()
        self.number = np.full(p + 1, k)
        self.number[self.movers] = np.arange(k)
        self.like = (self.similarity - self.unlike).astype(np.float32)
        self.like[np.arange(k), self.movers] = 0
        self.like[-1] = 0
        self.refresh()
        everyone = (self.number[:-1], self.cells)
        self.product = float(self.far[everyone].sum(dtype=np.float64)) if k == p else self._product_by_rank()

    def refresh(self) -> None:
        """All potentials anew, so that no rounding adds up."""
        apart, bonds = (np.stack([of(int(cell)) for cell in self.cells]) for of in (self.ruler.apart, self.ruler.bonds))
        self.apart_at, self.square_at = apart.sum(axis=0), (apart**2).sum(axis=0)
        self.far = np.ascontiguousarray(self.unlike @ apart, np.float64)
        self.near = self.like @ bonds
        self._sum_up()

    def _sum_up(self) -> None:
        self.apart, self.square = float(self.apart_at[self.cells].sum()), float(self.square_at[self.cells].sum())

    def _product_by_rank(self) -> float:
        """Sum of C1 C2 over all ordered pairs, from the low-rank vectors: not every feature has exact distances."""
        board = self.board
        field = board.far_field(distance_spectrum(board.kernels.padded))
        return self.similarity * self.apart - sum(float(np.vdot(board.signed[seat], field)) for seat in board.seat)

    def _distortion(self, square: np.ndarray, apart: np.ndarray, product: np.ndarray) -> np.ndarray:
        """Gromov-Wasserstein part of f, from sums over ordered pairs: of C2^2, of C2, of C1 C2."""
        p = len(self.channel)
        apart = np.maximum(apart, 1e-12)
        return p * (p - 1) * square / apart**2 - 2 * product / (max(self.board.kernels.mean_distance, 1e-12) * apart)

    def objective(self) -> float:
        """f of the arrangement (by rank where not every feature may move), with the board's linear cost."""
        board, kernels = self.board, self.board.kernels
        far = float(self._distortion(*(np.float64(v) for v in (self.square, self.apart, self.product))))
        if len(self.movers) == len(self.cells):
            near = -0.5 * kernels.edge * float(self.near[self.number[:-1], self.cells].sum(dtype=np.float64))
        else:
            near = sum(0.5 * float(np.vdot(board.signed[seat], board.near_field(k))) for k, seat in enumerate(board.seat))
        total = (1 - kernels.balance) * far + near
        if board.pull is not None and board.push is not None:
            total += float(np.vdot(board.pull[:-1], board.push[self.cells]))
        return total

    def gains(self, feature: int) -> np.ndarray:
        """Change of f where ``feature`` goes to a cell and who sits there comes here, for every cell: ``(m,)``."""
        board, kernels, a, i = self.board, self.board.kernels, int(self.cells[feature]), self.number[feature]
        seat = board.seat[self.channel[feature]]
        other, here = self.number[seat], np.arange(len(seat))
        apart = self.ruler.apart(a)
        free = seat == len(self.channel)
        product = self.far[i] - self.far[i, a] + self.far[other, a] - self.far[other, here]
        product = self.product + 2 * product + 4 * apart * self.unlike[other, feature]
        square = self.square + 2 * free * (self.square_at - self.square_at[a] - apart**2)
        moved = self.apart + 2 * free * (self.apart_at - self.apart_at[a] - apart)
        gain = self._distortion(square, moved, product)
        gain -= self._distortion(*(np.float64(v) for v in (self.square, self.apart, self.product)))
        near = self.near[i] - self.near[i, a] + self.near[other, a] - self.near[other, here]
        near = near + 2 * (self.ruler.bonds(a) - SAME) * self.like[other, feature]
        gain = (1 - kernels.balance) * gain - kernels.edge * near
        if board.pull is not None and board.push is not None:
            gain += (board.push - board.push[a]) @ board.pull[feature]
            gain -= ((board.push - board.push[a]) * board.pull[seat]).sum(axis=1)
        return gain

    def move(self, feature: int, to: int) -> None:
        """Carry the move out."""
        seat, a = self.board.seat[self.channel[feature]], int(self.cells[feature])
        i, other = int(self.number[feature]), int(seat[to])
        j = int(self.number[other])
        here, there = self.ruler.apart(a), self.ruler.apart(to)
        change = self.unlike[:, feature] - (self.unlike[:, other] if other < len(self.channel) else 0)
        product = self.far[i, to] - self.far[i, a] + self.far[j, a] - self.far[j, to]
        self.product += 2 * float(product) + 4 * float(here[to] * self.unlike[j, feature])
        seat[a], seat[to] = other, feature
        self.cells[feature] = to
        if other < len(self.channel):
            self.cells[other] = a
        else:
            self.apart_at += there - here
            self.square_at += there**2 - here**2
            self._sum_up()
        # In place: a temporary of this size would take as long again.
        blas.dger(1.0, there - here, change, a=self.far.T, overwrite_a=1)
        bonds = self.ruler.bonds(to) - self.ruler.bonds(a)
        touched = np.flatnonzero(bonds)
        change = self.like[:, feature] - (self.like[:, other] if other < len(self.channel) else 0)
        self.near[:, touched] += np.outer(change, bonds[touched])


def distances_of(table: FeatureTable, movers: np.ndarray) -> np.ndarray:
    """Exact distances of ``movers (k,)`` and all features, and a row of zeros for the empty cell: ``(k + 1, p)``."""
    Z = table.take(movers)
    apart = np.zeros((len(movers) + 1, table.n_features), np.float32)
    for columns, block in table.blocks():
        apart[:-1, columns] = table.between(Z, block)
    apart[np.arange(len(movers)), movers] = 0
    return apart


def roam(state: Roaming, rng: np.random.Generator, order: np.ndarray, rounds: int = ROUNDS) -> float:
    """Give every mover in turn its best cell until none gains; returns the objective reached. The board changes.

    Features keep to their zone; closed cells are neither left nor taken. ``order`` lists the movers in an order that
    does not depend on the table's columns.
    """
    for _ in range(rounds):
        gained = sum(_settle(state, int(feature)) for feature in order[rng.permutation(len(order))])
        if gained > -SETTLED:
            break
    state.refresh()
    return state.objective()


def _settle(state: Roaming, feature: int) -> float:
    """Move a feature to its best cell, if there is a better one; returns the change of the objective."""
    board, layer = state.board, int(state.channel[feature])
    zone, seat = board.zone[layer], board.seat[layer]
    own = zone[state.cells[feature]]
    if own == CLOSED:
        return 0.0
    gain = state.gains(feature)
    gain[zone != own] = 0
    if len(state.movers) * len(zone) > SWAPS:
        gain[seat < len(state.channel)] = 0
    best = int(gain.argmin())
    if gain[best] > -1e-2 * SETTLED:
        return 0.0
    state.move(feature, best)
    return float(gain[best])
