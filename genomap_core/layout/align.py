"""Layouts that can be compared: a map means the same when it is turned or mirrored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genomap_core.errors import LayoutError
from genomap_core.layout.layout import Layout


def align(layout: Layout, reference: Layout) -> Layout:
    """``layout`` turned and mirrored so that its features lie as near as can be to where ``reference`` has them.

    The mean squared distance over features placed in both is least among the 4 symmetries of a rectangle, or the 8 of
    a square. Quality is the same: distances within a map do not change.
    """
    if layout.shape != reference.shape or layout.n_features != reference.n_features:
        raise LayoutError(
            f"A layout of {layout.n_features} features on {layout.shape} can't be aligned to one of "
            f"{reference.n_features} on {reference.shape}: features and grid must be the same."
        )
    placed = (layout.positions[:, 0] >= 0) & (reference.positions[:, 0] >= 0)
    target = reference.positions[placed].astype(float)
    candidates = _symmetries(layout.positions, layout.shape)
    best = min(candidates, key=lambda p: float(((p[placed] - target) ** 2).sum()))
    return replace(layout, positions=np.where(layout.positions >= 0, best, -1).astype(np.int32))


def _symmetries(positions: np.ndarray, shape: tuple[int, int]) -> list[np.ndarray]:
    height, width = shape
    row, column = positions.T
    found = [np.stack([r, c], axis=1) for r in (row, height - 1 - row) for c in (column, width - 1 - column)]
    return found + [p[:, ::-1] for p in found] if height == width else found
