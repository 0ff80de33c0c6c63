"""The optimiser's four moves on a `Board`. None of them raises the objective it linearises (without noise).

* :func:`blur_sweep`: all cells at once against distances and a wide, positive definite neighbourhood.
* :func:`lattice_sweep`: the exact 8-neighbour objective, one colour of a lattice after the other.
* :func:`swap_pass`: exact swaps of cells up to two apart, which lattices keep separate.
* :func:`best_swaps`: the best exact swap of any two cells, for small boards.

The distance kernel is conditionally negative definite, so the distance part is concave over arrangements (Maron &
Lipman, NeurIPS 2018): its linearisation at any earlier arrangement bounds it from above, for any number of features
moved at once. The neighbourhood part is linear while only cells of one colour change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np

from genomap_core.layout.assignment import Lattice, assign, windows
from genomap_core.layout.board import CLOSED, Board
from genomap_core.layout.field import CORNER, EDGE

PARTS = 4
"""Shares of the windows of one colour, each with random numbers of its own, so that threads change no result."""

Run = Callable[..., Iterable[Any]]
"""``map``, or that of an executor: windows of one colour are independent."""

REACH = [(dy, dx) for dy in range(3) for dx in range(-2, 3) if (dy, dx) > (0, 0)]


def blur_sweep(
    board: Board, radius: float, side: int, rng: np.random.Generator, noise: float = 0.0, run: Run = map
) -> None:
    """Assign in sparse windows, ``radius`` cells between members, about ``side**2`` members each."""
    stride = max(2, round(radius))
    gradient = board.far_field(board.kernels.blurred_spectrum(radius))
    rows, columns = np.divmod(np.arange(board.seat.shape[1]), board.shape[1])
    colours = (rows % stride) * stride + columns % stride
    for layer in range(board.n_layers):
        for group in _groups(board, layer, colours, stride * side, rng):
            _reseat(board, layer, group, gradient, noise, rng, run)


def lattice_sweep(
    board: Board, lattice: Lattice, side: int, rng: np.random.Generator, noise: float = 0.0, run: Run = map
) -> None:
    """Assign in windows of about ``side**2`` cells, one colour after the other, neighbourhoods brought up to date."""
    far = board.far_field()
    rows, columns = np.divmod(np.arange(board.seat.shape[1]), board.shape[1])
    colours = lattice.colours(rows, columns)
    for layer in range(board.n_layers):
        for group in _groups(board, layer, colours, round(side * lattice.area**0.5), rng):
            _reseat(board, layer, group, far + board.near_field(layer), noise, rng, run)


def _groups(
    board: Board, layer: int, colours: np.ndarray, side: int, rng: np.random.Generator
) -> list[list[np.ndarray]]:
    """Movable cells by colour (and zone), in windows, colours in random order."""
    zone = board.zone[layer]
    free = np.flatnonzero(zone != CLOSED)
    rows, columns = np.divmod(free, board.shape[1])
    labels = zone[free] * (int(colours.max()) + 1) + colours[free]
    groups = windows(labels, rows, columns, side, rng.integers(0, side, 2))
    return [[free[cells] for cells in groups[k]] for k in rng.permutation(len(groups))]


def _reseat(
    board: Board,
    layer: int,
    windows_of_cells: list[np.ndarray],
    gradient: np.ndarray,
    noise: float,
    rng: np.random.Generator,
    run: Run,
) -> None:
    """In each window the cheapest assignment of what sits there; empty cells take part for nothing."""
    seat, empty = board.seat[layer], board.n_features

    def cost_of(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features = seat[cells]
        features = features[features < empty]
        return features, board.cost(features, cells, gradient)

    spread = 0.0
    if noise:  # of the first window with features: good enough for all
        inhabited = (cells for cells in windows_of_cells if (seat[cells] < empty).any())
        spread = max((3.5 * noise * float(cost_of(cells)[1].std()) for cells in islice(inhabited, 1)), default=0.0)

    def settle(part: int) -> None:
        own = np.random.default_rng(seeds[part])
        for cells in windows_of_cells[part::PARTS]:
            features, cost = cost_of(cells)
            if spread:
                cost += spread * own.random(cost.shape, np.float32)
            seat[cells] = empty
            seat[cells[assign(cost)]] = features

    seeds = rng.integers(0, 2**63, PARTS)
    for _ in run(settle, range(min(PARTS, len(windows_of_cells)))):
        pass


def swap_pass(board: Board, layer: int, far: np.ndarray) -> int:
    """Swap cells up to two apart wherever that lowers the objective, each swap the best within its reach.

    ``far`` may be of an earlier arrangement. Returns the number of swaps.
    """
    gains = _swap_gains(board, layer, far)
    best = np.zeros(board.shape, np.float32)
    for gain, a, b in gains:
        best[a] = np.minimum(best[a], gain)
        best[b] = np.minimum(best[b], gain)
    lowest = _lowest_around(best)
    cell = np.arange(best.size).reshape(board.shape)
    pairs = [np.empty((2, 0), np.int64)]
    for gain, a, b in gains:
        chosen = (gain < -1e-4 * board.kernels.edge) & (gain == lowest[a]) & (gain == lowest[b])
        pairs.append(np.stack([cell[a][chosen], cell[b][chosen]]))
    first, second = _apart(np.concatenate(pairs, axis=1), board.shape)
    seat = board.seat[layer]
    seat[first], seat[second] = seat[second], seat[first]
    return len(first)


def _apart(pairs: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Of pairs of cells ``(2, k)`` those that reach no earlier one's cells: ``(2, l)``.

    Equal gains (of features that are alike) let pairs that share a cell be the best of their surroundings at once.
    """
    rank = np.arange(pairs.shape[1]) - pairs.shape[1]
    earliest = np.zeros(shape)
    for cells in pairs:
        np.minimum.at(earliest.ravel(), cells, rank)
    around = _lowest_around(earliest).ravel()
    return pairs[:, (around[pairs] == rank).all(axis=0)]


