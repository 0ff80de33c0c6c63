"""The objective on the grid, and its gradient as a convolution.

With C1 = c - <z_i, z_j> (`lowrank`) the joint objective of an arrangement s is, up to a constant,

    E(s) = 1/2 sum_ij K(s_i - s_j) <z_i, z_j>,    K = (1 - balance) GW kernel - balance near kernel,

where the GW kernel is the Euclidean cell distance in units that make its part equal the Gromov-Wasserstein distortion
of mean-normalised distances with square loss (Memoli, FoCM 2011; Peyre et al., ICML 2016), and the near kernel is a
weighted mean over neighbouring cells. K depends on differences of cells only: its gradient with respect to what lies
in a cell, F = K * z, is one FFT convolution, O(m d log m), with no m x m matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft

from genomap_core.layout.geometry import Grid, mean_cell_distance, wrapped_distance

NEAR_WEIGHT = 0.1
"""Distortion that is as dear as a full unit of neighbour correlation at equal balance."""


@dataclass(frozen=True, eq=False)
class Kernels:
    """The grid's kernels, in units of the objective, ready to be mixed.

    Parameters
    ----------
    grid
        The cells.
    mean_distance
        Mean of C1 over pairs of features.
    """

    grid: Grid
    mean_distance: float

    @cached_property
    def padded(self) -> tuple[int, int]:
        """Sides of the zero-padded board: no wrap-around reaches a cell."""
        height, width = (scipy.fft.next_fast_len(2 * side - 1, real=True) for side in self.grid.shape)
        return height, width

    @cached_property
    def offsets(self) -> np.ndarray:
        """Length of every offset, in cells, on the padded board."""
        return wrapped_distance(self.padded)

    @cached_property
    def distance(self) -> np.ndarray:
        """Kernel whose energy is the arrangement's part of the GW distortion."""
        scale = 4 / (self.mean_distance * mean_cell_distance(self.grid) * max(self._pairs, 1))
        return scale * self.offsets

    def near(self, radius: float) -> np.ndarray:
        """Kernel whose energy is minus the mean correlation over cells nearer than about ``radius``.

        Below 2: the 8 neighbours, those that share an edge counting double. From 2 up: a Gaussian of that standard
        deviation, which is positive definite.
        """
        if radius < 2:
            weight = np.where(self.offsets < 1.1, 1.0, 0.5) * (self.offsets < 1.5) * (self.offsets > 0)
        else:
            weight = np.exp(-0.5 * (self.offsets / radius) ** 2)
        return -2 * NEAR_WEIGHT * weight / (self.grid.n_cells * max(weight.sum(), 1e-12))

    @property
    def _pairs(self) -> int:
        return self.grid.n_cells * (self.grid.n_cells - 1)

    def spectrum(self, balance: float, radius: float) -> np.ndarray:
        """Transformed mixture of both kernels, float32: the input of :func:`field`."""
        mixed = (1 - balance) * self.distance + balance * self.near(radius)
        return scipy.fft.rfft2(mixed).real.astype(np.float32)


def field(board: np.ndarray, spectrum: np.ndarray, padded: tuple[int, int], chunk: int = 8) -> np.ndarray:
    """Convolution of every dimension of the board with the kernel: ``(d, H, W)`` -> ``(d, H, W)`` float32."""
    height, width = board.shape[1:]
    out = np.empty_like(board)
    for start in range(0, len(board), chunk):
        part = slice(start, start + chunk)
        transformed = scipy.fft.rfft2(board[part], padded)
        transformed *= spectrum
        out[part] = scipy.fft.irfft2(transformed, padded)[:, :height, :width]
    return out
