"""Layouts that can be compared: a map means the same when it is turned or mirrored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genomap_core.errors import LayoutError
from genomap_core.layout.layout import Layout


def align(layout: Layout, reference: Layout) -> Layout:
    """The reflection or rotation of ``layout`` under which its features lie nearest to ``reference``.

    Four candidates on a rectangle, eight on a square; neighbourhoods and quality stay as they are.
    """
    _check_same(layout, reference)
    both = (layout.positions[:, 0] >= 0) & (reference.positions[:, 0] >= 0)
    goal = _unit(reference.positions[both], reference.shape)
    turned = _turns(layout)
    cost = [float(((_unit(at[both], layout.shape) - goal) ** 2).sum()) for at in turned]
    return replace(layout, positions=turned[int(np.argmin(cost))])


def _turns(layout: Layout) -> list[np.ndarray]:
    """Positions under every symmetry of the grid; features without a cell stay without one."""
    last = np.asarray(layout.shape) - 1
    swaps = (False, True) if layout.shape[0] == layout.shape[1] else (False,)
    turned = []
    for swap in swaps:
        at = layout.positions[:, ::-1] if swap else layout.positions
        for down in (False, True):
            for across in (False, True):
                flipped = np.where([down, across], last - at, at).astype(np.int32)
                flipped[layout.positions[:, 0] < 0] = -1
                turned.append(np.ascontiguousarray(flipped))
    return turned


def _unit(positions: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return (positions + 0.5) / np.asarray(shape)


def _check_same(a: Layout, b: Layout) -> None:
    if a.n_features != b.n_features:
        raise LayoutError(
            f"Layouts of {a.n_features} and {b.n_features} features can't be compared: use `Layout.take`."
        )


def displacement(layout: Layout, reference: Layout) -> np.ndarray:
    """How far each feature moved, in cells of ``layout``: ``(p,)`` float64, NaN where one of the two has no cell."""
    _check_same(layout, reference)
    scale = np.asarray(layout.shape)
    moved = np.hypot(*((_unit(layout.positions, layout.shape) - _unit(reference.positions, reference.shape)) * scale).T)
    placed = (layout.positions[:, 0] >= 0) & (reference.positions[:, 0] >= 0)
    return np.where(placed, moved, np.nan)
