"""What a study says: planted winners are found, failures rank last, only runs that all models have are compared."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_study import EFFECT, MODELS, PROTOCOL, planted, record, study

from genomap_core.benchmark.layout_effect import Meaning
from genomap_core.benchmark.protocol import FULL, Condition, Protocol, Run
from genomap_core.benchmark.reading import StudyRecords, conditions_of, read_study, records_of, write_records
from genomap_core.benchmark.records import failed, to_table
from genomap_core.benchmark.score_grid import cells
from genomap_core.benchmark.store import create_store
from genomap_core.benchmark.summary import summarise, summary_text
from genomap_core.benchmark.verdict import verdict
from genomap_core.benchmark.views import costs, curves, failures, paired, winners
from genomap_core.data.message import with_interval
from genomap_core.errors import InputError
from genomap_core.plotting.benchmark import winners_map


@pytest.fixture(scope="module")
def whole() -> StudyRecords:
    return study(planted(PROTOCOL))


def test_planted_order_and_effects_are_found(whole: StudyRecords) -> None:
    found = summarise(whole)
    assert [m.model for m in found.models] == ["genomap", "logistic", "genomap_random", "forest"]
    assert (found.n_sets, found.n_common_sets, found.reference) == (8, 8, "genomap")
    for c in found.comparisons:
        assert c.difference.low < EFFECT["genomap"] - EFFECT[c.other] < c.difference.high
        assert (c.wins, c.losses) == (8, 0)
        assert c.p < 0.05
    assert found.friedman_p < 1e-3


def test_a_lower_brier_score_is_better(whole: StudyRecords) -> None:
    found = summarise(whole, metric="brier")
    assert found.models[0].model == "genomap"
    assert all(c.difference.mean > 0 for c in found.comparisons)


def test_fewer_reads_count_over_the_sets_that_hold_counts_and_say_how_many(whole: StudyRecords) -> None:
    """Conditions of the same scores on one set, then on two: no interval, then a wide one, never a made-up one."""
    made = records_of(whole.table[(whole.table["condition"] == "noise-150")])
    thinned = [replace(r, condition="thin-10") for r in made if r.dataset == "sc_pollen"]
    more = [replace(r, condition="thin-50") for r in made if r.dataset in ("sc_pollen", "arcene")]
    found = study([*records_of(whole.table), *thinned, *more])
    assert conditions_of(found)[-2:] == ["thin-10", "thin-50"]
    one, two = (summarise(found, c) for c in ("thin-10", "thin-50"))
    assert (one.n_sets, two.n_sets, one.n_sets_of_study) == (1, 2, 8)
    assert math.isnan(one.comparisons[0].difference.low)
    text = summary_text(one)
    assert "thin-10, balanced_accuracy, 1 of the study's 8 sets" in text
    assert "(no interval: too few sets)" in text
    assert "Friedman too few sets" in text
    assert "nan" not in text.lower()
    effects = {e.condition: e for e in one.layout}
    assert (effects["thin-10"].meaning, effects["thin-50"].n_sets) == (Meaning.TOO_FEW_SETS, 2)
    assert two.comparisons[0].difference.low < two.comparisons[0].difference.mean
    assert "10 % of the reads in test rows (sets that hold counts)" in verdict(one)[0]
    assert "too few sets for an interval" in verdict(one)[1]
    assert json.loads(json.dumps(one.to_json()))["comparisons"][0]["difference"]["low"] is None


def test_a_curve_holds_what_was_run_disturbed_and_begins_undisturbed_where_all_of_it_was(whole: StudyRecords) -> None:
    made = [r for r in records_of(whole.table) if r.dataset in ("sc_pollen", "arcene") and r.model != "forest"]
    thinned = [replace(r, condition=f"thin-{p}") for p in (10, 50) for r in made if r.condition == "noise-150"]
    axis = {"full": 100.0, "thin-50": 50.0, "thin-10": 10.0}
    found = curves(study([*records_of(whole.table), *thinned]), axis, "accuracy")
    assert set(found["dataset"]) == {"sc_pollen", "arcene", ""}
    assert set(found["model"]) == {"genomap", "genomap_random", "logistic"}
    assert set(found["x"]) == {10.0, 50.0, 100.0}
    other = [replace(r, dataset="her2st_b") for r in thinned if r.dataset == "arcene"]
    more = curves(study([*records_of(whole.table), *thinned, *other]), axis, "accuracy")
    assert set(more["dataset"]) == {"sc_pollen", "arcene", "her2st_b", ""}
    assert set(more["x"]) == {10.0, 50.0}


def test_a_model_that_failed_on_a_set_ranks_last_there_and_leaves_the_common_sets(whole: StudyRecords) -> None:
    records = [
        failed(r.run, "oom", "8,100 MB in use, 8,000 MB allowed.")
        if (r.model, r.dataset) == ("genomap", "arcene")
        else r
        for r in planted(PROTOCOL)
    ]
    found = summarise(study(records))
    by_name = {m.model: m for m in found.models}
    assert by_name["genomap"].mean_rank == pytest.approx((7 * 1 + 4) / 8)
    assert (by_name["genomap"].n_sets, found.n_common_sets) == (7, 7)
    assert by_name["genomap"].counts["oom"] == 10
    assert by_name["forest"].n_sets == 8
    table = failures(study(records))
    assert table[["model", "dataset", "status"]].to_numpy().tolist() == [["genomap", "arcene", "oom"]]
    assert int(table["runs"].iloc[0]) == 5 * (2 + 11)


def test_one_failed_fold_is_enough_to_have_no_score_on_that_set() -> None:
    records = planted(PROTOCOL)
    at = next(i for i, r in enumerate(records) if (r.model, r.dataset, r.condition) == ("forest", "tox171", "full"))
    records[at] = failed(records[at].run, "timeout", "Not done after 3,600 s.")
    found = cells(study(records), "full", "accuracy")
    assert math.isnan(found.means()[found.sets.index("tox171"), found.models.index("forest")])
    assert np.isnan(found.means()).sum() == 1


def test_models_are_compared_on_the_runs_that_all_of_them_have() -> None:
    """A model that is further than the others must not gain by easy folds the others haven't run yet."""
    records = [r for r in planted(PROTOCOL) if r.model == "genomap" or r.seed == 0]
    easy = [record(r.run, 1.0) if r.seed == 1 else r for r in records]
    assert all(len(v) == 5 for v in cells(study(easy), "full", "accuracy").values.values())
    assert summarise(study(easy)).models[0].mean_score == summarise(study(records)).models[0].mean_score


