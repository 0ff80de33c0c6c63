"""What correlations come about by chance: predictions given to other patients, or laid elsewhere on the tissue.

Neighbouring spots of a tissue are alike. Exchanged freely, they lose that, and two smooth but unrelated patterns seem
to agree far too often to be chance. So the layout of a section is turned, mirrored and shifted as a whole: neighbours
stay neighbours ("spin" test: Alexander-Bloch et al., NeuroImage 178:540, 2018). It holds where a pattern is of one kind
all over the section; a section with a gradient from edge to edge leaves little to tell chance by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from genomap_core.errors import InputError
from genomap_core.workflows.expression.correlations import centred, rows_of_each
from genomap_core.workflows.fusion.controls import permute_within

Move = Callable[[np.random.Generator], np.ndarray]
"""Draws the row ``(n,)`` that each row is given."""

_KEPT = 100
"""Permutations whose correlations are kept for a picture."""
_TIE = 1e-5
"""Correlations closer than this are equal: they are computed in single precision."""


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """Of ``g`` genes."""

    p: np.ndarray
    """``(g,)`` one-sided p: how often chance correlates at least as much"""
    null: np.ndarray
    """``(b, g)`` float32, correlations of at most 100 of the permutations"""


def permutation_p(
    truth: np.ndarray,
    predicted: np.ndarray,
    n_permutations: int,
    seed: int,
    within: np.ndarray | None = None,
    places: np.ndarray | None = None,
) -> PermutationTest:
    """Hold Pearson's r of every gene against its r with the predictions of other rows.

    p is (1 + hits) / (1 + permutations), never 0 (Phipson and Smyth, Stat Appl Genet Mol Biol 9:39, 2010). All genes of
    a permutation are moved alike, so that what ties them together stays.

    Parameters
    ----------
    truth, predicted
        ``(n, g)``.
    within
        ``(n,)`` int codes of cohorts or sections: rows are moved within them only, and r is of
        values less their means.
    places
        ``(n, 2)`` centres of the spots of a tissue, in any unit: the layout of each section is moved as a whole
        instead.

    Raises
    ------
    InputError
        No permutation, or arrays that do not fit together.
    """
    n = len(truth)
    _check(truth, predicted, within, places, n_permutations)
    codes = np.zeros(n, np.int64) if within is None else np.asarray(within)
    parts = rows_of_each(codes)
    outcome, values = (_unit(centred(a, codes)) for a in (truth, predicted))
    rng = np.random.default_rng(seed)
    move = _exchanging(n, parts) if places is None else _spinning(np.asarray(places, np.float64), parts)
    observed = _r(outcome, values, np.arange(n), parts)
    hits = np.zeros(truth.shape[1], np.int64)
    null: list[np.ndarray] = []
    for _ in range(n_permutations):
        r = _r(outcome, values, move(rng), parts)
        hits += r >= observed - _TIE
        if len(null) < _KEPT:
            null.append(r)
    return PermutationTest((1 + hits) / (1 + n_permutations), np.stack(null))


def _exchanging(n: int, parts: list[np.ndarray]) -> Move:
    return lambda rng: permute_within(n, parts, int(rng.integers(2**63)))


def _spinning(places: np.ndarray, parts: list[np.ndarray]) -> Move:
    """Turned by any angle, mirrored by half a chance, shifted by up to half the section: the nearest spot then.

    Where a section is moved off its own ground, its edge goes on; that errs on the side of chance.
    """
    trees = [KDTree(places[part]) for part in parts]

    def move(rng: np.random.Generator) -> np.ndarray:
        rows = np.arange(len(places))
        for part, tree in zip(parts, trees, strict=True):
            own = places[part]
            angle, mirror = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [1, mirror]
            shift = rng.uniform(-0.5, 0.5, 2) * np.ptp(own, axis=0)
            middle = own.mean(0)
            rows[part] = part[tree.query((own - middle) @ turn.T + middle + shift)[1]]
        return rows

    return move


def _unit(values: np.ndarray) -> np.ndarray:
    length = np.sqrt((values**2).sum(0))
    return (values / np.where(length > 0, length, 1)).astype(np.float32)


def _r(outcome: np.ndarray, values: np.ndarray, rows: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """``(g,)`` float32: r of ``outcome`` and ``values[rows]``, both ``(n, g)`` of zero mean in every part.

    A row may be taken more than once: the spread of the taken ones follows from how often each is.
    """
    product = np.einsum("ng,ng->g", outcome, values[rows])
    if len(np.unique(rows)) == len(rows):
        return product
    count = np.bincount(rows, minlength=len(rows)).astype(np.float32)
    spread = count @ values**2
    for part in parts:
        spread -= (count[part] @ values[part]) ** 2 / len(part)
    return product / np.sqrt(np.where(spread > 1e-6, spread, np.inf))


def _check(
    truth: np.ndarray, predicted: np.ndarray, within: np.ndarray | None, places: np.ndarray | None, count: int
) -> None:
    n = len(truth)
    if count < 1:
        raise InputError(f"{count} permutations: at least one is needed, better 1,000.")
    if truth.ndim != 2 or truth.shape != predicted.shape:
        raise InputError(f"Truth {truth.shape} and predictions {predicted.shape}: both must be (patients, genes).")
    if within is not None and np.shape(within) != (n,):
        raise InputError(f"Cohort codes {np.shape(within)} for {n} patients: give one a patient.")
    if places is not None and np.shape(places) != (n, 2):
        raise InputError(f"Places {np.shape(places)} for {n} spots: give two coordinates a spot.")
