"""Fusion against each kind alone and its controls: a planted gain is found, made-up results are told in true words."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from planted_fusion import CLASSES, planted

from genomap_core.data.images.networks import VARIANTS
from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import Cancelled, InputError
from genomap_core.progress import Progress, ignore
from genomap_core.training.fusion_bundle import load_fusion
from genomap_core.workflows.comparison.runner import Run, fold_file, run_file
from genomap_core.workflows.comparison.scores import Score
from genomap_core.workflows.fusion import view as fusion_view
from genomap_core.workflows.fusion.compare import (
    QUICK,
    FusionCompareConfig,
    compare_fusion,
    expected_seconds,
    fusion_of,
)
from genomap_core.workflows.fusion.controls import BASELINES, CONTROLS, only_type, parts_of, permute_within, planned
from genomap_core.workflows.fusion.jobs import compare_task, train_task
from genomap_core.workflows.fusion.scores import FusionResult
from genomap_core.workflows.fusion.words import gain_is_real, images_used, in_short, report, scope, verdict, weight_rows
from tools.fusion_table import main

SMALL = FusionCompareConfig(n_folds=3, width=8, hidden=32, epochs=15, n_seeds=1, device="cpu")
TINY = dataclasses.replace(SMALL, n_folds=2, width=4, hidden=8, epochs=1)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison in the folder of its job."""
    folder = tmp_path_factory.mktemp("compared")
    planted(120).save(folder / "imaging.npz")
    compare_fusion(planted(120), SMALL, keep=folder).save(folder)
    return folder


@pytest.fixture(scope="module")
def result(kept: Path) -> FusionResult:
    return FusionResult.load(kept)


def test_every_patient_is_tested_once_by_every_run(result: FusionResult) -> None:
    assert [run.name for run in result.runs] == [*VARIANTS, *CONTROLS, *BASELINES, "adaptive"]
    for run in result.runs:
        np.testing.assert_allclose(run.proba.sum(1), 1, atol=1e-6)
        assert run.parameters > 0


def test_a_planted_gain_is_found_and_the_controls_fall(result: FusionResult) -> None:
    level = {name: row["balanced_accuracy"].value for name, row in result.scores.items()}
    for name in ("image", "omics", "shuffled_omics", "shuffled_images"):
        assert level[name] < 0.65 < 0.75 < level["stacked"], level
        assert result.gain[name]["balanced_accuracy"].low > 0
    assert gain_is_real(result)
    said = " ".join(verdict(result))
    assert "The gain of fusion is real" in said
    assert "With the omics of other patients it falls" in said


def test_adaptive_fusion_is_not_behind_its_best_part_and_weighs_the_parts_by_class(result: FusionResult) -> None:
    names, weights = result.part_weights
    assert names == ("stacked", "image", "omics", *BASELINES)
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    best = max(names, key=lambda name: result.scores[name]["balanced_accuracy"].value)
    assert result.ahead[best].high >= 0
    assert result.ahead["image"].low > 0
    assert "Adaptive fusion is" in " ".join(verdict(result))
    assert [row["Part"] for row in weight_rows(result)][1] == "Images only"
    assert result.scores["adaptive"]["brier"].value < result.scores["image"]["brier"].value
    assert "| Calibration error |" in report(result)


def test_adaptive_fusion_is_asked_about_a_patient_as_one_model(kept: Path, result: FusionResult) -> None:
    run = result.run("adaptive")
    cache: dict[object, object] = {}
    for row in (0, 1, 2, 50):
        spec = {"folder": str(kept), "row": row, "fold": int(result.fold_of_row[row]), "model": "adaptive"}
        _, seen = fusion_view.look(spec, {}, cache)
        np.testing.assert_allclose(seen["proba"], run.proba[row], atol=5e-3, err_msg="weights lie in 16 bits")


def test_types_regions_and_modules_share_the_answer_of_adaptive_fusion(kept: Path, result: FusionResult) -> None:
    assert result.explained == ("stacked", "adaptive")
    run = result.run("adaptive")
    nobody = run.proba - run.values["types"].sum(axis=1)
    for fold in range(3):
        own = nobody[result.fold_of_row == fold]
        np.testing.assert_allclose(own, np.tile(own[:1], (len(own), 1)), atol=5e-3, err_msg="the mean patient is one")
    dark, bright = (result.y % 2 == k for k in (0, 1))
    image = run.values["types"][:, 0]
    assert image[bright, 1].mean() > image[dark, 1].mean() + 0.1, "brightness speaks for a bright class"
    row = int(np.flatnonzero((result.y == 3) & (run.proba.argmax(axis=1) == 3))[0])
    spec = {"folder": str(kept), "row": row, "fold": int(result.fold_of_row[row]), "model": "adaptive", "target": 3}
    about, parts = fusion_view.explain(spec | {"n_modules": 4}, {"fold_of_row": result.fold_of_row}, {})
    total = parts["region_values"].sum() + parts["module_values"].sum()
    assert about["output"] - about["baseline"] == pytest.approx(total, abs=1e-6)
    assert parts["interaction"].shape == (len(parts["module_values"]), len(parts["region_values"]))
    assert "pixels" not in parts, "several models have no gradient"
    assert all(0 <= share <= 1 for share in about["background"]), "one of them of the network taught other images"


