"""The real package behind our face, on an untrained checkpoint: contract, limits, errors, no network."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from genomap_core.errors import GenomapError, InputError, ModelLimitError, OutOfMemoryError, WeightsMissingError
from genomap_core.pfn import PFNClassifier, limits
from genomap_core.pfn.checkpoint import build_random


@pytest.fixture(scope="module")
def table():
    g = np.random.default_rng(0)
    X = g.normal(size=(60, 150)).astype(np.float32)
    y = np.array(["no", "yes"])[(X[:, 7] > 0).astype(int)]
    X[3, 4] = np.nan
    return X, y


@pytest.fixture(scope="module")
def fitted(table, random_weights):
    return PFNClassifier(random_weights.path, selection="anova", n_estimators=2).fit(*table)


def test_small_weights_have_more_estimators_than_full_size_ones(random_weights, table):
    assert PFNClassifier(random_weights.path).fit(*table).n_estimators_ == random_weights.estimators(60) == 32
    assert random_weights.estimators(101) == 16
    assert replace(random_weights, megabytes=30.0).estimators(60) == 4
    with pytest.raises(ValueError, match="n_estimators"):
        PFNClassifier(random_weights.path, n_estimators=0).fit(*table)


@parametrize_with_checks(
    [PFNClassifier("checks", n_estimators=1)],
    expected_failed_checks=lambda _: {
        "check_classifiers_train": "untrained weights answer at random: their accuracy says nothing",
        "check_classifiers_one_label": "one class is refused: a probability of 1 would be no answer",
    },
)
def test_scikit_learn_contract(estimator, check, random_weights, monkeypatch):
    monkeypatch.setattr("genomap_core.pfn.classifier.choose_weights", lambda _: random_weights)
    check(estimator)


def test_probabilities_are_probabilities_and_rows_do_not_influence_each_other(fitted, table):
    X, _ = table
    proba = fitted.predict_proba(X)
    assert proba.shape == (60, 2)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-9)
    np.testing.assert_allclose(fitted.predict_proba(X[5:6]), proba[5:6], atol=1e-5)
    assert set(fitted.predict(X)) <= {"no", "yes"}


def test_batches_and_the_cache_change_nothing(fitted, table):
    X, y = table
    expected = fitted.predict_proba(X)
    for option in ({"batch_rows": 7}, {"keep_cache": True}):
        other = clone(fitted).set_params(**option).fit(X, y)
        np.testing.assert_allclose(other.predict_proba(X), expected, atol=1e-5)


def test_a_seed_decides_the_answer(fitted, table):
    again = clone(fitted).fit(*table).predict_proba(table[0])
    np.testing.assert_array_equal(again, fitted.predict_proba(table[0]))


def test_every_answer_names_its_weights(fitted, random_weights):
    assert fitted.label_ == random_weights.label
    assert fitted.weights_.sha256 == random_weights.sha256


def test_a_wide_table_is_reduced_inside_fit_and_the_number_shown(fitted, table):
    assert fitted.n_features_in_ == 150
    assert fitted.n_features_used_ == 20 == len(fitted.reducer_.kept_)
    assert 7 in fitted.reducer_.kept_


def test_columns_that_were_not_kept_do_not_matter(fitted, table):
    X = table[0].copy()
    dropped = np.setdiff1d(np.arange(150), fitted.reducer_.kept_)
    X[:, dropped] = np.nan
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(table[0]))


def test_a_table_that_fits_is_left_whole(table, random_weights):
    X, y = table
    whole = PFNClassifier(random_weights.path, selection="anova", n_estimators=1).fit(X[:, :90], y)
    assert whole.n_features_used_ == 90
    assert PFNClassifier(random_weights.path, n_estimators=1, n_selected=5).fit(X[:, :90], y).n_features_used_ == 5


def test_sparse_and_dense_tables_give_the_same_answer(table, random_weights):
    X = np.where(table[0] > 0.5, table[0], 0)
    model = PFNClassifier(random_weights.path, selection="anova", n_estimators=1)
    dense = model.fit(X, table[1]).predict_proba(X)
    np.testing.assert_allclose(model.fit(sp.csr_matrix(X), table[1]).predict_proba(sp.csr_matrix(X)), dense, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda X, y: (X, np.full(len(y), "a")), InputError, "same class"),
        (lambda X, y: (X, np.where(np.arange(len(y)) < 3, np.nan, 1.0)), InputError, "3 training rows is missing"),
        (lambda X, y: (X, np.where(np.arange(len(y)) < 3, None, y)), InputError, "missing"),
        (lambda X, y: (np.where(np.isnan(X), np.inf, X), y), InputError, "row 3, column 4"),
        (lambda X, y: (X, y[:-1]), InputError, "60 rows, but 59 classes"),
        (lambda X, y: (X[:0], y[:0]), InputError, "0 sample"),
    ],
)
def test_bad_tables_are_refused_with_what_and_where(table, random_weights, change, error, words):
    with pytest.raises(error, match=words):
        PFNClassifier(random_weights.path).fit(*change(*table))


def test_too_many_rows_are_refused_before_any_work_and_can_be_insisted_on(random_weights):
    g = np.random.default_rng(0)
    X, y = g.normal(size=(5_001, 3)), np.arange(5_001) % 2
    start = time.perf_counter()
    with pytest.raises(ModelLimitError, match=r"5,001 training rows.*at most 5,000"):
        PFNClassifier(random_weights.path, device="cpu").fit(X, y)
    assert time.perf_counter() - start < 3
    insisting = PFNClassifier(random_weights.path, n_estimators=1, beyond_limits=True, batch_rows=10).fit(X, y)
    assert insisting.predict_proba(X[:3]).shape == (3, 2)


def test_older_architectures_take_fewer_rows_on_a_cpu(tmp_path):
    weights = build_random(tmp_path / "random-v2.safetensors", "v2")
    with pytest.raises(ModelLimitError, match="at most 1,000 on a CPU"):
        PFNClassifier(weights.path, device="cpu").fit(np.zeros((1_001, 3)), np.arange(1_001) % 2)


def test_memory_is_refused_before_it_is_taken(table, random_weights):
    with pytest.raises(ModelLimitError, match=r"GiB of memory are needed, 0\.1 GiB are at hand"):
        PFNClassifier(random_weights.path, memory_limit_gb=0.1).fit(*table)
    assert limits.available_bytes() > 0


def test_the_memory_estimate_grows_with_every_dimension(random_weights):
    base = limits.estimated_bytes(random_weights, 100, 50, 2)
    assert (
        base < limits.estimated_bytes(random_weights, 200, 50, 2) < limits.estimated_bytes(random_weights, 200, 99, 2)
    )


def test_a_device_that_is_not_there_is_named(table, random_weights):
    with pytest.raises(InputError, match="'tpu' is not at hand"):
        PFNClassifier(random_weights.path, device="tpu").fit(*table)


def damaged(tmp_path, weights, how):
    """A copy of the weights whose header is fine, but whose tensors are not."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(weights.path, "pt") as file:
        header, tensors = file.metadata(), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    if how == "missing tensor":
        tensors.pop(next(k for k in tensors if "decoder" in k))
    elif how == "other width":
        header["config"] = header["config"].replace('"embed_dim": 16', '"embed_dim": 32')
    else:
        header["architecture_name"] = '"tabpfn_v2"'
    path = tmp_path / f"{how}-v3.safetensors"
    save_file(tensors, path, metadata=header)
    return path


