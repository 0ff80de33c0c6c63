"""The state that the optimiser changes: which feature sits in which cell, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from genomap_core.layout.field import SAME, Kernels, convolve, near_sum
from genomap_core.layout.lowrank import FeatureVectors

CLOSED = -1


@dataclass(eq=False)
class Board:
    """Seats of features on a full ``height x width`` board, one layer per omics type.

    Parameters
    ----------
    kernels
        The objective.
    vectors
        ``(p + 1, d)`` low-rank features; the last row is an empty cell: zero.
    signs
        ``(d,)`` of the inner product.
    seat
        ``(layers, height * width)`` int: feature of each cell, p where it is empty.
    zone
        ``(layers, height * width)`` int: a feature moves within the zone it sits in only; -1: cells it never leaves.
    pull, push
        ``(p + 1, e)`` and ``(height * width, e)``: a linear cost <pull, push> of each feature in each cell.
    """

    kernels: Kernels
    vectors: np.ndarray
    signs: np.ndarray
    seat: np.ndarray
    zone: np.ndarray
    pull: np.ndarray | None = None
    push: np.ndarray | None = None
    signed: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.signed = self.vectors * self.signs

    def set_vectors(self, vectors: FeatureVectors) -> None:
        """Take these as the features' vectors."""
        self.vectors = np.vstack([vectors.values, np.zeros((1, vectors.values.shape[1]), np.float32)])
        self.signs = vectors.signs
        self.signed = self.vectors * self.signs

    @property
    def shape(self) -> tuple[int, int]:
        return self.kernels.grid.shape

    @property
    def n_features(self) -> int:
        return len(self.vectors) - 1

    @property
    def n_layers(self) -> int:
        return len(self.seat)

    def contents(self) -> np.ndarray:
        """Sum over omics types of what lies in each cell: ``(height, width, d)``."""
        total = self.vectors[self.seat[0]]
        for layer in self.seat[1:]:
            total += self.vectors[layer]
        return total.reshape(*self.shape, -1)

    def far_field(self, spectrum: np.ndarray | None = None) -> np.ndarray:
        """Gradient of the distance part (or of the kernel of ``spectrum``): ``(height * width, d)``."""
        spectrum = self.kernels.far_spectrum if spectrum is None else spectrum
        return convolve(self.contents(), spectrum, self.kernels.padded).reshape(self.seat.shape[1], -1)

    def near_field(self, layer: int) -> np.ndarray:
        """Gradient of the neighbourhood part for one omics type: ``(height * width, d)``."""
        contents = self.contents()
        total = near_sum(contents)
        if self.n_layers > 1:
            total += SAME * (contents - self.vectors[self.seat[layer]].reshape(contents.shape))
        total *= -self.kernels.edge
        return total.reshape(self.seat.shape[1], -1)

    def cost(self, features: np.ndarray, cells: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Linear cost of each feature in each cell: ``(k,)``, ``(m,)`` -> ``(k, m)``."""
        cost = self.signed[features] @ gradient[cells].T
        if self.pull is not None and self.push is not None:
            cost += self.pull[features] @ self.push[cells].T
        return cost

    def objective(self) -> float:
        """E(s) of `field`, with the linear cost."""
        far, total = self.far_field(), 0.0
        for layer in range(self.n_layers):
            sitting = self.seat[layer]
            total += 0.5 * float(np.vdot(self.signed[sitting], far + self.near_field(layer)))
            if self.pull is not None and self.push is not None:
                total += float(np.vdot(self.pull[sitting], self.push))
        return total

    def cell_of_feature(self) -> np.ndarray:
        """``(p,)`` int: row-major cell of each feature; -1 for one that sits nowhere."""
        cells = np.full(self.n_features + 1, -1)
        for layer in self.seat:
            cells[layer] = np.arange(layer.size)
        return cells[:-1]


def make_board(
    vectors: FeatureVectors, kernels: Kernels, channel: np.ndarray, cells: np.ndarray, fixed: np.ndarray | None = None
) -> Board:
    """A board with every feature in its cell: row-major ``cells (p,)``; features marked ``fixed (p,)`` never move."""
    p, size = len(channel), int(np.prod(kernels.grid.shape))
    seat = np.full((int(channel.max()) + 1, size), p)
    seat[channel, cells] = np.arange(p)
    zone = np.full(seat.shape, CLOSED)
    zone[:, kernels.grid.open_cells] = 0
    if fixed is not None:
        zone[channel[fixed], cells[fixed]] = CLOSED
    padded = np.vstack([vectors.values, np.zeros((1, vectors.values.shape[1]), np.float32)])
    return Board(kernels, padded, vectors.signs, seat, zone)


def close_empty(board: Board) -> None:
    """Leave the cells that are empty out of every move."""
    board.zone[(board.seat == board.n_features) & (board.zone == 0)] = CLOSED


def open_empty(board: Board) -> None:
    """Let features move into the usable cells that are empty."""
    usable = np.zeros(board.zone.shape, bool)
    usable[:, board.kernels.grid.open_cells] = True
    board.zone[(board.seat == board.n_features) & usable] = 0
