"""What the layout does: the map network on the optimal-transport layout minus the same network on a random one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from genomap_core.benchmark import statistics as st
from genomap_core.benchmark.models import CONTROL, REFERENCE
from genomap_core.benchmark.reading import StudyRecords, conditions_of
from genomap_core.benchmark.views import paired


class Meaning(StrEnum):
    """What the interval and the corrected test allow to say; "may" where only the interval excludes zero."""

    TOO_FEW_SETS = "too few sets for an interval"
    NOT_SHOWN = "no effect is shown"
    HELPS = "it matters"
    MAY_HELP = "it may matter"
    HARMS = "it does harm"
    MAY_HARM = "it may do harm"


@dataclass(frozen=True, slots=True)
class LayoutEffect:
    """Under one condition, over the folds that both networks ran; positive: better than on the random layout."""

    condition: str
    difference: st.Interval
    """Mean over the data sets, with its t interval."""
    p: float
    """Of the interval's t-test over the data sets, corrected by Holm over the conditions."""
    n_sets: int
    n_runs: int
    """Of each network."""

    @property
    def meaning(self) -> Meaning:
        low, high = self.difference.low, self.difference.high
        if math.isnan(low):
            return Meaning.TOO_FEW_SETS
        if low <= 0 <= high:
            return Meaning.NOT_SHOWN
        if self.p < 0.05:
            return Meaning.HELPS if low > 0 else Meaning.HARMS
        return Meaning.MAY_HELP if low > 0 else Meaning.MAY_HARM


def layout_effects(
    study: StudyRecords, metric: str, reference: str = REFERENCE, controls: tuple[str, ...] = (CONTROL,)
) -> tuple[LayoutEffect, ...]:
    """Of every condition under which both networks ran to their end on some set; none without a control.

    Of several controls, each on a random layout of its own, a set's difference is the mean.
    """
    present = set(study.table["model"])
    controls = tuple(c for c in controls if c in present)
    if reference not in present or not controls:
        return ()
    found = []
    for condition in conditions_of(study.filtered(models=[reference, *controls])):
        each = [p for c in controls if len(p := paired(study, condition, metric, reference, c))]
        if each:
            pairs = pd.concat(each).groupby("dataset").agg({"difference": "mean", "runs": "max"})
            found.append((condition, pairs["difference"].to_numpy(float), len(pairs), int(pairs["runs"].sum())))
    corrected = st.holm(np.array([st.mean_p(differences) for _, differences, _, _ in found]))
    return tuple(
        LayoutEffect(condition, st.over_sets(differences)[0], float(p), n_sets, n_runs)
        for (condition, differences, n_sets, n_runs), p in zip(found, corrected, strict=True)
    )
