"""The robustness study as one HTML file: no script, no request, every figure an inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from genomap_core.benchmark import score_grid as cell_tables
from genomap_core.benchmark import views
from genomap_core.benchmark.bottom_line import bottom_line
from genomap_core.benchmark.models import title_of
from genomap_core.benchmark.reading import StudyRecords, conditions_of
from genomap_core.benchmark.records import STATUSES, versions_of
from genomap_core.benchmark.summary import summarise
from genomap_core.benchmark.verdict import METRIC_TITLES, condition_title, verdict
from genomap_core.data.message import some
from genomap_core.files import USUAL, write_atomically
from genomap_core.plotting import benchmark as plots
from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.reports.benchmark_view import (
    AXES,
    axis_of,
    cost_pictures,
    curve_pictures,
    rank_pictures,
    titles_of,
)
from genomap_core.reports.svg import to_svg

_TEMPLATE = Path(__file__).with_name("benchmark.html")


def write_report(study: StudyRecords, path: Path, metric: str = "balanced_accuracy") -> None:
    """Write :func:`render_report` as one file."""
    write_atomically(path, render_report(study, metric).encode(), USUAL)


def render_report(study: StudyRecords, metric: str = "balanced_accuracy") -> str:
    """The report as HTML; every name from the data is shown as text."""
    condition = "full" if (study.table["condition"] == "full").any() else str(study.table["condition"].iloc[0])
    summary = summarise(study, condition, metric)
    titles = titles_of(study)
    pictures = [
        *rank_pictures(summary, titles),
        *curve_pictures(study, titles, metric),
        *cost_pictures(study, titles, condition, metric),
    ]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        research_use=RESEARCH_USE,
        metric=METRIC_TITLES[metric],
        condition=condition_title(condition),
        verdict=[*verdict(summary), *bottom_line(study, metric)],
        summary=summary,
        titles=titles,
        statuses=STATUSES,
        facts=_facts(study),
        figures=[{"title": t, "about": a, "svg": _inline(f, t)} for t, a, f in pictures],
        panels=_panels(study, titles, metric),
        sets=_set_rows(study, condition, metric),
        failures=[row | {"conditions": _named(row["conditions"])} for row in _rows(views.failures(study))],
        comparisons=summary.comparisons,
        number=_number,
        title_of=titles.__getitem__,
    )


def _panels(study: StudyRecords, titles: dict[str, str], metric: str) -> list[dict[str, Any]]:
    """One small picture a data set and kind of condition."""
    panels = []
    for kind, x_title in AXES.items():
        curve = views.curves(study, axis_of(study, kind), metric)
        for dataset, part in curve[curve["dataset"] != ""].groupby("dataset"):
            figure = plots.condition_curve(part, titles, METRIC_TITLES[metric], "%", height=230, legend=False)
            svg = to_svg(figure, title=f"{dataset}: {x_title}", width=330)
            panels.append({"kind": x_title, "dataset": dataset, "svg": Markup(svg)})
    return panels


def _inline(figure: Any, title: str, width: int = 720) -> Markup:
    """A figure inside the page; its texts were escaped when it was drawn."""
    return Markup(to_svg(figure, title=title, width=width))


def _set_rows(study: StudyRecords, condition: str, metric: str) -> list[dict[str, Any]]:
    """Provenance and every model's score with interval, a row a data set."""
    found = cell_tables.cells(study, condition, metric)
    sign = cell_tables.signed(metric)
    sizes = views.sizes(study)
    rows = []
    for dataset in found.sets:
        intervals = {m: found.interval(dataset, m) for m in found.models}
        best = max((sign * i.mean for i in intervals.values() if not math.isnan(i.mean)), default=math.nan)
        rows.append(
            {
                "name": dataset,
                "entry": study.entry(dataset),
                "size": [None if v != v else int(v) for v in sizes.loc[dataset].to_numpy(float, na_value=math.nan)],
                "scores": {m: (i, sign * i.mean == best) for m, i in intervals.items()},
            }
        )
    return rows


def _facts(study: StudyRecords) -> dict[str, Any]:
    table = study.table
    labels = table[table["label"] != ""].groupby("model")["label"].unique()
    return {
        "source": study.source.name,
        "runs": len(table),
        "ok": int((table["status"] == "ok").sum()),
        "conditions": [condition_title(c) for c in conditions_of(study)],
        "seeds": sorted(set(table["seed"])),
        "machines": sorted(set(table["machine"]) - {""}),
        "versions": [", ".join(f"{k} {v}" for k, v in found.items()) for found in versions_of(table) if found],
        "labels": {title_of(str(m)): sorted(names) for m, names in labels.items()},
        "limits": sorted({(m, t) for m, t in zip(table["memory_limit_mb"], table["time_limit_s"]) if m == m}),
    }


def _named(conditions: Sequence[str]) -> str:
    return some([condition_title(name) for name in conditions], 4)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _number(value: float | None, digits: int = 3, signed: bool = False) -> str:
    if value is None or math.isnan(value):
        return "–"
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")
