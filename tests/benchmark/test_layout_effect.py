"""The layout's part, condition by condition: planted under heavy noise, it is found there and nowhere else."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from made_up_study import PROTOCOL, SETS, planted, record, study
from scipy import stats

from genomap_core.benchmark.layout_effect import Meaning, layout_effects
from genomap_core.benchmark.protocol import Condition
from genomap_core.benchmark.reading import StudyRecords
from genomap_core.benchmark.records import Record, failed
from genomap_core.benchmark.statistics import holm
from genomap_core.benchmark.summary import summarise, summary_text
from genomap_core.benchmark.verdict import verdict
from genomap_core.reports.benchmark import render_report
from genomap_core.reports.benchmark_view import Look

NONE = {"genomap": 0.0, "genomap_random": 0.0, "logistic": -0.02, "forest": -0.03}
HEAVY = "noise-150"
THREE = replace(PROTOCOL, other_seeds=(0, 1), conditions=tuple(map(Condition, ("full", "rows-20", HEAVY))))


def _planted_under_heavy_noise() -> list[Record]:
    records = planted(THREE, NONE, noise=0.001)
    return [
        record(r.run, r.accuracy + 0.02) if (r.model, r.condition) == ("genomap", HEAVY) else r  # type: ignore[operator]
        for r in records
    ]


@pytest.fixture(scope="module")
def heavy() -> StudyRecords:
    return study(_planted_under_heavy_noise())


def test_an_effect_planted_under_one_condition_is_found_there_alone(heavy: StudyRecords) -> None:
    found = {e.condition: e for e in layout_effects(heavy, "balanced_accuracy")}
    assert list(found) == ["full", "rows-20", HEAVY]
    assert found[HEAVY].difference.mean == pytest.approx(0.02, abs=0.003)
    assert {e.condition for e in found.values() if e.p < 0.05} == {HEAVY}
    assert (found[HEAVY].n_sets, found[HEAVY].n_runs) == (8, 8 * 5 * 2)
    assert found[HEAVY].meaning is Meaning.HELPS


def test_p_is_that_of_the_interval_corrected_over_the_conditions(heavy: StudyRecords) -> None:
    effects = layout_effects(heavy, "brier")
    table = heavy.table.groupby(["condition", "dataset", "model"])["brier"].mean().unstack().round(6)
    raw = []
    for effect in effects:
        differences = (table["genomap_random"] - table["genomap"])[effect.condition].to_numpy(float)
        found = stats.ttest_1samp(differences, 0.0)
        ends = found.confidence_interval()
        assert (effect.difference.low, effect.difference.high) == pytest.approx((ends.low, ends.high), abs=1e-6)
        raw.append(found.pvalue)
    np.testing.assert_allclose([e.p for e in effects], holm(np.array(raw)), rtol=1e-6)


def test_folds_of_other_models_do_not_matter_but_both_networks_must_have_run_them() -> None:
    """More seeds of the two networks than of the rest are used; a set on which one failed is not."""
    records = [r for r in _planted_under_heavy_noise() if r.model.startswith("genomap") or r.seed == 0]
    at = next(i for i, r in enumerate(records) if (r.model, r.dataset, r.condition) == ("genomap", SETS[0], HEAVY))
    records[at] = failed(records[at].run, "oom", "8,100 MB in use, 8,000 MB allowed.")
    found = {e.condition: e for e in layout_effects(study(records), "accuracy")}
    assert (found["full"].n_sets, found["full"].n_runs) == (8, 80)
    assert (found[HEAVY].n_sets, found[HEAVY].n_runs) == (7, 70)


def test_the_verdict_says_where_the_layout_matters_whatever_condition_is_looked_at(heavy: StudyRecords) -> None:
    here = verdict(summarise(heavy, HEAVY))[1]
    assert "; the layout matters. Elsewhere" in here
    elsewhere = verdict(summarise(heavy, "full"))[1]
    assert "an effect of the layout is not shown here. Elsewhere it matters: 150 % noise (+0.0" in elsewhere
    assert re.search(r"; no effect is shown: [^;()]+ \([+-]0\.\d{3}\)[,.]", elsewhere)
    assert elsewhere in render_report(heavy).replace("&#39;", "'")


@pytest.mark.parametrize(("turn", "said"), [(1, "the layout may matter"), (-1, "the layout may do harm")])
def test_an_interval_that_excludes_zero_is_no_proof_if_the_corrected_test_doubts_it(turn: int, said: str) -> None:
    shift = dict(zip(SETS, (-0.002, 0.003, 0.006, 0.008, -0.001, 0.005, 0.007, 0.001), strict=True))
    records = [
        record(r.run, r.accuracy + turn * shift[r.dataset]) if (r.model, r.condition) == ("genomap", HEAVY) else r  # type: ignore[operator]
        for r in planted(THREE, NONE, noise=1e-5)
    ]
    summary = summarise(study(records), HEAVY)
    effect = next(e for e in summary.layout if e.condition == HEAVY)
    assert effect.difference.low * effect.difference.high > 0
    assert effect.p > 0.05
    assert f"p = {effect.p:.2g}; {said}. Elsewhere no effect is shown:" in verdict(summary)[1]
    assert said.replace("the layout", "Elsewhere it") in verdict(summarise(study(records)))[1]


def test_without_the_control_there_is_nothing_to_say(heavy: StudyRecords) -> None:
    alone = heavy.filtered(models=["genomap", "logistic"])
    assert layout_effects(alone, "accuracy") == ()
    assert not any("layout" in sentence for sentence in verdict(summarise(alone)))
    one_set = layout_effects(heavy.filtered(sets=[SETS[0]]), "accuracy")
    assert all(math.isnan(e.difference.low) and e.meaning is Meaning.TOO_FEW_SETS for e in one_set)


def test_the_picture_and_the_text_hold_every_condition(heavy: StudyRecords) -> None:
    look = Look(heavy, "balanced_accuracy", "full")
    figure = next(f for title, _, f in look.rank_pictures() if title == "What the layout does")
    assert list(figure.layout.yaxis.ticktext) == ["undisturbed", "20 % of the training rows", "150 % noise"]
    differ = next(t for t in figure.data if t.name == "differ")
    assert [c[0] for c in differ.customdata] == ["150 % noise"]
    assert "layout - random layout, noise-150: +0.0" in summary_text(look.summary)


def test_three_random_layouts_count_as_their_mean() -> None:
    levels = {
        "convolutions": 0.0,
        "convolutions_random": -0.1,
        "convolutions_random2": -0.2,
        "convolutions_random3": -0.3,
    }
    records = planted(replace(THREE, models=tuple(levels)), levels, noise=0.001)
    summary = summarise(study(records), "full", "accuracy")
    assert summary.layout == ()
    assert [e.condition for e in summary.map_learner] == ["full", "rows-20", HEAVY]
    for effect in summary.map_learner:
        assert effect.difference.mean == pytest.approx(0.2, abs=0.003)
    assert "convolutions alone, layout - random layout, full: +0.2" in summary_text(summary)
    one = [r for r in records if r.condition != HEAVY or r.model in ("convolutions", "convolutions_random")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        effects = {e.condition: e for e in summarise(study(one), "full", "accuracy").map_learner}
    assert effects[HEAVY].difference.mean == pytest.approx(0.1, abs=0.003)  # those that were run there
    assert effects["full"].difference.mean == pytest.approx(0.2, abs=0.003)


def test_conditions_that_only_other_models_ran_are_left_out(heavy: StudyRecords) -> None:
    own = heavy.table["model"].isin(["genomap", "genomap_random"])
    part = replace(heavy, table=heavy.table[~(own & (heavy.table["condition"] == "full"))])
    assert [e.condition for e in layout_effects(part, "balanced_accuracy")] == ["rows-20", HEAVY]
    assert summarise(part, "full").layout == layout_effects(part, "balanced_accuracy")
