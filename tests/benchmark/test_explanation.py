"""The explanation endpoint: what it measures on planted data, and what the bottom line says of a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genomap_core.benchmark import explanation as module
from genomap_core.benchmark.bottom_line import bottom_line, line
from genomap_core.benchmark.reading import read_study
from genomap_core.benchmark.summary import summarise
from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError

P, BLOCK = 96, 12


def cohort(n: int = 80) -> Dataset:
    """Blocks of features that share a factor; the class moves the factor of the first block."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    factors = rng.normal(size=(n, P // BLOCK))
    factors[:, 0] += 2.0 * y
    X = np.repeat(factors, BLOCK, axis=1) + 0.7 * rng.normal(size=(n, P))
    names, ids = tuple(f"g{j}" for j in range(P)), tuple(map(str, range(n)))
    return Dataset("planted", X.astype(np.float32), names, ids, y=y.astype(np.int64), classes=("a", "b"))


def test_groups_that_vary_together_explain_more_steadily_than_random_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "N_REGIONS", P // BLOCK)
    sets = np.repeat(np.arange(P // BLOCK), BLOCK)
    found = {r.groups: r for r in module.endpoint(cohort(200), sets=sets)}
    assert set(found) == {*module.GROUPS, "gene sets"}
    assert found["map regions"].n_groups == found["Ward clusters"].n_groups == P // BLOCK
    for groups in ("map regions", "Ward clusters", "gene sets"):
        assert found[groups].stability > found["random regions"].stability + 0.02
        assert found[groups].deletion > found["random regions"].deletion


def test_ridge_attributions_sum_to_the_output() -> None:
    dataset = cohort()
    Z = (dataset.X - dataset.X.mean(0)) / dataset.X.std(0)
    attribute, score = module.ridge(Z, dataset.y)
    zero = score(np.zeros_like(Z), dataset.y)
    np.testing.assert_allclose(attribute(Z, dataset.y).sum(1), score(Z, dataset.y) - zero, atol=1e-4)
    assert (score(Z, dataset.y) > score(Z, 1 - dataset.y)).mean() > 0.8


@pytest.mark.parametrize(
    ("model", "least"),
    [("genomap", 0.95), pytest.param("pfn", 0.8, id="pfn: a differentiable view, from the median")],
)
def test_the_networks_attributions_sum_to_its_output(model: str, least: float) -> None:
    dataset = cohort(40)
    Z = ((dataset.X - dataset.X.mean(0)) / dataset.X.std(0))[:, :24]
    attribute, score = module.MODELS[model](Z, dataset.y)
    rows, codes = Z[:10], dataset.y[:10]
    values = attribute(rows, codes)
    assert values.shape == rows.shape
    base = score(np.zeros_like(rows) if model == "genomap" else np.tile(np.median(Z, axis=0), (10, 1)), codes)
    assert np.corrcoef(values.sum(1), score(rows, codes) - base)[0, 1] > least


@pytest.mark.parametrize("labels", [np.arange(10), np.arange(10) // 3, np.zeros(10, int)])
def test_as_many_features_are_deleted_whatever_the_groups(labels: np.ndarray) -> None:
    values = np.array([3.0, 0, 0, 1, 1, 1, -5, 0, 0, 9])
    gone = module.deleted(values, labels)
    assert gone.sum() == 2
    assert gone[9], "the feature, or its group, of highest mean attribution goes first"


def test_records_come_back_and_means_are_over_sets(tmp_path: Path) -> None:
    records = [
        module.ExplanationRecord(s, "ridge", g, 8, 0.1 * k + i, 1.0, 3)
        for i, s in enumerate(("one", "two"))
        for k, g in enumerate(module.GROUPS)
    ]
    module.write_records(records, tmp_path / "records.json")
    again = module.read_records(tmp_path / "records.json")
    assert again == records
    found = module.means_of(again)
    assert found is not None
    assert (found.n_sets, round(found.stability["Ward clusters"], 6)) == (2, 0.6)
    assert module.means_of(records, "genomap") is None


def test_a_cohort_without_classes_or_with_a_tiny_one_is_refused() -> None:
    dataset = cohort(8)
    with pytest.raises(InputError, match="at least 5 samples"):
        module.endpoint(dataset)


def test_the_bottom_line_of_the_shipped_study_names_a_rival_without_a_map_for_each_question() -> None:
    study = read_study()
    accuracy, missing, explained = bottom_line(study)
    assert accuracy.startswith("Accuracy (undisturbed, 22 data sets): the map classifier is")
    assert "the strongest model without a map" in accuracy
    assert "its layout shows no effect" in accuracy
    assert missing.startswith("Missing features")
    assert "For convolutions that have nothing but the map the layout helps: +0.16" in missing
    few = study.filtered(sets=["colon_alon", "lymphoma_alizadeh"])
    assert "nothing but the map the layout is not shown to have an effect" in bottom_line(few)[1]
    assert "Ward clusters, which need no map" in explained
    found = line(study, "full", "balanced_accuracy")
    assert found is not None
    assert found.rival.other in ("svm", "logistic", "lightgbm", "forest", "pfn")
    said = summarise(study).without_map
    assert said is not None
    assert (said.other, said.difference) == (found.rival.other, found.rival.difference)
    assert bottom_line(study.filtered(models=["svm", "forest"]))[0].startswith("Accuracy: not answered")
