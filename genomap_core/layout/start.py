"""Where the optimiser starts: features sorted by their principal components, pinned, or where a reference has them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from genomap_core.layout.assignment import assign
from genomap_core.layout.geometry import squared_distance
from genomap_core.layout.layout import Layout
from genomap_core.layout.problem import Problem


def first_cells(values: np.ndarray, problem: Problem, compact: bool = False) -> np.ndarray:
    """Row-major cell of each feature, pins and reference respected: ``(p, d)`` -> ``(p,)`` int.

    Spread evenly over the free cells, or ``compact``: each omics type in one block of cells without a hole.
    """
    wishes, width = problem.constraints, problem.grid.shape[1]
    cells = np.full(len(values), -1)
    for feature, (row, column) in wishes.pins.items():
        cells[feature] = row * width + column
    if wishes.reference is not None and wishes.stability > 0:
        _like(wishes.reference, problem, cells)
    plane = _turned_to(wishes.pins, principal_plane(values), problem)
    for code in range(problem.n_channels):
        own = problem.channel == code
        free = np.setdiff1d(problem.grid.open_cells, cells[own & (cells >= 0)])
        left = np.flatnonzero(own & (cells < 0))
        if len(left):
            seats = nearest_cells(free, len(left), middle(cells, problem), width) if compact else free
            cells[left] = _sorted_into(plane[left], seats, width)
    return cells


def nearest_cells(free: np.ndarray, k: int, middle: np.ndarray, width: int) -> np.ndarray:
    """The ``k`` of the row-major cells ``free`` nearest to a point ``(row, column)``, in their order: ``(k,)`` int."""
    away = ((np.stack(np.divmod(free, width), axis=1) - middle) ** 2).sum(axis=1)
    return free[np.sort(np.argsort(away, kind="stable")[:k])]


def middle(cells: np.ndarray, problem: Problem) -> np.ndarray:
    """Centre of the features that have a cell already, else of the usable cells: ``(row, column)``."""
    taken = cells[cells >= 0]
    chosen = taken if len(taken) else problem.grid.open_cells
    return np.stack(np.divmod(chosen, problem.grid.shape[1])).mean(axis=1)


def _turned_to(pins: Mapping[int, tuple[int, int]], plane: np.ndarray, problem: Problem) -> np.ndarray:
    """The plane, mirrored or with its axes exchanged, so that pinned features fall near their pins: ``(p, 2)``.

    A single pin would not turn a whole map round later, when every other feature has found its friends.
    """
    if not pins:
        return plane
    features = np.fromiter(pins, np.int64, len(pins))
    wanted = (np.array(list(pins.values())) + 0.5) / np.asarray(problem.grid.shape)
    options = [p * [a, b] for p in (plane, plane[:, ::-1]) for a in (1, -1) for b in (1, -1)]

    def miss(option: np.ndarray) -> float:
        rank = np.argsort(np.argsort(option, axis=0), axis=0)[features] / len(option)
        return float(((rank[:, ::-1] - wanted) ** 2).sum())

    return min(options, key=miss)


def principal_plane(values: np.ndarray) -> np.ndarray:
    """First two principal components of the features: ``(p, d)`` -> ``(p, 2)``."""
    centred = values - values.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    plane = centred @ axes[:, ::-1][:, :2]
    return plane if plane.shape[1] == 2 else np.repeat(plane, 2, axis=1)


def _sorted_into(plane: np.ndarray, free: np.ndarray, width: int) -> np.ndarray:
    """Free cells taken evenly: by the first component into columns, within columns by the second: ``(k,)`` int."""
    rows, columns = np.divmod(free, width)
    by_column = np.lexsort((rows, columns))
    seats = free[by_column[np.linspace(0, len(free) - 1, len(plane)).round().astype(int)]]
    order = np.argsort(plane[:, 0], kind="stable")
    cells = np.empty(len(plane), np.int64)
    cells[order[np.lexsort((plane[order, 1], seats % width))]] = seats
    return cells


def canonical_order(values: np.ndarray) -> np.ndarray:
    """Order of vectors ``(p, d)`` that the table's columns do not set, but where vectors are alike: ``(p,)`` int."""
    return np.lexsort(np.round(values[:, :3], 4).T)


def reference_points(reference: Layout, problem: Problem) -> np.ndarray:
    """The reference's places on this grid: ``(p, 2)`` float32, NaN for features without one."""
    scale = np.asarray(problem.grid.shape) / np.asarray(reference.shape)
    points = (reference.positions + 0.5) * scale - 0.5
    points[reference.positions[:, 0] < 0] = np.nan
    return points.astype(np.float32)


def _like(reference: Layout, problem: Problem, cells: np.ndarray) -> None:
    """Seat features at their reference places, or as near as there is room; ``cells`` changes."""
    points, width = reference_points(reference, problem), problem.grid.shape[1]
    for code in range(problem.n_channels):
        own = problem.channel == code
        wanted = np.flatnonzero(own & (cells < 0) & np.isfinite(points[:, 0]))
        free = np.setdiff1d(problem.grid.open_cells, cells[own & (cells >= 0)])
        nearest = np.rint(points[wanted]).astype(np.int64) @ np.array([width, 1])
        _, first = np.unique(nearest, return_index=True)
        first = first[np.isin(nearest[first], free)]
        cells[wanted[first]] = nearest[first]
        rest, free = np.delete(wanted, first), np.setdiff1d(free, nearest[first])
        if 0 < len(rest) <= 2000 and len(free) <= 5000:
            spots = np.stack(np.divmod(free, width), axis=1)
            cells[rest] = free[assign(squared_distance(points[rest], spots))]
