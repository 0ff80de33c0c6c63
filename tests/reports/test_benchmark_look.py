"""What the page shows of a study: planted truths set by set, whole files, and nothing broken by an unfinished study."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from made_up_study import EFFECT, MODELS, PROTOCOL, SETS, planted, study

from genomap_core.benchmark.reading import conditions_of
from genomap_core.benchmark.statistics import corrected_p, holm
from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.reports.benchmark import render_report
from genomap_core.reports.benchmark_view import Look, metrics_of
from genomap_core.reports.svg import svg_file


@pytest.fixture(scope="module")
def look() -> Look:
    return Look(study(planted(PROTOCOL)), "balanced_accuracy", "full")


def test_conditions_and_metrics_are_in_the_order_of_a_reader(look: Look) -> None:
    assert conditions_of(look.study)[:6] == ["full", "rows-20", "rows-40", "rows-60", "rows-80", "noise-5"]
    assert metrics_of(look.study)[1] == "balanced_accuracy"


def test_a_pair_is_compared_set_by_set_with_holms_correction(look: Look) -> None:
    found = look.pair("genomap", "forest").set_index("dataset")
    assert set(found.index) == set(SETS)
    truth = EFFECT["genomap"] - EFFECT["forest"]
    assert ((found["low"] < truth) & (truth < found["high"])).mean() > 0.7
    raw = [
        corrected_p(look.cells.values[s][:, 0] - look.cells.values[s][:, 3], look.cells.test_share[s])
        for s in found.index
    ]
    np.testing.assert_allclose(found["p"], raw)
    np.testing.assert_allclose(found["p_holm"], holm(np.array(raw)))
    told = {c.other: set(c.significant) for c in look.summary.comparisons}
    assert set(found.index[found["p_holm"] < 0.05]) == told["forest"]
    turned = look.pair("forest", "genomap").set_index("dataset")
    np.testing.assert_allclose(turned["difference"], -found["difference"])


def test_of_a_score_of_which_less_is_better_the_better_model_is_ahead() -> None:
    found = Look(study(planted(PROTOCOL)), "brier", "full").pair("genomap", "forest")
    assert (found["difference"] > 0).all()


def test_every_set_has_its_scores_and_its_panel(look: Look) -> None:
    table = look.scores_table()
    assert table["Data set"].tolist() == sorted(SETS)
    assert len(table.columns) == 2 + len(MODELS)
    assert look.kinds() == ["noise", "rows"]
    figure = look.panels_picture("noise")[2]
    assert len(figure.data) == len(SETS) * len(MODELS)
    assert sum(bool(t.showlegend) for t in figure.data) == len(MODELS), "one legend for all panels"
    assert {t.xaxis for t in figure.data} == {"x", *(f"x{i}" for i in range(2, len(SETS) + 1))}
    _, about, mean = look.mean_picture("noise") or ("", "", None)
    assert "8 of the 8 data sets" in about
    assert mean is not None
    assert {t.name: t.line.color for t in mean.data} == {t.name: t.line.color for t in figure.data}


def test_every_picture_is_a_file_of_its_own_with_the_notice(look: Look) -> None:
    pictures = [*look.rank_pictures(), look.scores_picture(), look.pair_picture("genomap", "forest")]
    files = [svg_file(figure, title) for title, _, figure in (*pictures, *look.cost_pictures())]
    for content in (*files, look.panels_file("rows")):
        root = ElementTree.fromstring(content)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.findall(".//{http://www.w3.org/2000/svg}text")[-1].text == RESEARCH_USE
    panels = ElementTree.fromstring(look.panels_file("rows"))
    assert len(panels.findall("{http://www.w3.org/2000/svg}g")) == 1 + len(SETS)


def test_a_study_that_has_just_begun_breaks_nothing() -> None:
    records = [r for r in planted(PROTOCOL) if r.dataset == "arcene" and r.fold == 0 and r.seed == 0]
    alone = [r for r in records if r.condition == "full"]
    for some in ([alone[0]], alone[:2], alone, records):
        look = Look(study(some), "balanced_accuracy", "full")
        assert look.verdict()
        assert look.models_table()
        assert render_report(look.study)
        for title, _, figure in (*look.rank_pictures(), look.scores_picture(), *look.cost_pictures()):
            ElementTree.fromstring(svg_file(figure, title))


def test_where_no_fold_was_run_by_every_model_it_is_said() -> None:
    whole = [r for r in planted(PROTOCOL) if r.condition == "full" and r.dataset == "arcene" and r.seed == 0]
    some = [r for r in whole if (r.model, r.fold) in (("genomap", 0), ("forest", 1))]
    look = Look(study(some), "balanced_accuracy", "full")
    assert look.empty
    assert "No fold of any data set was run by every model yet" in look.verdict()[0]
    assert Look(study(some), "balanced_accuracy", "noise-5").empty
    assert "No fold of any data set" in render_report(look.study)