def test_attribution_on_empty_background_stands_beside_that_of_a_network_taught_other_images(
    result: FusionResult,
) -> None:
    for name in ("stacked", "shuffled_images"):
        assert result.run(name).values["background"].shape == (120, 2)
        assert np.isfinite(result.run(name).values["background"]).all()
    assert "no empty background" in " ".join(verdict(result)), "these images are noise to their border"
    values = {"stacked": (0.1, 0.4), "shuffled_images": (0.3, 0.4)}
    runs = tuple(
        dataclasses.replace(run, values=run.values | {"background": np.tile(values[run.name], (120, 1))})
        if run.name in values
        else run
        for run in result.runs
    )
    said = " ".join(verdict(dataclasses.replace(result, runs=runs)))
    assert "10% of the attribution to images lies on empty background, which is 40% of the picture" in said
    assert "of a network taught other patients' images 30%." in said


def test_without_its_parts_models_adaptive_fusion_is_not_explained(kept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(kept, folder)
    for name in (fold_file(0, "image"), run_file("adaptive")):
        (folder / name).unlink()
    assert compare_fusion(planted(120), SMALL, keep=folder).explained == ("stacked",)


def test_two_encoders_have_as_many_parameters_as_one(result: FusionResult) -> None:
    runs = {run.name: run.parameters for run in result.runs}
    assert runs["late"] == pytest.approx(runs["stacked"], rel=0.03)
    assert runs["attention"] == pytest.approx(runs["stacked"], rel=0.03)


def test_a_result_survives_the_disk(result: FusionResult, tmp_path: Path) -> None:
    result.save(tmp_path)
    again = FusionResult.load(tmp_path)
    assert again.scores == result.scores
    assert again.gain == result.gain
    assert again.part_weights[0] == result.part_weights[0]
    assert (again.name, again.classes, again.channels, again.omics_names) == ("planted", CLASSES, ("grey",), ("a", "b"))
    for a, b in zip(again.runs, result.runs):
        np.testing.assert_array_equal(a.proba, b.proba)
    assert verdict(again) == verdict(result)


def test_the_report_names_every_run_and_says_the_verdict(result: FusionResult) -> None:
    text = report(result, ("A note.",))
    assert text.startswith("A note.")
    for words in ("| Images + omics, stacked |", "| Control: omics of other patients |", "Logistic regression, both"):
        assert words in text
    assert all(sentence in text for sentence in verdict(result))


def test_without_images_every_type_stands_alone(tmp_path: Path) -> None:
    cohort = planted(24, images=False)
    names = planned(cohort, tuple(VARIANTS), True, True)
    assert names == ("omics", "type:a", "type:b", "shuffled_omics", "shuffled_layout", "logistic_omics")
    result = compare_fusion(cohort, dataclasses.replace(TINY, n_folds=3, controls=False), keep=tmp_path)
    assert "Both omics types together" in verdict(result)[1]
    assert "| All omics types |" in report(result)
    assert result.explained == ("omics", "adaptive")
    assert result.run("adaptive").values["types"].shape == (24, 2, 4)


def test_a_stopped_comparison_goes_on_and_other_options_refit_what_they_touch(tmp_path: Path) -> None:
    cohort, stages = planted(24), []

    def stop(p: Progress) -> None:
        stages.append(p.stage)
        if p.stage.startswith("Omics only"):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        compare_fusion(cohort, TINY, stop, keep=tmp_path)
    stages.clear()
    found = compare_fusion(cohort, TINY, lambda p: stages.append(p.stage), keep=tmp_path)
    assert not any(stage.startswith(("Images + omics, stacked", "Images only")) for stage in stages)
    whole = compare_fusion(cohort, TINY)
    for a, b in zip(found.runs, whole.runs):
        np.testing.assert_array_equal(a.proba, b.proba)
    stages.clear()
    compare_fusion(cohort, dataclasses.replace(TINY, epochs=2), lambda p: stages.append(p.stage), keep=tmp_path)
    assert not any(stage.startswith("Logistic") for stage in stages), "a linear model has no epochs"
    assert any(stage.startswith("Images + omics, stacked") for stage in stages)
    with pytest.raises(InputError, match="another cohort"):
        compare_fusion(planted(28), TINY, keep=tmp_path)


def test_groups_never_part() -> None:
    cohort = planted(48)
    groups = np.arange(48) // 2
    y = np.repeat(cohort.table.y[::2], 2)
    cohort = dataclasses.replace(cohort, table=dataclasses.replace(cohort.table, groups=groups, y=y))
    seen: list[tuple[set[int], set[int]]] = []

    def look(name: str, cohort: PatientImages, train: np.ndarray, test: np.ndarray, seed: int):  # type: ignore[no-untyped-def]
        seen.append((set(groups[train]), set(groups[test])))
        return parts_of(name, cohort, train, test, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genomap_core.workflows.fusion.compare.parts_of", look)
        compare_fusion(cohort, dataclasses.replace(TINY, variants=("image",), controls=False, baselines=False))
    assert len(seen) == 2
    assert not any(train & test for train, test in seen)


def test_exchanged_rows_stay_on_their_side_of_the_split() -> None:
    train, test = np.arange(0, 30), np.arange(30, 40)
    source = permute_within(40, (train, test), 0)
    assert set(source[train]) == set(train)
    assert set(source[test]) == set(test)
    assert (source != np.arange(40)).mean() > 0.8


def test_controls_exchange_one_kind_and_leave_the_other() -> None:
    cohort, train, test = planted(30), np.arange(20), np.arange(20, 30)
    seen, _ = parts_of("shuffled_omics", cohort, train, test, 0)
    np.testing.assert_array_equal(seen.images, cohort.images[train])
    np.testing.assert_array_equal(seen.table.y, cohort.table.y[train])
    np.testing.assert_array_equal(np.sort(seen.table.X[:, 0]), np.sort(cohort.table.X[train, 0]))
    assert (cohort.table.X[train] != seen.table.X).any()
    seen, _ = parts_of("shuffled_images", cohort, train, test, 0)
    np.testing.assert_array_equal(seen.table.X, cohort.table.X[train])
    assert (seen.images != cohort.images[train]).any()


def test_one_type_alone_keeps_its_features() -> None:
    cohort = only_type(planted(20), "b")
    assert cohort.table.omics_names == ("b",)
    assert all(name.startswith("b:") for name in cohort.table.feature_names)


def test_the_random_layout_is_the_control_of_the_champion() -> None:
    assert fusion_of(SMALL, "shuffled_layout").solver == "random"
    assert fusion_of(SMALL, "shuffled_layout").variant == "stacked"
    assert fusion_of(SMALL, "shuffled_layout", images=False).variant == "omics"
    assert fusion_of(SMALL, "shuffled_omics").solver == "ot"
    with pytest.raises(InputError, match="Unknown variants"):
        planned(planted(20), ("magic",), True, True)


def test_names_of_runs_become_names_of_files() -> None:
    assert run_file("type:mi RNA/x") == "run-type.3ami.20RNA.2fx.npz"


def made_up(image: float, omics: float, shuffled: float, images_shuffled: float, width: float = 0.05) -> FusionResult:
    """A result whose first run leads by so much in balanced accuracy, with intervals of this half width."""
    gains = {"image": image, "omics": omics, "shuffled_omics": shuffled, "shuffled_images": images_shuffled}
    gains |= {"shuffled_layout": 0.0, "logistic_both": -0.1}
    y = np.arange(20) % 2
    runs = tuple(Run(name, {"proba": np.full((20, 2), 0.5)}, {"parameters": 10}) for name in ("stacked", *gains))
    around = {name: Score(v, v - width, v + width) for name, v in gains.items()}
    return FusionResult(
        config={},
        name="made up",
        facts={"classes": ["a", "b"], "channels": ["grey"], "omics_names": ["rna"]},
        arrays={"y": y},
        runs=runs,
        tables={
            "scores": {run.name: {"balanced_accuracy": Score(0.8, 0.7, 0.9)} for run in runs},
            "gain": {name: {"balanced_accuracy": s, "roc_auc": s} for name, s in around.items()},
        },
        digest="",
    )


@pytest.mark.parametrize(
    ("result", "real", "words"),
    [
        (made_up(0.2, 0.1, 0.2, 0.1), True, "The gain of fusion is real"),
        (made_up(0.2, 0.1, 0.2, 0.01), False, "a control is missing or does not fall: no claim"),
        (made_up(0.2, 0.01, 0.2, 0.1), False, "The omics carry the answer; what the images add can't be told"),
        (made_up(0.01, 0.2, 0.2, 0.1), False, "The images carry the answer; what the omics add can't be told"),
        (made_up(0.01, 0.01, 0.2, 0.1), False, "No gain of fusion can be claimed:"),
        (made_up(0.2, -0.1, 0.2, 0.1), False, "Fusion is worse than omics only"),
    ],
    ids=["real", "control", "omics carry", "images carry", "none", "worse"],
)
def test_the_verdict_says_what_the_intervals_allow(result: FusionResult, real: bool, words: str) -> None:
    assert gain_is_real(result) == real
    said = " ".join(verdict(result))
    assert words in said
    assert ("The gain of fusion is real" in said) == real
    assert "behind “Logistic regression, both”" in said
    assert "features placed at random can be claimed" in said
    assert said.startswith("The best of all models is “Images + omics, stacked”: balanced accuracy 0.80 (")


def test_a_comparison_without_controls_says_that_it_settles_nothing_and_what_it_left_out() -> None:
    whole = dataclasses.replace(made_up(0.2, 0.1, 0.2, 0.1), config={"n_folds": 5, "epochs": 40, "backbone": "small"})
    assert in_short(whole).endswith("use both.")
    kept = tuple(run for run in whole.runs if not run.name.startswith("shuffled"))
    gain = {name: row for name, row in whole.gain.items() if not name.startswith("shuffled")}
    look = dataclasses.replace(whole, runs=kept, tables=whole.tables | {"gain": gain})
    assert in_short(look).endswith("this is a first look, which settles nothing.")
    assert "use both" not in in_short(look)
    assert scope(look).endswith("Left out: late fusion, cross-attention, controls, adaptive fusion.")


def test_the_expected_time_grows_with_the_work() -> None:
    cohort = planted(24)
    assert expected_seconds(cohort, FusionCompareConfig(backbone="resnet18")) is None
    quick, whole = (expected_seconds(cohort, config) for config in (QUICK, FusionCompareConfig()))
    alone = expected_seconds(cohort, FusionCompareConfig(adaptive=False))
    assert quick is not None
    assert alone is not None
    assert whole is not None
    assert quick < alone < whole


def test_nothing_is_claimed_of_rows_from_a_handful_of_patients() -> None:
    """Two patients resampled give intervals of no width: they are not believed."""
    result = made_up(0.2, 0.1, 0.2, 0.1)
    result = dataclasses.replace(result, arrays=result.arrays | {"groups": np.arange(20) // 10})
    said = verdict(result)
    assert not gain_is_real(result)
    assert not images_used(result)
    assert "not to be told from chance" in said[1]
    assert said[2].startswith("All rows come from 2 groups")
    assert not any(word in " ".join(said) for word in ("is real", "it falls", "is ahead of", "is behind", "is worse"))
    assert gain_is_real(dataclasses.replace(result, arrays=result.arrays | {"groups": np.arange(20) % 6}))


def test_the_jobs_write_a_model_and_a_comparison(tmp_path: Path) -> None:
    cohort = planted(24)
    cohort.save(tmp_path / "imaging.npz")
    options = {"width": 4, "hidden": 8, "epochs": 1, "n_seeds": 1, "device": "cpu"}
    told = train_task({"config": options}, tmp_path, ignore)
    assert told["patients"] == 24
    model = load_fusion(tmp_path / "fusion.safetensors").model
    assert model.predict_proba(PatientImages.load(tmp_path / "imaging.npz")).shape == (24, 4)
    about = json.loads((tmp_path / "train.json").read_text())
    assert about["parameters"] == model.n_parameters
    assert not (tmp_path / "checkpoints").exists()
    told = compare_task({"config": {**options, "n_folds": 2, "variants": ["stacked", "image"]}}, tmp_path, ignore)
    assert set(told["scores"]) == {"stacked", "image", *CONTROLS, *BASELINES}
    assert FusionResult.load(tmp_path).champion == "stacked"


def test_the_command_makes_a_table_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted(24).save(tmp_path / "cohort.npz")
    words = f"{tmp_path / 'cohort.npz'} --out {tmp_path / 'out'} --folds 2 --epochs 1 --seeds 1 --width 4 --hidden 8"
    assert main(words.split()) == 0
    first = capsys.readouterr().out
    assert "| Images + omics, stacked |" in first
    assert main(words.split()) == 0
    assert capsys.readouterr().out == first == (tmp_path / "out" / "report.md").read_text()