def test_two_models_are_compared_on_all_runs_that_both_have_whatever_the_others_ran() -> None:
    """The second seed, which the forest lacks, counts between the two that have it, not in ranks and means."""
    records = [r for r in planted(PROTOCOL) if r.model != "forest" or r.seed == 0]
    uneven, even = summarise(study(records)), summarise(study(planted(PROTOCOL)))
    both, alike = ({c.other: c for c in found.comparisons} for found in (uneven, even))
    assert {m: c.n_runs for m, c in both.items()} == {"logistic": 80, "genomap_random": 80, "forest": 40}
    assert uneven.n_runs_compared == 40
    assert both["logistic"].difference == alike["logistic"].difference
    one_seed = summarise(study([r for r in records if r.seed == 0]))
    assert both["forest"].difference == {c.other: c for c in one_seed.comparisons}["forest"].difference
    assert [m.mean_score for m in uneven.models] == [m.mean_score for m in one_seed.models]
    assert "folds that every model was given" in summary_text(uneven)
    pair = paired(study(records), "full", "balanced_accuracy", "logistic", "genomap")
    assert set(pair["runs"]) == {10}
    mirrored = paired(study(records), "full", "brier", "genomap", "logistic")
    assert (mirrored["difference"] > 0).sum() == len(mirrored)


def test_without_an_effect_of_the_layout_the_verdict_says_so() -> None:
    none = dict.fromkeys(MODELS, 0.0)
    for seed in range(3):
        found = summarise(study(planted(PROTOCOL, none, seed=seed)))
        difference = next(c for c in found.comparisons if c.other == "genomap_random").difference
        if difference.low <= 0 <= difference.high:
            assert "not shown" in verdict(found)[1]
            return
    pytest.fail("three studies without an effect all found one")


def test_the_verdict_names_winner_layout_and_best_baseline(whole: StudyRecords) -> None:
    best, layout, baseline = verdict(summarise(whole))
    assert "GenoMap network has the best mean rank" in best
    assert "the layout matters" in layout
    assert "not worse than that of the best baseline (Logistic regression" in baseline
    worse = summarise(study(planted(PROTOCOL, {**EFFECT, "genomap": -0.05, "genomap_random": 0.0})))
    assert "the layout does harm" in verdict(worse)[1]
    assert ", worse than that of the best baseline" in verdict(worse)[2]


@pytest.mark.parametrize("metric", ["balanced_accuracy", "brier"])
def test_the_verdict_sets_the_paired_difference_beside_the_ranks(whole: StudyRecords, metric: str) -> None:
    """Nemenyi's test of ranks is blunt: what it doesn't tell apart, the differences set by set may."""
    found = summarise(whole, metric=metric)
    ranks, _, baseline = verdict(found)
    assert "By their ranks not told apart from it (Nemenyi): " in ranks
    pair = next(c for c in found.comparisons if c.other == "logistic")
    assert pair.difference.low > 0
    told = (pair.difference.mean, pair.difference.low, pair.difference.high)
    assert f"(positive: better) is {with_interval(*told, '+')}, p = " in baseline
    assert f"p = {pair.p:.2g} (Wilcoxon's" in baseline


