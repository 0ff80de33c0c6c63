"""The study's report: one file, no request, every name shown as text, every figure complete."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from made_up_study import MODELS, PROTOCOL, planted, study

from genomap_core.benchmark.reading import conditions_of
from genomap_core.benchmark.records import failed
from genomap_core.benchmark.summary import title_in
from genomap_core.benchmark.verdict import condition_title
from genomap_core.errors import InputError
from genomap_core.plotting import benchmark as plots
from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.reports.benchmark import render_report, write_report
from genomap_core.reports.benchmark_view import axis_of, curve_pictures, rank_pictures, titles_of
from genomap_core.reports.svg import to_svg

HOSTILE = '<img src="https://evil.example/x.png" onerror="alert(1)">'


class Elements(HTMLParser):
    """All elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def page() -> str:
    records = [
        failed(r.run, "oom", f"too big {HOSTILE}", memory_limit_mb=8000.0, time_limit_s=60.0)
        if (r.model, r.dataset) == ("forest", "arcene")
        else replace(r, label=HOSTILE if r.model == "genomap" else "", machine="Linux", versions='{"python": "3.11"}')
        for r in planted(PROTOCOL)
    ]
    return render_report(study(records))


def test_nothing_in_the_page_can_make_a_request_or_run(page: str) -> None:
    elements = Elements()
    elements.feed(page)
    tags = {tag for tag, _ in elements.found}
    assert not tags & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "a",
        "use",
        "image",
        "video",
    }
    for tag, attributes in elements.found:
        assert not [a for a in attributes if a.startswith("on") or a in ("src", "href", "xlink:href", "srcset")], tag
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import", page)
    assert "&lt;img src=" in page  # the hostile name is there, as text


