"""The objective on the grid, and its gradient as a convolution.

With C1 = c - <z_i, z_j> (`lowrank`) the joint objective of an arrangement s is, up to a constant,

    E(s) = 1/2 sum_ij K(s_i - s_j) <z_i, z_j>,    K = (1 - balance) GW kernel - balance near kernel,

where the GW kernel is the Euclidean cell distance in units that make its part equal the Gromov-Wasserstein distortion
of mean-normalised distances with square loss (Memoli, FoCM 2011; Peyre et al., ICML 2016), and the near kernel is a
weighted mean over neighbouring cells. K depends on differences of cells only: its gradient with respect to what lies
in a cell, F = K * z, is one FFT convolution, O(m d log m), with no m x m matrix.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft

from genomap_core.layout.geometry import Grid, mean_cell_distance, wrapped_distance

NEAR_WEIGHT = 0.1
"""Distortion that is as dear as a full unit of neighbour correlation at equal balance."""
EDGE, CORNER, SAME = 1.0, 0.5, 1.0
"""Weights of cells that share an edge, a corner, and of two omics types in one cell."""


@dataclass(frozen=True, eq=False)
class Kernels:
    """The grid's kernels, in units of the objective.

    Parameters
    ----------
    grid
        The cells.
    mean_distance
        Mean of C1 over pairs of features.
    n_features
        Features to place.
    balance
        0: distances only; 1: neighbourhoods only.
    mean_apart
        Mean distance of the cells that features are given; None: of all usable cells.
    """

    grid: Grid
    mean_distance: float
    n_features: int
    balance: float
    mean_apart: float | None = None

    @cached_property
    def padded(self) -> tuple[int, int]:
        """Sides of the zero-padded board: no wrap-around reaches a cell."""
        height, width = (scipy.fft.next_fast_len(2 * side - 1, real=True) for side in self.grid.shape)
        return height, width

    @cached_property
    def _offsets(self) -> np.ndarray:
        return wrapped_distance(self.padded)

    @cached_property
    def _distance(self) -> np.ndarray:
        """Kernel whose energy is the arrangement's part of the GW distortion."""
        pairs = max(self.n_features * (self.n_features - 1), 1)
        apart = mean_cell_distance(self.grid) if self.mean_apart is None else self.mean_apart
        scale = 4 / (max(self.mean_distance, 1e-12) * apart * pairs)
        return (1 - self.balance) * scale * self._offsets

    @property
    def edge(self) -> float:
        """What a unit of correlation across one shared edge takes off the objective."""
        return self.balance * NEAR_WEIGHT / (3 * self.n_features)  # about 6 weighted neighbours, each pair seen twice

    def between_cells(self) -> np.ndarray:
        """The exact kernel K of every two cells of a small board: ``(height * width, height * width)`` float32."""
        height, width = self.grid.shape
        rows, columns = np.divmod(np.arange(height * width), width)
        dy, dx = (np.abs(np.subtract.outer(side, side)) for side in (rows, columns))
        near = np.where(dy + dx == 1, EDGE, np.where((dy == 1) & (dx == 1), CORNER, 0.0))
        return (self._distance[dy, dx] - self.edge * near).astype(np.float32)

    @cached_property
    def far_spectrum(self) -> np.ndarray:
        """Transformed distance kernel."""
        return _transform(self._distance)

    def blurred_spectrum(self, radius: float) -> np.ndarray:
        """Transformed distance kernel minus a Gaussian of standard deviation ``radius`` cells with the near weight.

        The Gaussian is positive definite, so that a simultaneous assignment of all cells never raises the objective.
        """
        weight = np.exp(-0.5 * (self._offsets / radius) ** 2)
        return _transform(self._distance - 6 * self.edge / weight.sum() * weight)


def distance_spectrum(padded: tuple[int, int]) -> np.ndarray:
    """Transformed Euclidean distance of cells, in cells."""
    return _transform(wrapped_distance(padded))


def _transform(kernel: np.ndarray) -> np.ndarray:
    return scipy.fft.rfft2(kernel).real.astype(np.float32)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def convolve(board: np.ndarray, spectrum: np.ndarray, padded: tuple[int, int], chunk: int = 8) -> np.ndarray:
    """Every dimension of the board folded with a kernel: ``(height, width, d)`` -> the same, float32."""
    height, width, depth = board.shape
    planes = np.ascontiguousarray(board.transpose(2, 0, 1))
    workers = available_cores() if height * width > 4096 else 1
    for start in range(0, depth, chunk):
        part = slice(start, start + chunk)
        transformed = scipy.fft.rfft2(planes[part], padded, workers=workers)
        transformed *= spectrum
        planes[part] = scipy.fft.irfft2(transformed, padded, workers=workers)[:, :height, :width]
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def near_sum(board: np.ndarray) -> np.ndarray:
    """Weighted sum of the 8 neighbours of each cell: ``(height, width, d)`` -> the same."""
    beside = np.zeros_like(board)
    beside[:, 1:] += board[:, :-1]
    beside[:, :-1] += board[:, 1:]
    row = EDGE * board + CORNER * beside
    beside *= EDGE
    beside[1:] += row[:-1]
    beside[:-1] += row[1:]
    return beside