def test_one_set_has_no_interval_to_say(whole: StudyRecords) -> None:
    alone = verdict(summarise(whole.filtered([whole.table["dataset"].iloc[0]])))[2]
    assert alone.endswith(").")
    assert "nan" not in alone
    assert "positive: better" not in alone


def test_a_curve_holds_each_set_with_interval_and_the_mean_over_the_sets(whole: StudyRecords) -> None:
    found = curves(whole, {"full": 0, "noise-50": 50, "noise-150": 150}, "accuracy")
    mean = found[(found["dataset"] == "") & (found["model"] == "genomap")].set_index("x")["mean"]
    assert list(mean.index) == [0, 50, 150]
    assert mean[0] - mean[150] == pytest.approx(0.15, abs=0.01)
    own = found[(found["dataset"] == "arcene") & (found["x"] == 150)]
    assert ((own["low"] < own["mean"]) & (own["mean"] < own["high"])).all()
    expected = found[(found["dataset"] != "") & (found["model"] == "genomap")].groupby("x")["mean"].mean()
    np.testing.assert_allclose(mean, expected)


def test_winners_costs_and_sizes_are_those_of_the_records(whole: StudyRecords) -> None:
    best = winners(whole, "full", "accuracy")
    assert set(best["models"]) == {("genomap",)}
    assert set(best["n"]) == {100}
    assert (best["lead"] > 0).all()
    cost = costs(whole)
    assert len(cost) == 8 * 4
    assert set(cost["seconds"]) == {2.5}


def test_equal_scores_have_no_single_winner() -> None:
    """Only the forest is worse: the three others win together, whatever their order."""
    best = winners(study(planted(PROTOCOL, dict.fromkeys(MODELS, 0.0) | {"forest": -0.1}, noise=0)), "full", "accuracy")
    assert {frozenset(models) for models in best["models"]} == {frozenset(MODELS) - {"forest"}}
    assert set(best["lead"]) == {0.0}
    marks = winners_map(best, dict(zip(MODELS, MODELS, strict=True)), "accuracy").data
    assert [(mark.name, len(mark.x)) for mark in marks] == [("several, equal", len(best))]


def test_the_summary_is_json_and_text(whole: StudyRecords) -> None:
    found = summarise(whole)
    read = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert [m["model"] for m in read["models"]] == [m.model for m in found.models]
    assert read["models"][0]["counts"] == {"ok": 8 * 10}
    text = summary_text(found)
    assert "GenoMap network" in text
    assert "Nemenyi" in text


def test_one_model_alone_is_no_comparison(whole: StudyRecords) -> None:
    found = summarise(whole.filtered(models=["forest"]))
    assert found.comparisons == ()
    assert verdict(found)
    json.dumps(found.to_json(), allow_nan=False)


def test_records_survive_the_way_through_parquet(whole: StudyRecords, tmp_path: Path) -> None:
    lost = failed(Run("arcene", Condition("noise-5"), "forest", 7, 0), "crash", "SIGSEGV.", finished=1.8e9)
    before = study([*records_of(whole.table), lost])
    write_records(before, tmp_path / "study.parquet")
    after = read_study(tmp_path / "study.parquet")
    assert after.header == json.loads(json.dumps(before.header))
    assert [r.name for r in records_of(after.table)] == [r.name for r in records_of(before.table)]
    kept = next(r for r in records_of(after.table) if r.seed == 7)
    assert kept == lost
    np.testing.assert_allclose(after.table["accuracy"], before.table["accuracy"], rtol=1e-6)
    assert [m.mean_rank for m in summarise(after).models] == [m.mean_rank for m in summarise(before).models]


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing", None])
def test_a_file_that_is_no_study_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "other.parquet"
    if content is None:
        to_table([]).to_parquet(path)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"other\.parquet"):
        read_study(path)


def test_an_empty_store_and_an_unknown_name_are_errors_in_words(tmp_path: Path, whole: StudyRecords) -> None:
    create_store(tmp_path / "s", Protocol({"a": 2}, seeds=(0,)), {})
    with pytest.raises(InputError, match="no records yet"):
        read_study(tmp_path / "s")
    with pytest.raises(InputError, match="nothing"):
        whole.filtered(models=["nothing"])
    with pytest.raises(InputError, match="noise-7"):
        cells(whole, "noise-7", "accuracy")
    with pytest.raises(InputError, match="speed"):
        cells(whole, FULL.name, "speed")
