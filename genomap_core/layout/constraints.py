"""What the user wants of a layout besides fidelity: shape, pins, gene sets, stability. Checked before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from genomap_core.errors import LayoutError
from genomap_core.layout.geometry import Grid
from genomap_core.layout.layout import Layout

Cell = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Constraints:
    """Wishes that the ``ot`` solver works around.

    Parameters
    ----------
    mask
        ``(height, width)`` bool: True where a feature may lie; None: everywhere.
    pins
        Index of a feature -> its (row, column).
    sets
        Name of a gene set -> indices of its features: each set is drawn as one contiguous region. A feature in several
        sets belongs to the first; pinned features stay at their pins.
    reference
        A layout of the same features (-1 where it had none) to stay comparable with: the result is turned and mirrored
        to it.
    stability
        Above 0: the work starts from ``reference``, and the mean squared move, in units of that of a random layout,
        times ``stability`` is added to the objective. 0.1 moves little; 1 hardly anything.
    """

    mask: np.ndarray | None = None
    pins: Mapping[int, Cell] = field(default_factory=dict)
    sets: Mapping[str, Sequence[int]] = field(default_factory=dict)
    reference: Layout | None = None
    stability: float = 0.0

    def __post_init__(self) -> None:
        if self.stability < 0:
            raise LayoutError(f"`stability` must be >= 0, got {self.stability}.")
        if self.stability > 0 and self.reference is None:
            raise LayoutError("`stability` needs a `reference` layout to be stable against.")

    def take(self, features: np.ndarray) -> Constraints:
        """The same wishes for these features only, counted anew; the mask stays."""
        place = {int(j): k for k, j in enumerate(features)}
        return replace(
            self,
            pins={place[j]: cell for j, cell in self.pins.items() if j in place},
            sets={name: [place[j] for j in members if j in place] for name, members in self.sets.items()},
            reference=None if self.reference is None else self.reference.take(features),
        )

    @property
    def any(self) -> bool:
        """Whether anything but a mask is wished for."""
        return bool(self.pins) or bool(self.sets) or self.reference is not None


def check(wishes: Constraints, grid: Grid, channel: np.ndarray) -> None:
    """Refuse wishes that can't be met, naming the feature or set.

    Raises
    ------
    LayoutError
        A pin outside the grid or in a masked cell, two pins in one cell, an unknown feature, a set too large.
    """
    p, (height, width) = len(channel), grid.shape
    unknown = [j for j in (*wishes.pins, *(j for s in wishes.sets.values() for j in s)) if not 0 <= j < p]
    if unknown:
        raise LayoutError(f"Feature {unknown[0]} does not exist: there are {p} features, counted from 0.")
    taken: dict[tuple[int, int, int], int] = {}
    for feature, (row, column) in wishes.pins.items():
        if not (0 <= row < height and 0 <= column < width):
            raise LayoutError(
                f"Feature {feature} is pinned to row {row}, column {column}, outside the {height} x {width} grid: "
                f"rows go from 0 to {height - 1}, columns from 0 to {width - 1}."
            )
        if grid.mask is not None and not grid.mask[row, column]:
            raise LayoutError(f"Feature {feature} is pinned to row {row}, column {column}, which the mask leaves out.")
        other = taken.setdefault((int(channel[feature]), row, column), feature)
        if other != feature:
            raise LayoutError(f"Features {other} and {feature} are pinned to the same cell ({row}, {column}).")
    if wishes.reference is not None and wishes.reference.n_features != p:
        raise LayoutError(
            f"The reference layout has {wishes.reference.n_features} features, the table {p}: use `reference.take` or "
            "lay out the same features."
        )


def owners(wishes: Constraints, n_features: int) -> np.ndarray:
    """Number of the set that each feature belongs to, -1 for none: ``(p,)`` int. Pinned features belong to none."""
    owner = np.full(n_features, -1)
    for k, members in reversed(list(enumerate(wishes.sets.values()))):
        owner[np.asarray(members, np.int64)] = k
    owner[np.fromiter(wishes.pins, np.int64, len(wishes.pins))] = -1
    return owner
