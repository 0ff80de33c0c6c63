"""Do two models look at the same? One definition of agreement, and of the range of an answer under noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.stats import rankdata

from genomap_core.explain.attribution import rank_correlation
from genomap_core.explain.regions import REGION_METHODS

LEAST = 5
"""Common features or regions below which no agreement is told."""
_PAIRINGS = 200
_LEVEL = 0.95

Unit = Literal["features", "regions"]


@dataclass(frozen=True, slots=True)
class Agreed:
    """How far two attributions of one patient agree, beside what chance and the models' own steadiness allow."""

    value: float
    """Spearman's correlation over what both models use; NaN below :data:`LEAST` of it or where one is constant"""
    over: Unit
    n: int
    """Features, or regions, that both models use"""
    chance: float
    """What 95 % of random pairings stay below, in absolute value"""
    shared: float
    """Share of the ``k`` strongest of these that both name"""
    k: int
    ceiling: float | None = None
    """What two seeds of the same models reach: no two models can be expected to agree more; None: not measured"""

    @property
    def beyond_chance(self) -> bool:
        """Whether the attributions agree more than random pairings do."""
        return self.value > self.chance

    @property
    def words(self) -> str:
        """One sentence, with everything the number needs."""
        if np.isnan(self.value):
            return f"No agreement can be told: both models use only {self.n} common {self.over}."
        ceiling = "" if self.ceiling is None else f"; two seeds of the same models {self.ceiling:+.2f}"
        return (
            f"Rank correlation {self.value:+.2f} over the {self.n:,} {self.over} that both models use (random pairings"
            f" stay within {self.chance:.2f}{ceiling}); {self.shared:.0%} of the {self.k} strongest are shared."
        )


def agreed(
    one: Mapping[str, Any], other: Mapping[str, Any], regions: np.ndarray, ceiling: float | None = None, seed: int = 0
) -> Agreed:
    """Compare two attributions of the same patient and class, like with like.

    Both say how much each feature moved the answer: they are compared over the features that both models use. Where one
    of them explains regions of the map, its values within a region are a convention: both are summed over regions, and
    compared over those in which both models use a feature.

    Parameters
    ----------
    one, other
        ``values (p,)``, ``used (p,)`` bool and ``method``, as
        :func:`~genomap_core.workflows.tabular.patient.attribute` gives them.
    regions
        ``(p,)`` map region of each feature, -1 outside the map.
    ceiling
        Of :func:`ceiling_of`.

    A random pairing is one model's attribution with the directions of all values drawn by chance: both models still
    look at what stands out in this patient, but not for the same reason. Independent linear models lie beyond it one
    time in 20.
    """
    over: Unit = "regions" if {kind_of(one["method"]), kind_of(other["method"])} != {"features"} else "features"
    a, b = common_parts(one, other, regions, over)
    k = min(50, max(1, len(a) // 5))
    if len(a) < LEAST:
        return Agreed(float("nan"), over, len(a), float("nan"), float("nan"), k, ceiling)
    strongest = [set(np.argsort(-np.abs(v), kind="stable")[:k].tolist()) for v in (a, b)]
    chance = _by_chance(a, b, np.random.default_rng(seed))
    return Agreed(rank_correlation(a, b), over, len(a), chance, len(strongest[0] & strongest[1]) / k, k, ceiling)


def kind_of(method: str) -> Unit:
    """What carries the values of a method: single features, or regions of the map."""
    return "regions" if method in REGION_METHODS else "features"


def common_parts(
    one: Mapping[str, Any], other: Mapping[str, Any], regions: np.ndarray, over: Unit
) -> tuple[np.ndarray, np.ndarray]:
    """Both attributions over what both models use: ``(m,)`` and ``(m,)``."""
    used = [np.asarray(a["used"], bool) for a in (one, other)]
    values = [np.asarray(a["values"], np.float64) for a in (one, other)]
    if over == "features":
        both = used[0] & used[1]
        return values[0][both], values[1][both]
    placed = regions >= 0
    n = int(regions.max(initial=-1)) + 1
    in_both = np.logical_and(*(np.bincount(regions[placed & u], minlength=n) > 0 for u in used))
    sums = [np.bincount(regions[placed], v[placed], minlength=n)[in_both] for v in values]
    return sums[0], sums[1]


def ceiling_of(one: float, other: float) -> float:
    """The most two models can agree whose own attributions agree so far from seed to seed.

    The correlation of two measures is at most the root of the product of their reliabilities (Spearman, 1904).
    """
    return float(np.sqrt(max(one, 0.0) * max(other, 0.0)))


def with_ceiling(found: Agreed, ceiling: float) -> Agreed:
    """The same, with the ceiling that was measured since."""
    return replace(found, ceiling=ceiling)


def _by_chance(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> float:
    if np.ptp(a) == 0 or np.ptp(np.abs(b)) == 0:
        return float("nan")
    drawn = rankdata(b * rng.choice((-1.0, 1.0), (_PAIRINGS, len(b))), axis=1)
    drawn -= drawn.mean(axis=1, keepdims=True)
    own = rankdata(a) - (len(a) + 1) / 2
    rho = drawn @ own / np.sqrt((drawn**2).sum(axis=1) * (own @ own))
    return float(np.quantile(np.abs(rho), _LEVEL))


def noise_range(proba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From what to what the answer goes when the measurement is repeated: ``(1 + d, C)`` -> ``(C,)``, ``(C,)``.

    The first row is the answer itself, the others those to ``d`` fresh draws of the noise. The range spans all of them,
    so it holds the value it belongs to; a further draw lies in it with probability ``(d - 1) / (d + 1)`` at least, 88 %
    for 16.
    """
    return proba.min(axis=0), proba.max(axis=0)
