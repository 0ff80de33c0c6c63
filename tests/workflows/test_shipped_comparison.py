"""The sample's stored comparison is what a rerun gives, and is taken for nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.tabular import shipped
from genomap_core.workflows.tabular.compare import CompareConfig, compare
from genomap_core.workflows.tabular.patient import attribute, predict
from genomap_core.workflows.tabular.shipped import ANSWERING, COMPARED, PATIENTS, SAMPLE, Shipped, shipped_comparison


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_sample(SAMPLE)


@pytest.fixture(scope="module")
def stored(dataset: Dataset) -> Shipped:
    found = shipped_comparison(dataset)
    assert found is not None, "stale: write it again with `python -m tools.compare_sample`"
    return found


def test_it_is_small_complete_and_what_a_rerun_gives(dataset: Dataset, stored: Shipped, tmp_path: Path) -> None:
    assert sum(path.stat().st_size for path in COMPARED.iterdir()) < 1_500_000
    assert stored.result.config == CompareConfig()
    assert [run.name for run in stored.result.runs] == list(CompareConfig().models)
    assert all(run.status == "ok" for run in stored.result.runs)
    assert stored.result.pending == ()
    again = compare(dataset, CompareConfig(("logistic",)), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} <= {p.name for p in COMPARED.iterdir()}
    np.testing.assert_array_equal(again.fold_of_row, stored.result.fold_of_row)
    for name, value in again.run("logistic").values.items():
        np.testing.assert_allclose(value, stored.result.run("logistic").values[name], atol=1e-6)
    assert again.scores["logistic"] == stored.result.scores["logistic"]


def test_the_stored_answers_are_those_of_the_models_that_never_saw_the_patient(
    dataset: Dataset, stored: Shipped
) -> None:
    row = 0
    target = int(stored.targets[row])
    (answer,) = stored.answers(row, target, ("logistic",)) or []
    np.testing.assert_allclose(answer["proba"][0], stored.result.run("logistic").values["proba"][row], atol=1e-6)
    spec = {"run": COMPARED, "fold": int(stored.result.fold_of_row[row]), "models": ["logistic"]}
    cache: dict[object, object] = {}
    _, probas = predict(spec, {"X": dataset.X[[row]]}, cache)
    np.testing.assert_allclose(probas["logistic"], answer["proba"][:1], atol=1e-6)


def test_every_stored_model_answers_for_the_first_patients_and_nobody_else(stored: Shipped) -> None:
    for row in range(PATIENTS):
        answers = stored.answers(row, int(stored.targets[row]), ANSWERING)
        assert answers is not None
        assert [a["model"] for a in answers] == list(ANSWERING)
        for a in answers:
            np.testing.assert_allclose(a["proba"].sum(axis=1), 1, atol=1e-5)
            assert np.isfinite(a["values"]).all()
            assert a["values"].any()
    assert stored.answers(PATIENTS, 0, ANSWERING) is None
    assert stored.answers(0, 1 - int(stored.targets[0]), ANSWERING) is None
    assert stored.answers(0, int(stored.targets[0]), ("forest",)) is None


def test_another_cohort_and_a_stale_one_get_nothing(
    dataset: Dataset, stored: Shipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shipped_comparison(load_sample("wine")) is None
    assert shipped_comparison(dataset, tmp_path) is None
    monkeypatch.setattr(shipped, "shipped_weights", lambda: None)  # other weights than it was made with
    assert shipped_comparison(dataset) is None


def test_a_folder_without_its_cohort_is_told(tmp_path: Path) -> None:
    for name in ("comparison.npz", "run-logistic.npz"):
        shutil.copyfile(COMPARED / name, tmp_path / name)
    with pytest.raises(InputError, match="holds no cohort"):
        attribute({"run": tmp_path, "fold": 0, "model": "logistic"}, {}, {})
