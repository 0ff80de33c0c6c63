"""A saved model takes features that a table lacks as missing, says what that costs, and knows its limit."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from genomap_core.data.dataset import Dataset
from genomap_core.errors import BundleError
from genomap_core.training import genomap_pipeline, load_bundle, save_bundle
from genomap_core.training.masking import Endurance
from genomap_core.workflows.tabular.patient import predict_bundle
from genomap_core.workflows.tabular.saved_model import predict_rows, with_features_of

NAMES = tuple(f"G{j}" for j in range(40))


def cohort(seed: int = 0, n: int = 60) -> Dataset:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, 40)) + y[:, None] * np.tile([1.5, -1.0], 20)
    ids = tuple(f"P{i}" for i in range(n))
    return Dataset("cohort", X.astype(np.float32), NAMES, ids, y=y.astype(np.int64), classes=("a", "b"))


def saved(**options):
    file, table = io.BytesIO(), cohort()
    model = genomap_pipeline(max_epochs=1, n_seeds=1, device="cpu", **options).fit(table.X, table.y)
    save_bundle(file, model, feature_names=NAMES, classes=table.classes)
    return load_bundle(file.getvalue())


@pytest.fixture(scope="module")
def bundle():
    return saved()


def test_the_app_answers_as_the_command_line_does(bundle):
    table = columns(cohort(1), list(range(0, 40, 2)))
    path = Path("model.safetensors")
    spec = {"path": str(path), "feature_names": list(table.feature_names), "sample_ids": list(table.sample_ids)}
    about, arrays = predict_bundle(spec, {"X": table.X}, {("bundle", str(path)): bundle})
    np.testing.assert_array_equal(arrays["proba"], predict_rows(bundle, table))
    assert about["notes"] == with_features_of(bundle, table)[1]
    assert "The table lacks 20 of the model's 40 features" in about["notes"][0]


@pytest.fixture
def wary(bundle):
    """The same model, as if it needed half of its features."""
    network = bundle.pipeline[-1]
    before, network.endurance_ = network.endurance_, Endurance((1.0, 0.5, 0.2), (0.9, 0.8, 0.5), 0.5)
    yield bundle
    network.endurance_ = before


def columns(table: Dataset, kept: list[int]) -> Dataset:
    return replace(table, X=table.X[:, kept], feature_names=tuple(table.feature_names[j] for j in kept))


def test_a_model_measures_how_it_endures_missing_features(bundle):
    endurance = bundle.pipeline[-1].endurance_
    assert endurance.shares == (1.0, 0.5, 0.2, 0.1, 0.05)
    assert endurance.accuracy[0] > 0.9 > endurance.chance == 0.5
    assert endurance.limit < 1


def test_lacking_features_count_as_missing_and_the_order_does_not_matter(bundle):
    table = cohort(1)
    gaps = table.X.copy()
    gaps[:, 30:] = np.nan
    want = bundle.pipeline.predict_proba(gaps)
    few = columns(table, list(range(30))[::-1])
    np.testing.assert_array_equal(predict_rows(bundle, few), want)
    np.testing.assert_array_equal(predict_rows(bundle, replace(few, X=sp.csr_matrix(few.X))), want)
    assert (want.argmax(axis=1) == table.y).mean() > 0.9


def test_share_missing_and_expected_loss_are_said(wary):
    dataset, (lacking, unknown) = with_features_of(
        wary, replace(columns(cohort(1), list(range(21))), feature_names=(*NAMES[:20], "X9"))
    )
    assert dataset.feature_names == NAMES
    assert "lacks 20 of the model's 40 features: G20, G21" in lacking
    assert "the 50% of its features that are there" in lacking
    assert "0.80 with so many missing, 0.90 with none" in lacking
    assert "does not know them: X9" in unknown


def test_below_the_limit_the_names_and_the_limit_are_said(wary):
    with pytest.raises(BundleError, match=r"down to 50% of the features it uses: here are 48%") as caught:
        with_features_of(wary, columns(cohort(1), list(range(19))))
    assert "missing in the table (21): G19, G20" in str(caught.value)


def test_samples_with_too_few_values_are_named(wary):
    table = cohort(1)
    X = table.X.copy()
    X[3, :25] = np.nan
    X[4, :15] = np.nan
    (note,) = with_features_of(wary, replace(table, X=X))[1]
    assert (
        note
        == "Fewer than the 50% of features that the model needs have a value in P3: the answers for them say little."
    )
    assert with_features_of(wary, table)[1] == ()


def test_a_model_that_does_not_expect_missing_features_refuses_as_before():
    plain = saved(expect_missing=False)
    assert plain.pipeline[-1].endurance_ is None
    with pytest.raises(BundleError, match=r"missing in the table \(10\)"):
        predict_rows(plain, columns(cohort(1), list(range(30))))
    assert predict_rows(plain, cohort(1)).shape == (60, 2)
