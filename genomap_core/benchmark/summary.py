"""What a study says under one condition: mean ranks and scores, tests, and the reference model against the others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from genomap_core.benchmark import statistics as st
from genomap_core.benchmark.layout_effect import LayoutEffect, layout_effects
from genomap_core.benchmark.models import MAP_LEARNERS, MAP_MODELS, REFERENCE, title_of
from genomap_core.benchmark.reading import StudyRecords
from genomap_core.benchmark.score_grid import cells, signed
from genomap_core.benchmark.text import table as text_table
from genomap_core.benchmark.views import paired
from genomap_core.data.message import with_interval


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One model under one condition."""

    model: str
    title: str
    mean_rank: float
    mean_score: float
    """Over the sets it ran on."""
    mean_score_common: float
    """Over the sets that every model ran on."""
    n_sets: int
    counts: dict[str, int]
    """Status -> number of runs."""
    label: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The reference model against another, over the runs that both have; positive: it is better."""

    other: str
    difference: st.Interval
    """Mean over the sets on which both ran to their end, with its t interval."""
    p: float
    """Wilcoxon's, corrected by Holm over the other models."""
    wins: int
    ties: int
    losses: int
    significant: tuple[str, ...]
    """Sets on which the corrected resampled t-test says they differ, corrected by Holm over the sets."""
    n_runs: int
    """Of each of the two."""

    @property
    def n_sets(self) -> int:
        return self.wins + self.ties + self.losses


@dataclass(frozen=True, slots=True)
class Summary:
    """A study under one condition and one metric."""

    source: str
    condition: str
    metric: str
    n_sets: int
    n_sets_of_study: int
    """Under any condition: a condition may not apply to all, or not have been run on all."""
    n_common_sets: int
    n_runs: int
    n_runs_compared: int
    """Of each model: ranks and means are over the runs that every model has a record of."""
    models: tuple[ModelSummary, ...]
    """Best mean rank first."""
    friedman_p: float
    critical_difference: float
    reference: str
    comparisons: tuple[Comparison, ...]
    layout: tuple[LayoutEffect, ...]
    """Under every condition of the study."""
    map_learner: tuple[LayoutEffect, ...] = ()
    """The same for the learner that lives on the map, against its random layouts."""
    without_map: Comparison | None = None
    """The reference against the strongest model without a map (:func:`strongest_without_map`)."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, NaN as None."""
        return _plain(asdict(self))


def summarise(study: StudyRecords, condition: str = "full", metric: str = "balanced_accuracy") -> Summary:
    """Ranks, means, tests and counts."""
    found = cells(study, condition, metric)
    table = study.table[study.table["condition"] == condition]
    sign, means = signed(metric), found.means()
    mean_ranks = st.ranks(sign * means).mean(0) if len(found.sets) else np.full(len(found.models), np.nan)
    common = ~np.isnan(means).any(1)
    models = [
        ModelSummary(
            model=m,
            title=title_in(table, m),
            mean_rank=float(mean_ranks[j]),
            mean_score=_mean(means[:, j]),
            mean_score_common=_mean(means[common, j]),
            n_sets=int((~np.isnan(means[:, j])).sum()),
            counts=dict(Counter(table["status"][table["model"] == m])),
            label=_label(table, m),
        )
        for j, m in enumerate(found.models)
    ]
    several = len(models) > 1 and len(found.sets) > 0
    reference = REFERENCE if REFERENCE in found.models else min(models, key=lambda s: s.mean_rank).model
    compared = [compare(study, condition, metric, reference, m) for m in found.models if m != reference]
    corrected = st.holm(np.array([c.p for c in compared]))
    comparisons = tuple(replace(c, p=float(p)) for c, p in zip(compared, corrected, strict=True))
    return Summary(
        source=study.source.name,
        condition=condition,
        metric=metric,
        n_sets=len(found.sets),
        n_sets_of_study=study.table["dataset"].nunique(),
        n_common_sets=int(common.sum()),
        n_runs=len(table),
        n_runs_compared=found.n_runs,
        models=tuple(sorted(models, key=lambda s: s.mean_rank)),
        friedman_p=st.friedman_p(sign * means) if several else math.nan,
        critical_difference=st.critical_difference(len(models), len(found.sets)) if several else math.nan,
        reference=reference,
        comparisons=comparisons,
        layout=layout_effects(study, metric),
        map_learner=layout_effects(study, metric, MAP_LEARNERS[0], MAP_LEARNERS[1:]),
        without_map=strongest_without_map(comparisons),
    )


