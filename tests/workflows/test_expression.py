"""Networks from images to expression against their controls: folds, runs that are kept, statistics, words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from planted_expression import DRIVEN, TINY, images_and_genes, planted_expression, two_types

from genomap_core.data.images.expression import ExpressionOptions, expression_cohort
from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import InputError
from genomap_core.workflows.comparison.runner import fold_file
from genomap_core.workflows.expression import compare as comparing
from genomap_core.workflows.expression.compare import (
    ExpressionCompareConfig,
    compare_expression,
    expression_folds,
    shuffled,
)
from genomap_core.workflows.expression.jobs import compare_config, compare_task, train_task
from genomap_core.workflows.expression.result import ExpressionResult
from genomap_core.workflows.expression.statistics import GeneStatistics
from genomap_core.workflows.expression.view import attribute, gene_modules
from genomap_core.workflows.expression.words import count_rows, gene_rows, report, run_rows, verdict
from tools.expression_table import main

QUICK = ExpressionCompareConfig(n_folds=3, n_permutations=99, training=TINY)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExpressionResult]:
    """A finished comparison in the folder of its job."""
    folder = tmp_path_factory.mktemp("compared")
    images_and_genes(60).save(folder / "imaging.npz")
    spec = {"config": {"n_folds": 3, "n_permutations": 99, "training": dataclasses.asdict(TINY)}}
    summary = compare_task(spec, folder, lambda p: None)
    assert set(summary) == {"all"}
    return folder, ExpressionResult.load(folder)


def test_every_patient_is_answered_by_every_run(kept: tuple[Path, ExpressionResult]) -> None:
    _, r = kept
    names = ["dense", "map", "random", "exchanged", "full", "ridge", "ridge_cnn", "mean"]
    assert [run.name for run in r.runs] == names
    for run in r.runs:
        assert run.predicted.shape == r.truth.shape == (60, 20)
        assert np.isfinite(run.predicted).all()


def test_driven_genes_are_found_and_the_controls_fall(kept: tuple[Path, ExpressionResult]) -> None:
    _, r = kept
    s = r.statistics["all"]["dense"]
    assert s.predicted[:DRIVEN].all()
    assert (s.permutation_fdr < 0.05)[:DRIVEN].all()
    assert s.predicted[DRIVEN:].mean() <= 0.2
    scores = r.mean_r["all"]
    assert scores["dense"].low > max(scores[name].high for name in ("random", "exchanged", "mean"))
    assert scores["mean"].value == 0, "means of training folds say nothing"
    assert r.lead["all"]["exchanged"].low > 0


def test_parts_that_are_left_out_are_rows_and_the_layers_say_what_they_added() -> None:
    config = dataclasses.replace(QUICK, heads=("dense",), controls=False, ablations=True, n_folds=2)
    r = compare_expression(planted_expression(), config)
    assert [run.name for run in r.runs[2:-3]] == ["full", "transformer", "layers_0", "layers_2"]
    by_name = {run.name: run for run in r.runs}
    assert by_name["dense"].parameters < by_name["layers_0"].parameters < by_name["full"].parameters
    np.testing.assert_array_equal(by_name["layers_2"].predicted, by_name["full"].predicted)  # it has two layers here
    assert r.lead["all"]["layers_2"] == r.lead["all"]["full"]
    whole = dataclasses.replace(
        config, ablations=False, controls=True, training=dataclasses.replace(TINY, paths="both")
    )
    turned = compare_expression(planted_expression(), whole)
    np.testing.assert_array_equal(turned.run("dense").predicted, by_name["full"].predicted)
    np.testing.assert_array_equal(turned.run("statistics").predicted, by_name["dense"].predicted)
    sentences = [next(s for s in verdict(x) if s.startswith("The transformer of 2 layers")) for x in (r, turned)]
    assert sentences[0] == sentences[1], "what the layers add does not hang on which network comes first"


def test_what_is_stored_is_what_was_found(kept: tuple[Path, ExpressionResult]) -> None:
    folder, r = kept
    cohort = expression_cohort(PatientImages.load(folder / "imaging.npz"))
    config = compare_config({k: v for k, v in r.config.items() if k != "options"})
    again = compare_expression(cohort, config, keep=folder)
    for field in dataclasses.fields(GeneStatistics):
        np.testing.assert_array_equal(
            getattr(again.statistics["all"]["dense"], field.name), getattr(r.statistics["all"]["dense"], field.name)
        )
    assert again.mean_r == r.mean_r
    assert again.grid == r.grid
    np.testing.assert_array_equal(again.cells, r.cells)


def test_kept_runs_are_not_made_again_and_other_options_refit_what_they_touch(
    kept: tuple[Path, ExpressionResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, r = kept
    cohort = expression_cohort(PatientImages.load(folder / "imaging.npz"))
    monkeypatch.setattr(comparing, "_answer", None)
    config = compare_config({k: v for k, v in r.config.items() if k != "options"})
    compare_expression(cohort, config, keep=folder)
    other = dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=9))
    taken: list[str] = []
    monkeypatch.setattr(comparing, "_answer", lambda name, *rest: taken.append(name) or 1 / 0)
    with pytest.raises(InputError, match="need a trained network"):
        compare_expression(cohort, other, keep=folder)
    assert not {"ridge", "mean"} & set(taken), "they have no epochs"
    with pytest.raises(InputError, match="another cohort"):
        compare_expression(dataclasses.replace(cohort, expression=cohort.expression + 1), config, keep=folder)


def test_groups_never_part_and_cohorts_are_spread() -> None:
    groups = np.repeat(np.arange(16), 4)
    y = (groups % 4 == 0).astype(np.int64)
    cohort = planted_expression(options=ExpressionOptions(by_label=True), y=y, classes=("a", "b"), groups=groups)
    fold = expression_folds(cohort, 4, 0)
    assert all(len(np.unique(fold[groups == g])) == 1 for g in range(16))
    assert np.array_equal(np.unique(fold), np.arange(4))
    assert all(len(np.unique(groups[(fold == k) & (y == 1)])) == 1 for k in range(4))
    assert len(np.unique(expression_folds(planted_expression(groups=np.arange(64) % 2), 5, 0))) == 2
    with pytest.raises(InputError, match="one patient or group"):
        expression_folds(planted_expression(groups=np.zeros(64, np.int64)), 5, 0)


def test_test_patients_expression_plays_no_part_in_their_prediction() -> None:
    cohort = planted_expression(48)
    fold = expression_folds(cohort, 3, 0)
    changed = dataclasses.replace(cohort, expression=cohort.expression.copy())
    changed.expression[fold == 0] = changed.expression[fold == 0][::-1]
    config = dataclasses.replace(QUICK, heads=("dense",), controls=False)
    a, b = (compare_expression(c, config) for c in (cohort, changed))
    for run in a.runs:
        np.testing.assert_array_equal(run.predicted[fold == 0], b.run(run.name).predicted[fold == 0], err_msg=run.name)


def test_cohorts_are_judged_apart_and_trained_together_or_apart() -> None:
    y = np.arange(72) % 2
    made = images_and_genes(72, y=y, classes=("GBM", "LGG"))
    X = np.asarray(made.table.X) + 5 * y[:, None].astype(np.float32)
    apart = dataclasses.replace(made, table=dataclasses.replace(made.table, X=X))
    cohort = expression_cohort(apart, ExpressionOptions(by_label=True))
    pooled = compare_expression(cohort, dataclasses.replace(QUICK, heads=("dense",), controls=False))
    assert set(pooled.statistics) == {"GBM", "LGG"}
    for name in pooled.cohort_names:
        s = pooled.statistics[name]["dense"]
        assert s.n_patients == 36
        assert s.r[:DRIVEN].mean() > 0.4
        assert abs(s.r[DRIVEN:].mean()) < 0.25, "a difference between cohorts is no prediction"
    alone = compare_expression(cohort, dataclasses.replace(QUICK, heads=("dense",), controls=False, per_cohort=True))
    own = y == 0
    train = own & (alone.fold_of_row != 0)
    test = own & (alone.fold_of_row == 0)
    np.testing.assert_allclose(
        alone.run("mean").predicted[test], np.tile(cohort.expression[train].mean(0), (test.sum(), 1)), rtol=1e-5
    )


def test_a_table_needs_no_images() -> None:
    config = dataclasses.replace(QUICK, heads=("dense",), training=dataclasses.replace(TINY, epochs=20))
    r = compare_expression(expression_cohort(two_types(60)), config)
    assert [run.name for run in r.runs] == ["dense", "random", "exchanged", "statistics", "ridge", "mean"]
    assert r.config["training"]["paths"] == "both", "statistics of a map lose which feature is where"
    assert r.mean_r["all"]["ridge"].low > 0.05
    assert r.statistics["all"]["dense"].r[:DRIVEN].mean() > 0.3


def test_words_claim_what_the_intervals_allow(kept: tuple[Path, ExpressionResult]) -> None:
    _, r = kept
    said = " ".join(verdict(r))
    assert (
        "8 of 20 genes are predicted" in said or f"{r.statistics['all']['dense'].predicted.sum()} of 20 genes" in said
    )
    assert "falls, as it must" in said
    low, high = (
        dataclasses.replace(r.lead["all"][r.best_ridge], low=x, high=y) for x, y in ((-0.2, -0.1), (-0.1, 0.1))
    )
    for lead, words in ((low, "It is behind ridge"), (high, "No difference to ridge")):
        other = dataclasses.replace(r, tables=r.tables | {"lead": {"all": r.lead["all"] | {r.best_ridge: lead}}})
        assert words in " ".join(verdict(other))
    risen = dataclasses.replace(r, tables=r.tables | {"lead": {"all": r.lead["all"] | {"exchanged": low}}})
    assert "does NOT fall" in " ".join(verdict(risen))
    scores = r.mean_r["all"] | {"dense": dataclasses.replace(r.mean_r["all"]["dense"], low=-0.01)}
    nothing = " ".join(verdict(dataclasses.replace(r, tables=r.tables | {"mean_r": {"all": scores}})))
    assert "On average nothing is predicted" in nothing
    assert "ahead of ridge" not in nothing
    few = " ".join(verdict(dataclasses.replace(r, facts=r.facts | {"n_units": 5})))
    assert "From 5 groups no difference" in few
    assert "ahead of ridge" not in few


def test_tables_hold_every_run_and_gene(kept: tuple[Path, ExpressionResult]) -> None:
    _, r = kept
    assert len(run_rows(r, "all")) == 8
    networks = [row["Network"] for row in count_rows(r)]
    assert networks == ["CNN", "CNN, genomap head", "Ridge on simple features"]
    columns = gene_rows(r, "all", "map")
    assert {len(v) for v in columns.values()} == {20}
    assert "CNN + transformer of 2 layers" in report(r)


def test_one_patients_prediction_is_explained(kept: tuple[Path, ExpressionResult]) -> None:
    folder, r = kept
    assert (folder / fold_file(2)).is_file()
    spec = {"folder": str(folder), "row": 5, "fold": int(r.fold_of_row[5]), "options": r.config["options"]}
    cache: dict[object, object] = {}
    about, seen = attribute(spec | {"method": "integrated_gradients"}, {"genes": np.array([0])}, cache)
    assert seen["values"].shape == (1, 16, 16)
    assert abs(seen["values"].sum() - (about["output"] - about["baseline"])) < 0.05
    standardised = about["output"] * r.truth[r.fold_of_row != r.fold_of_row[5], 0].std()
    mean = r.truth[r.fold_of_row != r.fold_of_row[5], 0].mean()
    assert mean + standardised == pytest.approx(float(r.champion.predicted[5, 0]), abs=0.05), (
        "the stored network answers"
    )
    about, seen = attribute(spec | {"method": "occlusion"}, {"genes": np.arange(DRIVEN)}, cache)
    assert np.isfinite(seen["values"]).all()


def test_attribution_on_empty_background_is_told_beside_that_of_the_control(
    kept: tuple[Path, ExpressionResult],
) -> None:
    folder, r = kept
    for name in ("dense", "exchanged"):
        assert np.isfinite(r.run(name).values["background"]).all()
    assert "no empty background" in " ".join(verdict(r)), "these images are noise to their border"
    spec = {"folder": str(folder), "row": 5, "fold": int(r.fold_of_row[5]), "options": r.config["options"]}
    about, _ = attribute(spec | {"method": "integrated_gradients"}, {"genes": np.array([0])}, {})
    assert all(0 <= share <= 1 for share in about["background"])
    assert len(about["background"]) == 3
    (folder / fold_file(spec["fold"], "exchanged")).rename(folder / "away")
    about, _ = attribute(spec | {"method": "integrated_gradients"}, {"genes": np.array([0])}, {})
    (folder / "away").rename(folder / fold_file(spec["fold"], "exchanged"))
    assert about["background"][2] is None, "a comparison of an earlier version kept none"


def test_modules_are_genes_that_vary_together() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(80, 3))
    truth = states[:, np.arange(12) % 3] + rng.normal(0, 0.3, (80, 12))
    found = gene_modules(truth, np.linspace(0.2, 0.9, 12), [f"g{j}" for j in range(12)], 3)
    assert sorted(sorted(int(j) % 3 for j in members)[0] for members in found.values()) == [0, 1, 2]
    assert all(len({int(j) % 3 for j in members}) == 1 for members in found.values())
    assert gene_modules(truth, np.full(12, -0.1), [f"g{j}" for j in range(12)]) == {}


def test_a_training_job_leaves_a_model(tmp_path: Path) -> None:
    from genomap_core.training.expression_bundle import load_expression

    images_and_genes(24).save(tmp_path / "imaging.npz")
    said = train_task({"config": dataclasses.asdict(TINY)}, tmp_path, lambda p: None)
    assert said["genes"] == 20
    model = load_expression(tmp_path / "expression.safetensors").model
    assert model.predict(planted_expression(24)).shape == (24, 20)
    assert not (tmp_path / "checkpoints").exists()


def test_the_command_line_compares_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images_and_genes(24).save(tmp_path / "imaging.npz")
    words = ["any", "--out", str(tmp_path), "--folds", "2", "--epochs", "1", "--permutations", "19", "--heads", "dense"]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert "Ridge on simple features" in first
    assert main(words) == 0
    assert capsys.readouterr().out == first


def test_the_digest_tells_patients_and_values_apart() -> None:
    cohort = planted_expression()
    assert cohort.digest == planted_expression().digest
    assert cohort.digest != shuffled(cohort, 0).digest != shuffled(cohort, 1).digest


@pytest.mark.parametrize("wrong", [{"heads": ()}, {"heads": ("cnn",)}, {"n_folds": 1}, {"n_permutations": 5}])
def test_options_of_a_comparison_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ExpressionCompareConfig(**wrong)  # type: ignore[arg-type]