def best_swaps(board: Board, layer: int) -> int:
    """Swap the two cells of one zone whose exchange lowers the objective most, until none does; returns how many.

    O(cells^2) memory and time a swap: for small boards.
    """
    zone, seat = board.zone[layer], board.seat[layer]
    apart = (zone[:, None] != zone) | (zone == CLOSED)
    bond = board.kernels.between_cells()
    for swaps in range(2 * seat.size):
        here = board.vectors[seat]
        signed = here * board.signs
        cost = signed @ (board.far_field() + board.near_field(layer)).T
        if board.pull is not None and board.push is not None:
            cost += board.pull[seat] @ board.push.T
        inner, stay = signed @ here.T, cost.diagonal()
        norm = inner.diagonal()
        gain = cost + cost.T - stay[:, None] - stay - bond * (norm[:, None] + norm - 2 * inner)
        gain[apart] = 0
        a, b = np.unravel_index(gain.argmin(), gain.shape)
        if gain[a, b] >= -1e-5 * np.abs(cost).max():
            return swaps
        seat[[a, b]] = seat[[b, a]]
    return swaps + 1


def _lowest_around(values: np.ndarray) -> np.ndarray:
    """Least of 0 and the values up to two rows and columns away: ``(height, width)`` -> the same."""
    for axis in (0, 1):
        padded = np.pad(values, [(2, 2) if k == axis else (0, 0) for k in (0, 1)])
        values = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=axis).min(axis=-1)
    return values


Window = tuple[slice, slice]


def _swap_gains(board: Board, layer: int, far: np.ndarray) -> list[tuple[np.ndarray, Window, Window]]:
    """Change of the objective by every swap within reach: per offset, gains and the two windows of the board."""
    height, width = board.shape
    gradient = (far + board.near_field(layer)).reshape(height, width, -1)
    here = board.vectors[board.seat[layer]].reshape(height, width, -1)
    zone = board.zone[layer].reshape(height, width)
    pull = None if board.pull is None else board.pull[board.seat[layer]].reshape(height, width, -1)
    push = None if board.push is None else board.push.reshape(height, width, -1)
    gains = []
    for dy, dx in REACH:
        a: Window = (slice(0, max(height - dy, 0)), slice(max(0, -dx), max(width - max(0, dx), 0)))
        b: Window = (slice(dy, height), slice(max(0, dx), max(width + min(0, dx), 0)))
        if min(here[a].shape[:2]) == 0 or here[a].shape != here[b].shape:
            continue
        change = here[a] - here[b]
        signed = change * board.signs
        gain = np.einsum("ijk,ijk->ij", signed, gradient[b] - gradient[a])
        between = EDGE if dy + abs(dx) == 1 else CORNER if max(dy, abs(dx)) == 1 else 0.0
        if between:  # the two features' own bond, which both gradients count
            gain += np.float32(board.kernels.edge * between) * np.einsum("ijk,ijk->ij", signed, change)
        if pull is not None and push is not None:
            gain += np.einsum("ijk,ijk->ij", pull[a] - pull[b], push[b] - push[a])
        gain[(zone[a] != zone[b]) | (zone[a] == CLOSED)] = 0
        gains.append((gain, a, b))
    return gains