def compare(study: StudyRecords, condition: str, metric: str, reference: str, other: str) -> Comparison:
    """The reference against one other model; p for this comparison alone."""
    pairs = paired(study, condition, metric, reference, other)
    differences = pairs["difference"].to_numpy(float)
    interval, p = st.over_sets(differences)
    return Comparison(
        other=other,
        difference=interval,
        p=p,
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        significant=tuple(pairs["dataset"][pairs["p_holm"] < 0.05]),
        n_runs=int(pairs["runs"].sum()),
    )


def strongest_without_map(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Of the models that see no map, the one least behind the reference, or most ahead of it.

    Those that share fewer than nine tenths of the sets of the others with the reference don't count.
    """
    found = [c for c in comparisons if c.other not in MAP_MODELS and c.n_sets]
    most = max((c.n_sets for c in found), default=0)
    return min((c for c in found if 10 * c.n_sets >= 9 * most), key=lambda c: c.difference.mean, default=None)


def _signed_figures(difference: st.Interval) -> str:
    figures = with_interval(difference.mean, difference.low, difference.high, "+")
    return f"{figures} (no interval: too few sets)" if math.isnan(difference.low) else figures


def summary_text(summary: Summary) -> str:
    """For people."""
    rows = [
        (
            s.title,
            f"{s.mean_rank:.2f}",
            f"{s.mean_score:.3f}",
            f"{s.mean_score_common:.3f}",
            str(s.n_sets),
            ", ".join(f"{n} {k}" for k, n in s.counts.items()),
        )
        for s in summary.models
    ]
    head = (
        f"{summary.source}, condition {summary.condition}, {summary.metric}, {summary.n_sets} of the study's "
        f"{summary.n_sets_of_study} sets ({summary.n_common_sets} on which every model ran), {summary.n_runs:,} runs; "
        f"ranks and means on the {summary.n_runs_compared:,} folds that every model was given."
    )
    friedman = "too few sets" if math.isnan(summary.friedman_p) else f"p = {summary.friedman_p:.3g}"
    tests = (
        f"Friedman {friedman}; mean ranks further apart than {summary.critical_difference:.2f} differ (Nemenyi, 5 %)."
    )
    body = text_table(("model", "mean rank", "mean", "common sets", "sets", "runs"), rows)
    lines = [
        f"{summary.reference} - {c.other}: {_signed_figures(c.difference)}, p = {c.p:.2g}, "
        f"better/equal/worse on {c.wins}/{c.ties}/{c.losses} sets, {c.n_runs} folds"
        for c in summary.comparisons
    ]
    layout = [
        f"{whose}layout - random layout, {e.condition}: {_signed_figures(e.difference)}, "
        f"p = {e.p:.2g}, {e.n_sets} sets, {e.n_runs} runs"
        for whose, effects in (("", summary.layout), ("convolutions alone, ", summary.map_learner))
        for e in effects
    ]
    rival = summary.without_map
    strongest = [] if rival is None else [f"strongest model without a map: {title_of(rival.other)}"]
    return "\n".join([head, body, tests, *lines, *strongest, *layout])


def title_in(table: pd.DataFrame, model: str) -> str:
    """What to call a model of these records: the foundation model by the weights that answered."""
    return (_label(table, model) if model == "pfn" else "") or title_of(model)


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else math.nan


def _label(table: pd.DataFrame, model: str) -> str:
    labels = sorted({str(v) for v in table["label"][table["model"] == model]} - {""})
    return ", ".join(labels)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
