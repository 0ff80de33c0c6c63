"""A study's bottom line: a plain sentence each for accuracy, missing features and explanation, naming the rival."""

from __future__ import annotations

import math
from dataclasses import dataclass

from genomap_core.benchmark import statistics as st
from genomap_core.benchmark.explanation import Endpoint, shipped_endpoint
from genomap_core.benchmark.layout_effect import LayoutEffect, Meaning, layout_effects
from genomap_core.benchmark.models import CONTROL, MAP_LEARNERS, MAP_MODELS, REFERENCE, title_of
from genomap_core.benchmark.reading import StudyRecords, conditions_of
from genomap_core.benchmark.summary import Comparison, compare, strongest_without_map
from genomap_core.benchmark.verdict import METRIC_TITLES, condition_title
from genomap_core.data.message import plural, with_interval

LOSSES = ("keep-20", "keep-10", "blocks-20", "keep-50", "keep-5", "keep-80")
"""Conditions that speak for missing features, the first that the study holds."""


@dataclass(frozen=True, slots=True)
class Line:
    """The map classifier against the strongest model without a map, and against itself on a random layout."""

    condition: str
    rival: Comparison
    layout: Comparison | None
    learner: LayoutEffect | None
    """Of the layout on convolutions that have nothing but the map; None where they were not run."""


def line(study: StudyRecords, condition: str, metric: str) -> Line | None:
    """None where no model without a map was run beside the map classifier under this condition."""
    models = set(study.table["model"][study.table["condition"] == condition])
    if REFERENCE not in models:
        return None
    rival = strongest_without_map(
        [compare(study, condition, metric, REFERENCE, m) for m in sorted(models - MAP_MODELS)]
    )
    if rival is None:
        return None
    layout = compare(study, condition, metric, REFERENCE, CONTROL) if CONTROL in models else None
    learner = None
    if MAP_LEARNERS[0] in models:
        effects = layout_effects(study, metric, MAP_LEARNERS[0], MAP_LEARNERS[1:])
        learner = next((effect for effect in effects if effect.condition == condition), None)
    return Line(condition, rival, layout, learner)


def bottom_line(study: StudyRecords, metric: str = "balanced_accuracy") -> list[str]:
    """Three sentences: accuracy, missing features, explanation."""
    present = conditions_of(study)
    lost = next((c for c in LOSSES if c in present), None)
    return [
        _sentence("Accuracy", line(study, "full", metric) if "full" in present else None, metric),
        _sentence("Missing features", line(study, lost, metric) if lost else None, metric),
        _explanation(shipped_endpoint()),
    ]


def _sentence(topic: str, found: Line | None, metric: str) -> str:
    if found is None:
        return f"{topic}: not answered: no such runs of the map classifier beside a model without a map are here."
    rival = found.rival
    told = (
        f"{topic} ({condition_title(found.condition)}, {plural(rival.n_sets, 'data set')}): the map classifier is "
        f"{_stands(rival.difference)} {title_of(rival.other)}, the strongest model without a map, in "
        f"{METRIC_TITLES[metric]}: {_interval(rival.difference)}"
    )
    if found.layout is None:
        return f"{told}."
    told += f"; its layout {_does(found.layout.difference)}: {_interval(found.layout.difference)}."
    if found.learner is None:
        return told
    effect = found.learner
    proven = effect.meaning in (Meaning.HELPS, Meaning.HARMS)
    does = _does(effect.difference) if proven else "is not shown to have an effect"
    return f"{told} For convolutions that have nothing but the map the layout {does}: {_interval(effect.difference)}."


def _stands(difference: st.Interval) -> str:
    if difference.low > 0:
        return "ahead of"
    return "behind" if difference.high < 0 else "not told apart from"


def _does(difference: st.Interval) -> str:
    if difference.low > 0:
        return "helps"
    return "harms" if difference.high < 0 else "shows no effect"


def _interval(difference: st.Interval) -> str:
    figures = with_interval(difference.mean, difference.low, difference.high, "+")
    return f"{figures}, no interval" if math.isnan(difference.low) else figures


def _explanation(found: Endpoint | None) -> str:
    if found is None:
        return "Explanation: not measured in the records that come with the program."
    ours, rival, chance = (found.stability[name] for name in ("map regions", "Ward clusters", "random regions"))
    return (
        f"Explanation ({plural(found.n_sets, 'data set')}, the program's own records): attributions of a ridge model "
        f"summed over regions of the map agree between halves of a cohort at {ours:.2f}, over Ward clusters, which "
        f"need no map, at {rival:.2f}, over random regions at {chance:.2f}."
    )
