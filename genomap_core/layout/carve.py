"""Contiguous regions for gene sets: cells taken round each set's centre, and their occupants exchanged."""

from __future__ import annotations

import heapq

import numpy as np

from genomap_core.errors import LayoutError
from genomap_core.layout.assignment import assign
from genomap_core.layout.board import Board
from genomap_core.layout.geometry import squared_distance


def carve(board: Board, layer: int, owner: np.ndarray, names: list[str]) -> None:
    """Give every set of ``owner (p,)`` one connected region of its own zone; ``board`` changes.

    Larger sets choose first. Outside the regions the board stays one zone (0).
    """
    here = np.concatenate([owner, [-1]])[board.seat[layer]]
    present, sizes = np.unique(here[here >= 0], return_counts=True)
    for k in present[np.argsort(-sizes, kind="stable")]:
        members = np.flatnonzero(here == k)
        free = board.zone[layer] == 0
        region = grow(free.reshape(board.shape), members, len(members))
        if region is None:
            raise LayoutError(
                f"The set {names[k]!r} ({len(members)} features) finds no connected room on the grid: choose a larger "
                "grid, fewer sets, or fewer pins."
            )
        _exchange(board, layer, members, region)
        board.zone[layer, region] = k + 1
        here = np.concatenate([owner, [-1]])[board.seat[layer]]


def grow(free: np.ndarray, members: np.ndarray, size: int) -> np.ndarray | None:
    """A connected, round set of ``size`` free cells near the centre of ``members``; None if there is no room.

    ``free (height, width)`` bool; members and result are row-major cells.
    """
    height, width = free.shape
    position = np.stack(np.divmod(np.arange(free.size), width), axis=1)
    distance = squared_distance(position, np.median(position[members], axis=0)[None])[:, 0]
    left = free.ravel().copy()
    while left.any():
        seed = int(np.flatnonzero(left)[distance[left].argmin()])
        queue = [(float(distance[seed]), seed)]
        region: list[int] = []
        seen = {seed}
        while queue and len(region) < size:
            _, cell = heapq.heappop(queue)
            region.append(cell)
            row, column = divmod(cell, width)
            for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                near = r * width + c
                if 0 <= r < height and 0 <= c < width and left[near] and near not in seen:
                    seen.add(near)
                    heapq.heappush(queue, (float(distance[near]), near))
        if len(region) == size:
            return np.array(region)
        left[region] = False
    return None


def _exchange(board: Board, layer: int, members: np.ndarray, region: np.ndarray) -> None:
    """Move the members' features into the region, and the region's other occupants to the cells they left."""
    seat, width = board.seat[layer], board.shape[1]
    position = np.stack(np.divmod(np.arange(seat.size), width), axis=1)
    outside, inside = np.setdiff1d(members, region), np.setdiff1d(region, members)
    if not len(outside):
        return
    coming, leaving = seat[outside], seat[inside]
    seat[inside[assign(squared_distance(position[outside], position[inside]))]] = coming
    seat[outside[assign(squared_distance(position[inside], position[outside]))]] = leaving