@pytest.mark.parametrize("how", ["missing tensor", "other width", "other architecture"])
def test_weights_that_do_not_fit_their_architecture_are_an_error_of_the_file(tmp_path, table, random_weights, how):
    path = damaged(tmp_path, random_weights, how)
    with pytest.raises(InputError, match=r"don't load or don't run.*damaged"):
        PFNClassifier(path).fit(*table)


def test_errors_of_the_package_become_ours(random_weights):
    import torch
    from tabpfn.errors import TabPFNValidationError

    from genomap_core.pfn.package import translated

    cases = [
        (TabPFNValidationError("Number of classes `11` exceeds the maximum"), ModelLimitError, "11"),
        (TabPFNValidationError("Input X contains strings"), InputError, "strings"),
        (RuntimeError("Running on CPU with more than 1000 samples is not allowed"), ModelLimitError, "fewer rows"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemoryError, "fewer estimators"),
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemoryError, "fewer estimators"),
        (RuntimeError("Error(s) in loading state_dict"), InputError, "damaged"),
    ]
    for raised, expected, words in cases:
        with pytest.raises(expected, match=words), translated(random_weights.path):
            raise raised
    with pytest.raises(WeightsMissingError), translated(random_weights.path):
        raise WeightsMissingError("ours pass through")


@pytest.mark.disable_socket
def test_the_whole_path_asks_no_network(fitted, table):
    model = clone(fitted).fit(*table)
    model.predict_proba(table[0][:2])


def test_a_dotenv_file_in_the_working_folder_is_not_read(tmp_path):
    (tmp_path / ".env").write_text("TABPFN_MODEL_VERSION=nonsense\nTABPFN_MODEL_CACHE_DIR=/nowhere\n")
    code = (
        "from genomap_core.pfn.package import tabpfn_classifier; tabpfn_classifier()\n"
        "from tabpfn.settings import settings; import os\n"
        "print(settings.tabpfn.model_cache_dir, os.environ['TABPFN_NO_BROWSER'], os.environ['HF_HUB_OFFLINE'])"
    )
    env = os.environ | {"PYTHONPATH": os.getcwd()}
    env.pop("TABPFN_MODEL_CACHE_DIR", None)
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=env)
    assert out.stdout.split() == ["None", "1", "1"], out.stderr


def test_every_error_is_ours(table):
    with pytest.raises(GenomapError):
        PFNClassifier("/no/such/file.ckpt").fit(*table)
