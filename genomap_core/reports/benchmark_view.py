"""A study as page and report show it: filtered, under one metric and condition; every picture made once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genomap_core.benchmark import views
from genomap_core.benchmark.bottom_line import bottom_line
from genomap_core.benchmark.reading import StudyRecords
from genomap_core.benchmark.records import METRICS, STATUSES, versions_of
from genomap_core.benchmark.score_grid import Cells, cells
from genomap_core.benchmark.statistics import cliques
from genomap_core.benchmark.summary import Summary, summarise, title_in
from genomap_core.benchmark.verdict import METRIC_TITLES, condition_title, verdict
from genomap_core.data.message import some, with_interval
from genomap_core.plotting import benchmark as plots
from genomap_core.plotting.benchmark import condition_panels, paired_differences, set_scores_figure
from genomap_core.reports.svg import svg_sheet

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

AXES = {
    "noise": "noise on training and test rows, % of each feature's standard deviation",
    "testnoise": "noise on test rows only, % of each feature's standard deviation",
    "rows": "share of the training rows, %",
    "keep": "share of the features in test rows, %",
    "blocks": "share of the features in test rows, correlated ones lost together, %",
    "thin": "share of the reads in test rows, sets that hold counts, %",
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
    """Condition -> per cent, for the conditions of one kind that there are; ``full`` is 0 % noise, all else 100 %."""
    found = {"full": 0.0 if "noise" in kind else 100.0}
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


def metrics_of(study: StudyRecords) -> list[str]:
    """Those of which the study holds a value."""
    return [m for m in METRICS if study.table[m].notna().any()]


@dataclass(frozen=True, eq=False)
class Look:
    """A look at a study.

    Parameters
    ----------
    study
        With the chosen sets and models only.
    metric, condition
        What is looked at.
    """

    study: StudyRecords
    metric: str
    condition: str
    _made: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def titles(self) -> dict[str, str]:
        """Model -> title; its order decides the colours."""
        return titles_of(self.study)

    @cached_property
    def cells(self) -> Cells:
        """The comparable scores."""
        return cells(self.study, self.condition, self.metric)

    @cached_property
    def summary(self) -> Summary:
        """Ranks, means, tests."""
        return summarise(self.study, self.condition, self.metric)

    @property
    def empty(self) -> bool:
        """Whether no fold of any set was run by every model yet: nothing can be compared."""
        return self.condition not in set(self.study.table["condition"]) or not self.cells.sets

    @cached_property
    def bottom_line(self) -> list[str]:
        """Accuracy, missing features, explanation: a sentence each, whatever condition is looked at."""
        return bottom_line(self.study, self.metric)

    def verdict(self) -> list[str]:
        """The answer in sentences."""
        return verdict(self.summary)

    # -- pictures ----------------------------------------------------------------------------------------------------

    def rank_pictures(self) -> list[Picture]:
        """Mean ranks with the critical difference, and differences to the reference model."""
        found: list[Picture] = self._once("ranks", lambda: rank_pictures(self.summary, self.titles))
        return found

    def scores_picture(self) -> Picture:
        """Every model on every set."""
        return (
            "Scores on every data set",
            f"Mean {self.metric_title} over the folds that every model was given. Lines: 95 % intervals that respect "
            "that training sets overlap (corrected resampled t).",
            self._once("scores picture", lambda: set_scores_figure(self.scores(), self.titles, self.metric_title)),
        )

    def pair_picture(self, first: str, second: str) -> Picture:
        """One model against another, set by set."""
        name = f"difference in {self.metric_title}"
        return (
            "Set by set",
            f"{self.titles[first]} minus {self.titles[second]} on the same folds: right of zero, the first is better. "
            "Lines: 95 % intervals (corrected resampled t). Blue circles: they differ after Holm's correction over the "
            "sets (5 %).",
            self._once((first, second, "picture"), lambda: paired_differences(self._ordered(first, second), name)),
        )

    def kinds(self) -> list[str]:
        """Kinds of conditions of which the study holds any: noise, test noise, fewer rows."""
        return [kind for kind in AXES if axis_of(self.study, kind) and len(self.curves(kind))]

    def mean_picture(self, kind: str) -> Picture | None:
        """The mean over the sets against one kind of condition; None where no set was run whole."""
        mean = self.curves(kind)
        mean = mean[mean["dataset"] == ""]
        if mean.empty:
            return None
        sets = self._whole_sets(kind)
        every = self.curves(kind)["dataset"].nunique() - 1
        about = (
            f"Mean over {sets} of the {every} data sets: those that every model ran on under all of these conditions."
        )
        title = f"{self.metric_title} against {AXES[kind].split(',')[0]}"
        figure = self._once(
            ("mean", kind), lambda: plots.condition_curve(mean, self.titles, self.metric_title, AXES[kind])
        )
        return title[0].upper() + title[1:], about, figure

    def panels_picture(self, kind: str) -> Picture:
        """A panel a data set."""
        curve = self.curves(kind)
        figure = self._once(
            ("panels", kind),
            lambda: condition_panels(curve[curve["dataset"] != ""], self.titles, self.metric_title, AXES[kind]),
        )
        return "Every data set", "Each panel has its own scale. Mean over folds and seeds.", figure

    def panels_file(self, kind: str) -> bytes:
        """The same as an SVG file, the mean above."""
        curve = self.curves(kind)
        parts = [
            (str(name), plots.condition_curve(part, self.titles, self.metric_title, "%", height=230, legend=False))
            for name, part in curve[curve["dataset"] != ""].groupby("dataset", sort=False)
        ]
        mean = self.mean_picture(kind)
        return svg_sheet(parts, f"{self.metric_title} against {AXES[kind]}", None if mean is None else mean[2])

    def cost_pictures(self) -> list[Picture]:
        """Who wins where; time; memory."""
        found: list[Picture] = self._once(
            "costs", lambda: cost_pictures(self.study, self.titles, self.condition, self.metric)
        )
        return [picture for picture in found if any(trace.name for trace in picture[2].data)]

    # -- tables ------------------------------------------------------------------------------------------------------

    @property
    def metric_title(self) -> str:
        """In words."""
        return METRIC_TITLES[self.metric]

    def models_table(self) -> list[dict[str, Any]]:
        """Best mean rank first."""
        return [
            {
                "Model": m.title,
                "Mean rank": m.mean_rank,
                "Mean over its sets": m.mean_score,
                f"Mean over the {self.summary.n_common_sets} sets of all": m.mean_score_common,
                "Sets": m.n_sets,
                "Runs": ", ".join(f"{n:,} {status}" for status, n in m.counts.items()),
            }
            for m in self.summary.models
        ]

    def comparison_table(self) -> list[dict[str, Any]]:
        """The reference model against each other one."""
        return [
            {
                "Against": self.titles[c.other],
                "Difference": c.difference.mean,
                "From": c.difference.low,
                "To": c.difference.high,
                "p (Holm)": c.p,
                "Folds": c.n_runs,
                "Better / equal / worse": f"{c.wins} / {c.ties} / {c.losses}",
                "Sets on which they differ": ", ".join(c.significant) or "none",
            }
            for c in self.summary.comparisons
        ]

    def scores(self) -> pd.DataFrame:
        """``dataset, model, runs, mean, low, high``."""
        found: pd.DataFrame = self._once("scores", lambda: views.set_scores(self.cells))
        return found

    def scores_table(self) -> pd.DataFrame:
        """A row a data set, a column a model: mean with its interval as text."""
        scores = self.scores()
        texts = [_with_interval(*row) for row in scores[["mean", "low", "high"]].to_numpy()]
        wide = scores.assign(text=texts).pivot(index="dataset", columns="model", values="text")
        wide = wide.reindex(columns=[m for m in self.titles if m in wide.columns]).rename(columns=self.titles)
        sizes = views.sizes(self.study)
        size = [_size(*sizes.loc[name].to_numpy(float, na_value=math.nan)) for name in wide.index]
        wide.insert(0, "Samples x features, classes", size)
        return wide.rename_axis(index="Data set", columns=None).reset_index()

    def pair(self, first: str, second: str) -> pd.DataFrame:
        """``dataset, runs, difference, low, high, p, p_holm``."""
        found: pd.DataFrame = self._once(
            (first, second), lambda: views.paired(self.study, self.condition, self.metric, first, second)
        )
        return found

    def _ordered(self, first: str, second: str) -> pd.DataFrame:
        pair = self.pair(first, second).rename(columns={"dataset": "name"})
        return pair.sort_values("difference", ascending=False, ignore_index=True)

    def curves(self, kind: str) -> pd.DataFrame:
        """``dataset, model, x, mean, low, high``; ``dataset`` is "" for the mean."""
        found: pd.DataFrame = self._once(
            ("curves", kind), lambda: views.curves(self.study, axis_of(self.study, kind), self.metric)
        )
        return found

    def failures_table(self) -> list[dict[str, Any]]:
        """Runs that gave no scores, under all conditions."""
        return [
            {
                "Model": self.titles[f["model"]],
                "Data set": f["dataset"],
                "Ending": f"{f['status']}: {STATUSES[f['status']]}",
                "Runs": f["runs"],
                "Conditions": some([condition_title(name) for name in f["conditions"]], 4),
                "Message of the first": f["message"],
            }
            for f in views.failures(self.study).to_dict("records")
        ]

    def sets_table(self) -> list[dict[str, Any]]:
        """Where the data sets come from, and what to mind."""
        rows = []
        for name in sorted(set(self.study.table["dataset"])):
            e = self.study.entry(name)
            known = ", ".join(word.replace("_", " ") for word in e.get("known", ()))
            rows.append(
                {
                    "Data set": name,
                    "What": "; ".join(filter(None, (e.get("title", ""), e.get("kind", "")))),
                    "Origin": e.get("origin", ""),
                    "Licence as stated": e.get("licence", ""),
                    "Mind": ". ".join(filter(None, (known, e.get("note", "")))),
                }
            )
        return rows

    def made_by(self) -> list[str]:
        """Machines, versions, limits and seeds, a line each."""
        table = self.study.table
        limits = sorted({(m, t) for m, t in zip(table["memory_limit_mb"], table["time_limit_s"]) if m == m and t == t})
        return [
            f"Seeds: {', '.join(str(s) for s in sorted(set(table['seed'])))}.",
            *(f"Machine: {machine}." for machine in sorted(set(table["machine"]) - {""})),
            *(f"Versions: {', '.join(f'{k} {v}' for k, v in found.items())}." for found in versions_of(table) if found),
            *(f"Limits of a run: {memory:,.0f} MB, {seconds:,.0f} s." for memory, seconds in limits),
        ]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _whole_sets(self, kind: str) -> int:
        curve = self.curves(kind)
        grid = curve[curve["dataset"] != ""].pivot(index="dataset", columns=["model", "x"], values="mean")
        return len(grid.dropna())

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def _with_interval(mean: float, low: float, high: float) -> str:
    if math.isnan(mean):
        return "failed"
    return with_interval(mean, low, high)


def _size(n: float, p: float, classes: float) -> str:
    return "" if math.isnan(n) else f"{n:,.0f} x {p:,.0f}, {classes:.0f}"
