"""Training rows as they look with features missing: some cells lost, and filled from what other rows taught."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from genomap_core.data.fill import LowRankFill, fill_on_map, rows_to_learn_from
from genomap_core.data.perturb import block_rank, keep_rank
from genomap_core.errors import InputError

WAYS = ("lowrank", "map")
SHARES = (0.5, 0.2, 0.1, 0.05)
"""Of the features, what a copy keeps."""
_FOLDS = 5
_TOGETHER = 8  # rows that lack the same features: one system of equations for all of them
_MAX_VALUES = 64_000_000  # of all copies: 256 MB


@dataclass(frozen=True, eq=False)
class MaskedCopies:
    """Rows with features missing and filled: ``maps`` ``(R, n, c, H, W)`` float32, the ``shares`` kept ``(R, n)``."""

    maps: np.ndarray
    shares: np.ndarray

    def take(self, rows: np.ndarray) -> MaskedCopies:
        return MaskedCopies(self.maps[:, rows], self.shares[:, rows])


def masked_copies(maps: np.ndarray, groups: np.ndarray | None, seed: int, way: str = "lowrank") -> MaskedCopies:
    """Copies of maps ``(n, c, H, W)`` to train on: each row is masked as by :func:`masked_by` the rows of other folds.

    Its own values, and those of its group ``(n,)``, would give what it lost away.
    """
    n = len(maps)
    n_copies = _n_copies(maps.size)
    copies, shares = np.repeat(maps[None], n_copies, axis=0), np.ones((n_copies, n))
    rng, turn = np.random.default_rng(seed), itertools.count()
    units = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    fold = (rng.permutation(units.max() + 1) % _FOLDS)[units]
    for k in np.unique(fold):
        rows = np.flatnonzero(fold == k)
        if len(rows) < n:  # else there is one group only
            masked = masked_by(maps[fold != k], maps[rows], rng, way, n_copies, turn)
            copies[:, rows], shares[:, rows] = masked.maps, masked.shares
    return MaskedCopies(copies, shares)


def masked_by(
    others: np.ndarray,
    maps: np.ndarray,
    rng: np.random.Generator,
    way: str = "lowrank",
    n_copies: int | None = None,
    turn: Iterator[int] | None = None,
) -> MaskedCopies:
    """Copies of maps ``(m, c, H, W)`` with features lost at random, half of them in blocks of correlated ones.

    What is correlated, and what fills the gaps, is learned on ``others`` ``(n, c, H, W)``; for ``way="map"`` gaps are
    filled from neighbours on the map. One copy for each of :data:`SHARES` where memory allows, else one in all.
    """
    taught = others[rows_to_learn_from(len(others))].reshape(-1, math.prod(maps.shape[1:]))
    cells = np.flatnonzero(taught.max(axis=0) > taught.min(axis=0))
    fill, flat = LowRankFill.fit(taught[:, cells]), maps.reshape(len(maps), -1)
    n_copies, turn = n_copies or _n_copies(maps.size), turn or itertools.count()
    copies, shares = np.repeat(flat[None], n_copies, axis=0), np.ones((n_copies, len(maps)))
    for chunk in np.array_split(rng.permutation(len(maps)), math.ceil(len(maps) / _TOGETHER)):
        i = next(turn)
        for r in range(n_copies):
            share = SHARES[(r + i) % len(SHARES)]
            values = flat[np.ix_(chunk, cells)]
            values[:, _rank(fill, bool((i // len(SHARES) + r) % 2), rng) >= share] = np.nan
            if way == "map":
                copies[r, chunk] = _on_map(values, cells, maps.shape[1:])
            else:
                copies[r][np.ix_(chunk, cells)] = fill.apply(values)
            shares[r, chunk] = share
    return MaskedCopies(copies.reshape(n_copies, *maps.shape), shares)


def _n_copies(n_values: int) -> int:
    return len(SHARES) if len(SHARES) * n_values <= _MAX_VALUES else 1


def _on_map(values: np.ndarray, cells: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values ``(m, q)`` of these cells, NaN where missing, as filled maps: ``(m, c H W)``."""
    flat, open_ = np.zeros((len(values), math.prod(shape)), np.float32), np.zeros(math.prod(shape), bool)
    flat[:, cells], open_[cells] = values, True
    return fill_on_map(flat.reshape(-1, *shape), open_.reshape(shape)).reshape(len(values), -1)


def _rank(fill: LowRankFill, in_blocks: bool, rng: np.random.Generator) -> np.ndarray:
    """The order in which features are lost, ``(q,)`` in [0, 1)."""
    seed, q = int(rng.integers(2**31)), fill.components.shape[1]
    return block_rank(fill.components, seed) if in_blocks and len(fill.components) else keep_rank(seed, q)


@dataclass(frozen=True, slots=True)
class Endurance:
    """What is left of a model's balanced accuracy as features are missing.

    ``shares`` kept, descending from 1; ``accuracy`` of each, on rows left out in training, never above that of a larger
    share; ``chance``: of a guess.
    """

    shares: tuple[float, ...]
    accuracy: tuple[float, ...]
    chance: float

    def __post_init__(self) -> None:
        sound = len(self.shares) == len(self.accuracy) > 0 and 0 < self.chance < 1 and self.shares[0] == 1
        if not sound or any(not 0 < b < a for a, b in itertools.pairwise(self.shares)):
            raise InputError(f"Shares must fall from 1 and have an accuracy each, got {self.shares}, {self.accuracy}.")

    def expected(self, share: float) -> float:
        """Balanced accuracy with this share of the features, in (0, 1]: linear in the log of the share."""
        at = np.log(self.shares[::-1])
        return float(np.interp(math.log(max(share, 1e-6)), at, self.accuracy[::-1]))

    @property
    def limit(self) -> float:
        """The least measured share at which the model still has half of what it has beyond chance."""
        half = (self.accuracy[0] + self.chance) / 2
        return min(share for share, found in zip(self.shares, self.accuracy) if found >= half or share == 1)


def endurance_of(guesses: np.ndarray, y: np.ndarray, shares: np.ndarray) -> Endurance:
    """From the guesses ``(R, n)`` for rows of classes ``y`` ``(n,)`` with these shares of features ``(R, n)``."""
    classes = np.unique(y)
    truth, levels, found = np.broadcast_to(y, guesses.shape), np.unique(shares)[::-1], []
    for level in levels:
        right = [(guesses == truth)[(shares == level) & (truth == c)] for c in classes]
        found.append(float(np.mean([r.mean() for r in right if len(r)])))
    falling = np.minimum.accumulate(found)
    return Endurance(tuple(levels.round(4).tolist()), tuple(falling.tolist()), 1.0 / max(2, len(classes)))
