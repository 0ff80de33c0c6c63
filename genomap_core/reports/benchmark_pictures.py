"""Which pictures a study is shown by, on its page and in its report: titles, a line about each, plotly figures."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genomap_core.benchmark import views
from genomap_core.benchmark.reading import StudyRecords
from genomap_core.benchmark.statistics import cliques
from genomap_core.benchmark.summary import Summary, title_in
from genomap_core.benchmark.verdict import METRIC_TITLES, condition_title
from genomap_core.plotting import benchmark as plots
from genomap_core.plotting.benchmark_sets import paired_differences

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

AXES = {
    "noise": "noise on training and test rows, % of each feature's standard deviation",
    "testnoise": "noise on test rows only, % of each feature's standard deviation",
    "rows": "share of the training rows, %",
}
"""Kind of condition -> title of its axis."""
Picture = tuple[str, str, "Figure"]
"""Title, a line about it, figure."""


def titles_of(study: StudyRecords) -> dict[str, str]:
    """Model -> title, in the order of the study: it decides every figure's colours."""
    present = set(study.table["model"])
    order = [*study.header.get("models", []), *sorted(present)]
    return {m: title_in(study.table, m) for m in dict.fromkeys(order) if m in present}


def axis_of(study: StudyRecords, kind: str) -> dict[str, float]:
    """Condition -> per cent, for the conditions of one kind that there are; ``full`` is 0 % noise or 100 % rows."""
    found = {"full": 100.0 if kind == "rows" else 0.0}
    for name in sorted(set(study.table["condition"])):
        if name.partition("-")[0] == kind:
            found[name] = float(name.partition("-")[2])
    return found if len(found) > 1 else {}


def rank_pictures(summary: Summary, titles: dict[str, str]) -> list[Picture]:
    """Mean ranks with the critical difference, differences to the reference model, the layout's part in them.

    None for one model; what the layout does is shown where there are several conditions.
    """
    ranks = {m.model: m.mean_rank for m in summary.models}
    if len(ranks) < 2:
        return []
    bars = cliques(np.array(list(ranks.values())), summary.critical_difference)
    rows = [(c.other, c.difference.mean, c.difference.low, c.difference.high) for c in summary.comparisons]
    name = METRIC_TITLES[summary.metric]
    pictures = [
        (
            "Mean ranks",
            "Models joined by a bar are not told apart (Friedman-Nemenyi, 5 %).",
            plots.mean_rank_diagram(ranks, titles, summary.critical_difference, bars),
        ),
        (
            "Differences",
            f"{titles[summary.reference]} minus each other model, on the folds both ran: mean over the data sets with "
            f"its 95 % t interval; right of zero, {titles[summary.reference]} is better.",
            plots.difference_intervals(rows, titles, name),
        ),
    ]
    return [*pictures, _layout_picture(summary)] if len(summary.layout) > 1 else pictures


def _layout_picture(summary: Summary) -> Picture:
    rows = [(condition_title(e.condition), *astuple(e.difference), e.p) for e in summary.layout]
    frame = pd.DataFrame(rows, columns=["name", "difference", "low", "high", "p_holm"])
    return (
        "What the layout does",
        "The network on the optimal-transport layout minus the same network on a random one, on the folds both ran: "
        "mean over the data sets with its 95 % t interval; right of zero, the layout helps. Blue circles: they differ "
        "after Holm's correction over the conditions (t-test, 5 %).",
        paired_differences(frame, f"difference in {METRIC_TITLES[summary.metric]}"),
    )


def curve_pictures(study: StudyRecords, titles: dict[str, str], metric: str) -> list[Picture]:
    """Mean score against the level of noise and against the share of rows, where the study holds them."""
    name, found = METRIC_TITLES[metric], []
    for kind, x_title in AXES.items():
        curve = views.curves(study, axis_of(study, kind), metric)
        mean = curve[curve["dataset"] == ""]
        if not mean.empty:
            about = "Mean over the sets that every model ran on under all of these conditions."
            title = f"{name} against {x_title.split(',')[0]}".capitalize()
            found.append((title, about, plots.condition_curve(mean, titles, name, x_title)))
    return found


def set_curve(study: StudyRecords, titles: dict[str, str], metric: str, kind: str, dataset: str) -> pd.DataFrame:
    """The curve of one data set, as :func:`genomap_core.plotting.benchmark.condition_curve` takes it."""
    curve = views.curves(study.filtered([dataset], titles), axis_of(study, kind), metric)
    return curve[curve["dataset"] == dataset]


def cost_pictures(study: StudyRecords, titles: dict[str, str], condition: str, metric: str) -> list[Picture]:
    """Who wins where, and what a run costs."""
    winners, costs = views.winners(study, condition, metric), views.costs(study, condition)
    name = METRIC_TITLES[metric]
    lead = "A larger mark is a larger lead over the second; a ring where several are equal."
    median = "Median over folds and seeds; a mark a data set."
    return [
        ("Who wins where", lead, plots.winners_map(winners, titles, name)),
        ("Time", median, plots.cost_curve(costs, titles, "seconds", "seconds to fit and predict")),
        ("Memory", median, plots.cost_curve(costs, titles, "peak_mb", "peak memory, MB")),
    ]
