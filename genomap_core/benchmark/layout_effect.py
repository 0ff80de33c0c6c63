"""What the layout does: the map network on the optimal-transport layout minus the same network on a random one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.benchmark import statistics as st
from genomap_core.benchmark.cells import cells, signed
from genomap_core.benchmark.models import CONTROL, REFERENCE
from genomap_core.benchmark.reading import StudyRecords, conditions_of


@dataclass(frozen=True, slots=True)
class LayoutEffect:
    """Under one condition, over the folds that both networks ran; positive: better than on the random layout."""

    condition: str
    difference: st.Interval
    """Mean over the data sets, with its t interval."""
    p: float
    """Wilcoxon's, corrected by Holm over the conditions."""
    n_sets: int
    n_runs: int
    """Of each network."""

    @property
    def sign(self) -> int:
        """1 or -1 where the interval excludes zero, else 0."""
        return int(self.difference.low > 0) - int(self.difference.high < 0)


def layout_effects(study: StudyRecords, metric: str) -> tuple[LayoutEffect, ...]:
    """Of every condition under which both networks ran to their end on some set; none without the control."""
    if not {REFERENCE, CONTROL} <= set(study.table["model"]):
        return ()
    both = study.filtered(models=[REFERENCE, CONTROL])
    found = []
    for condition in conditions_of(both):
        scores = cells(both, condition, metric)
        if set(scores.models) != {REFERENCE, CONTROL} or not scores.sets:
            continue
        at, control = scores.models.index(REFERENCE), scores.models.index(CONTROL)
        differences = signed(metric) * (scores.means()[:, at] - scores.means()[:, control])
        ran = ~np.isnan(differences)
        if ran.any():
            runs = sum(len(scores.values[name]) for name, ok in zip(scores.sets, ran, strict=True) if ok)
            found.append((condition, *st.over_sets(differences[ran]), int(ran.sum()), runs))
    corrected = st.holm(np.array([p for _, _, p, _, _ in found]))
    return tuple(
        LayoutEffect(condition, interval, float(p), n_sets, n_runs)
        for (condition, interval, _, n_sets, n_runs), p in zip(found, corrected, strict=True)
    )
