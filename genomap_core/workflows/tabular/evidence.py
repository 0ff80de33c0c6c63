"""A layout's evidence card: its quality beside random layouts, how reproducible it is, what it bought on its cohort."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.data.message import plural
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.layout import Layout
from genomap_core.layout.quality import MEASURES as MEASURES
from genomap_core.layout.quality import LayoutQuality, Reproducibility, measure
from genomap_core.workflows.tabular.genomap import GenomapResult

if TYPE_CHECKING:
    from genomap_core.workflows.comparison.scores import Score
    from genomap_core.workflows.tabular.compare import CompareResult

N_RANDOM = 20
_POSSIBLE = {
    "gw_distortion": (0.0, np.inf),
    "spearman": (-1.0, 1.0),
    "neighbour_correlation": (-1.0, 1.0),
    "knn_recall": (0.0, 1.0),
}
"""No range goes beyond what a measure can be."""


@dataclass(frozen=True, slots=True)
class Chance:
    """A measure of random layouts: mean, and where 95 % of them are expected (1.96 standard deviations)."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a layout, and what does not.

    ``random``: measure -> what :data:`N_RANDOM` random layouts of the same features on the same cells have. ``bought``:
    balanced accuracy of the map network minus that of the same network on a random layout, where a comparison of this
    cohort has both.
    """

    quality: LayoutQuality
    random: dict[str, Chance]
    reproducibility: Reproducibility | None
    bought: Score | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def evidence(result: GenomapResult, found: CompareResult | None = None, seed: int = 0) -> Evidence:
    """The card of a layout, with what ``found``, a comparison of the same cohort, says of it."""
    layout = result.layout
    table = FeatureTable(result.z, str(layout.notes.get("distance", "correlation")))
    rng = np.random.default_rng(seed)
    draws = [asdict(measure(table, _shuffled(layout, rng), layout.channel)) for _ in range(N_RANDOM)]
    random = {name: _range(np.array([draw[name] for draw in draws]), *_POSSIBLE[name]) for name in MEASURES}
    bought = None if found is None else found.differences.get(("genomap", "genomap_random"))
    return Evidence(layout.quality, random, layout.reproducibility, bought)


def _shuffled(layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """``(p, 2)``: the cells of each type given to its features anew."""
    positions = layout.positions.copy()
    for code in range(layout.n_channels):
        own = layout.placed[layout.channel[layout.placed] == code]
        positions[own] = positions[rng.permutation(own)]
    return positions


def _range(values: np.ndarray, least: float, most: float) -> Chance:
    mean, half = float(values.mean()), 1.96 * float(values.std(ddof=1))
    return Chance(mean, max(mean - half, least), min(mean + half, most))


def reproducibility_words(measured: Reproducibility | None) -> str:
    """How much of the map another half of the patients would draw again."""
    if measured is None:
        return "Reproducibility: not measured."
    return (
        f"Reproducibility: {measured.neighbours_kept:.0%} of each feature's {measured.k} nearest neighbours are the "
        f"same on maps of two halves of the patients ({plural(measured.n_splits, 'split')}); "
        f"by chance {measured.by_chance:.1%}."
    )


def bought_words(bought: Score | None) -> str:
    """What the layout did for the map network on this cohort."""
    if bought is None:
        return "What it buys: no comparison of this cohort holds the map network and its control on a random layout."
    said = f"balanced accuracy {bought:+} beside the same network on a random layout"
    shown = "" if bought.low > 0 or bought.high < 0 else "; no difference can be claimed"
    return f"What it bought on this cohort: {said}{shown}."