def test_the_page_says_what_a_reader_must_know(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert RESEARCH_USE in text
    assert "GenoMap network has the best mean rank" in text
    assert "the layout matters" in text
    assert "beyond the memory limit" in text
    assert "Machine: Linux." in text
    assert "Limits of a run: 8,000 MB, 60 s." in text
    for name in ("arcene", "SELDI", "15 repeated measurements a mouse"):
        assert name in text


def test_the_first_paragraph_says_what_the_layout_does(page: str) -> None:
    first = re.search(r'<p id="verdict">(.*?)</p>', page, re.DOTALL)
    assert first is not None
    assert "has the best mean rank" in first[1]
    assert "the layout matters" in first[1]
    assert re.findall(r"<p[^>]*>", page)[:2] == ['<p class="notice">', '<p id="verdict">']


def test_conditions_stand_in_the_order_of_their_strength() -> None:
    shuffled = study(planted(PROTOCOL)[::-1])
    listed = re.search(r"Conditions: (.*?)\. A failure", render_report(shuffled), re.DOTALL)
    assert listed is not None
    assert listed[1] == ", ".join(condition_title(c) for c in conditions_of(shuffled))
    assert listed[1].startswith("undisturbed, ")


def test_every_data_set_has_its_own_panels(page: str) -> None:
    assert page.count("<svg") == 3 + 2 + 3 + 2 * 8  # ranks and layout, curves, costs; noise and rows of each set


def test_every_picture_is_well_formed_and_inside_its_frame() -> None:
    whole = study(planted(PROTOCOL))
    titles = titles_of(whole)
    pictures = curve_pictures(whole, titles, "balanced_accuracy")
    for title, _, figure in pictures:
        root = ElementTree.fromstring(to_svg(figure, title=title))
        width, height = (float(v) for v in (root.get("viewBox") or "").split()[2:])
        marks = root.findall("circle") + root.findall("polygon")
        assert len(marks) >= len(MODELS) * len(axis_of(whole, "rows"))
        for line in root.findall("polyline"):
            points = np.array([[float(v) for v in p.split(",")] for p in (line.get("points") or "").split()])
            assert (points >= 0).all()
            assert (points <= [width, height]).all()


def test_the_svg_shows_the_values_of_the_figure() -> None:
    figure = go.Figure().add_scatter(
        x=[1, 10, 100], y=[0.2, 0.4, 0.8], mode="markers", name="a", marker={"color": "#000"}
    )
    figure.update_xaxes(type="log", range=[0, 2])
    figure.update_yaxes(range=[0, 1])
    root = ElementTree.fromstring(to_svg(figure, title="t"))
    marks = [c for c in root.findall("circle") if c.find("title") is not None]  # the legend's has none
    at = np.array([[float(c.get("cx") or 0), float(c.get("cy") or 0)] for c in marks])
    assert len(at) == 3
    assert at[1, 0] - at[0, 0] == pytest.approx(at[2, 0] - at[1, 0], abs=0.2)  # decades are equally far apart
    assert (at[1, 1] - at[2, 1]) / (at[0, 1] - at[1, 1]) == pytest.approx(2, abs=0.02)


def test_a_value_that_is_missing_breaks_the_line_and_is_not_drawn() -> None:
    figure = go.Figure().add_scatter(
        x=[0, 1, 2, 3, 4], y=[1, 2, None, 2, 1], mode="lines+markers", marker={"color": "#000"}, line={"color": "#000"}
    )
    root = ElementTree.fromstring(to_svg(figure, title="t"))
    lines = [p for p in root.findall("polyline") if p.get("stroke") == "#000"]
    assert [len((p.get("points") or "").split()) for p in lines] == [2, 2]
    assert len(root.findall("circle")) == 4


def test_a_kind_of_trace_that_is_not_drawn_is_refused() -> None:
    with pytest.raises(InputError, match="heatmap"):
        to_svg(go.Figure().add_heatmap(z=[[1]]), title="t")


def test_bars_of_the_rank_diagram_join_exactly_the_models_that_are_close() -> None:
    ranks = {"a": 1.2, "b": 1.9, "c": 3.8}
    figure = plots.mean_rank_diagram(ranks, {m: m for m in ranks}, 1.0, [(0, 1)])
    bars = [t for t in figure.data if t.line.width == 5]
    assert [(min(t.x), max(t.x)) for t in bars] == [(pytest.approx(1.16), pytest.approx(1.94))]
    assert list(figure.layout.yaxis.ticktext) == ["a  1.20", "b  1.90", "c  3.80"]
    marks = [t for t in figure.data if t.mode == "markers"]
    assert [t.x[0] for t in marks] == [1.2, 1.9, 3.8]
    assert [t.y[0] for t in marks] == list(figure.layout.yaxis.tickvals)


def test_a_model_has_one_colour_in_all_pictures() -> None:
    from genomap_core.benchmark.summary import summarise

    whole = study(planted(PROTOCOL))
    titles = titles_of(whole)
    curve = curve_pictures(whole, titles, "accuracy")[0][2]
    ranks = rank_pictures(summarise(whole), titles)[0][2]
    of_curve = {t.name: t.line.color for t in curve.data}
    names = [text.rsplit("  ", 1)[0] for text in ranks.layout.yaxis.ticktext]
    of_rank = dict(zip(names, [t.marker.color for t in ranks.data if t.mode == "markers"], strict=True))
    assert of_curve == of_rank


def test_a_report_is_written_whole(tmp_path: Path) -> None:
    write_report(study(planted(PROTOCOL)), tmp_path / "report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text().rstrip().endswith("</html>")


def test_the_foundation_model_is_called_by_the_weights_that_answered() -> None:
    table = pd.DataFrame({"model": ["pfn", "pfn", "forest"], "label": ["in-house PFN 1.0", "", "x"]})
    assert title_in(table, "pfn") == "in-house PFN 1.0"
    assert title_in(table.iloc[1:], "pfn") == "Tabular foundation model"
    assert title_in(table, "forest") == "Random forest"


@pytest.mark.parametrize(
    ("low", "high", "shown"), [(40, 1100, ["20", "50", "100", "1,000"]), (0.1, 9e5, ["0.1", "10"])]
)
def test_a_logarithmic_axis_has_whole_ticks(low: float, high: float, shown: list[str]) -> None:
    axis = plots._log_axis(pd.Series([low, high, 0.0]))
    assert set(shown) <= set(axis["ticktext"])
    assert min(axis["tickvals"]) <= low
    assert max(axis["tickvals"]) >= high
    assert len(axis["tickvals"]) <= 12
