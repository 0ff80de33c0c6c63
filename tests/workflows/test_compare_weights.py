"""Comparisons and explanations with a tabular model: the weights are named everywhere, the work can be followed."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.errors import Cancelled
from genomap_core.pfn import PFNClassifier
from genomap_core.pfn.checkpoint import build_random
from genomap_core.pfn.selection import CROSSED
from genomap_core.progress import Progress
from genomap_core.workflows.tabular import patient
from genomap_core.workflows.tabular.compare import CompareConfig, CompareResult, compare


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished comparison of two models on a table too wide for the weights: folder, result, weights, cohort."""
    folder = tmp_path_factory.mktemp("run")
    weights = build_random(folder / "random-v3.safetensors")
    g = np.random.default_rng(0)
    y = np.arange(24) % 2
    X = g.normal(size=(24, 130)).astype(np.float32)
    X[:, :3] += 2 * y[:, None]
    dataset = Dataset(
        X=X,
        feature_names=tuple(f"g{j}" for j in range(130)),
        sample_ids=tuple(f"s{i}" for i in range(24)),
        y=y,
        classes=("no", "yes"),
        name="wide",
    )
    dataset.save(folder / "dataset.npz")
    config = CompareConfig(models=("pfn", "logistic"), n_folds=2, weights=str(weights.path), n_estimators=1)
    return folder, compare(dataset, config, folder), weights, dataset


def test_every_record_says_which_weights_answered(run):
    folder, result, weights, _ = run
    for found in (result.run("pfn"), CompareResult.load(folder).run("pfn")):
        answered = (found.label, found.facts["weights_sha256"], found.facts["licence"])
        assert answered == (weights.label, weights.sha256, "MIT")
    assert "weights_sha256" not in result.run("logistic").facts


def test_the_user_reads_what_the_model_was_given(run):
    _, result, _, _ = run
    found = result.run("pfn")
    assert found.facts["answered"] == list(CROSSED)
    assert "130 features, answered twice" in found.note
    assert CompareResult.load(run[0]).run("pfn").facts == found.facts


def test_a_patient_is_answered_by_the_model_of_the_fold(run):
    folder, result, _, dataset = run
    row = 5
    cache = {}
    spec = {"run": str(folder), "fold": int(result.fold_of_row[row]), "models": ["pfn", "logistic"]}
    _, probas = patient.predict(spec, {"X": dataset.X[[row]]}, cache)
    np.testing.assert_allclose(probas["pfn"][0], result.run("pfn").proba[row], atol=1e-4)
    one = patient.predict(spec | {"estimators": 8}, {"X": dataset.X[[row]]}, cache)[1]["pfn"]
    assert np.abs(one - probas["pfn"]).max() > 0, "another number of estimators is another model"


def test_a_record_from_before_the_two_answers_is_answered_by_its_own_model(run, tmp_path):
    _, result, weights, dataset = run
    for ways, selection in ((["anova", "pca"], "pca"), (None, "none")):
        facts = {k: v for k, v in result.run("pfn").facts.items() if k != "answered"}
        facts |= {} if ways is None else {"selections": ways}
        runs = tuple(replace(one, facts=facts) if one.name == "pfn" else one for one in result.runs)
        replace(result, runs=runs).save(tmp_path)
        data = dataset if ways else dataset.select(np.arange(80))  # what fits was given whole
        data.save(tmp_path / "dataset.npz")
        spec = {"run": str(tmp_path), "fold": 1, "models": ["pfn"]}
        _, found = patient.predict(spec, {"X": data.X[:2]}, {})
        rows = result.fold_of_row != 1
        alone = PFNClassifier(weights.path, selection=selection, n_estimators=1).fit(data.X[rows], data.y[rows])
        np.testing.assert_allclose(found["pfn"], alone.predict_proba(data.X[:2]), atol=1e-4)


@pytest.mark.parametrize("method", [*patient.REGION_METHODS, *patient.TABULAR_METHODS])
def test_every_method_explains_the_tabular_model_over_the_desk(run, tmp_path, method):
    folder, result, _, dataset = run
    spec = {"run": str(folder), "fold": int(result.fold_of_row[5]), "model": "pfn", "target": 1, "method": method}
    arrays = {"x": dataset.X[5], "groups": np.arange(130) // 13}
    about, found = patient.attribute(spec | {"desk": str(tmp_path)}, arrays, {})
    assert found["values"].shape == (130,)
    assert np.isfinite(found["values"]).all()
    if method != "ablation":
        assert abs(about["completeness_gap"]) < 0.02, "of a sum over 32 points of the path; exact for Shapley values"
    assert patient.Desk(tmp_path).share() > 0


def test_a_stopped_explanation_ends_before_its_model_is_asked(run, tmp_path):
    folder, _, _, dataset = run
    patient.Desk(tmp_path).stop()
    spec = {"run": str(folder), "fold": 0, "model": "pfn", "target": 1, "method": "shapley", "desk": str(tmp_path)}
    cache = {}
    with pytest.raises(Cancelled):
        patient.attribute(spec, {"x": dataset.X[5], "groups": np.zeros(130, int)}, cache)
    assert not any(key[0] == "model" for key in cache)


def test_the_desk_tells_the_share_and_its_removal_is_a_stop(tmp_path):
    folder = tmp_path / "desk"
    folder.mkdir()
    desk = patient.Desk(folder)
    assert desk.share() == 0
    desk.report(Progress("explaining", 3, 12))
    assert desk.share() == 0.25
    folder.joinpath("progress").unlink()
    folder.rmdir()
    with pytest.raises(Cancelled):
        desk.report(Progress("explaining", 4, 12))


def test_records_of_version_0_1_are_read(run, tmp_path):
    """One JSON file beside one with arrays; weights, licence and selections came later."""
    _, result, _, _ = run
    measured = {"fit_seconds": 1.0, "predict_seconds": 0.5, "peak_mb": 9.0}
    rows = [
        {"name": r.name, "label": r.label, "status": "ok", "message": "", "note": r.note, **measured}
        for r in result.runs
    ]
    failed = {"name": "forest", "label": "Random forest", "status": "refused", "message": "why", "note": "", **measured}
    header = {
        "config": asdict(result.config),
        "classes": result.classes,
        "digest": result.digest,
        "runs": [*rows, failed],
        "scores": {m: {k: asdict(s) for k, s in row.items()} for m, row in result.scores.items()},
        "differences": [[*pair, asdict(s)] for pair, s in result.differences.items()],
    }
    (tmp_path / "compare.json").write_text(json.dumps(header))
    probas = {f"proba_{r.name}": r.proba for r in result.runs}
    np.savez(tmp_path / "compare.npz", y=result.y, fold_of_row=result.fold_of_row, **probas)
    again = CompareResult.load(tmp_path)
    assert again.run("pfn").note == result.run("pfn").note
    assert (again.run("forest").status, again.run("forest").proba) == ("refused", None)
    assert (again.config, again.scores, again.differences) == (result.config, result.scores, result.differences)
    np.testing.assert_array_equal(again.run("pfn").proba, result.run("pfn").proba)
