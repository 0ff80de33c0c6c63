"""One run: what it is given, that it learns from training rows only, and that its failures are records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_helpers import planted_table, write_data, write_plugin

from genomap_core.benchmark import work as module
from genomap_core.benchmark.catalogue import Entry
from genomap_core.benchmark.protocol import CONDITIONS, FULL, MISSING, TEST_NOISE, THINNED, Condition, Run
from genomap_core.benchmark.sources import Places, read_set
from genomap_core.benchmark.work import Settings, Trained, prepare, training_scale, work
from genomap_core.data.dataset import Dataset
from genomap_core.workflows.comparison.folds import make_folds


def planted(**more: object) -> Dataset:
    table = planted_table(n=90, p=8, classes=3)
    names, y = np.unique(table["target"], return_inverse=True)
    X = table.drop(columns="target").to_numpy(np.float32)
    columns = tuple(f"g{j}" for j in range(8))
    return replace(Dataset("planted", X, columns, tuple(map(str, range(90))), y, tuple(names)), **more)  # type: ignore[arg-type]


def counted() -> Dataset:
    """As :func:`planted`, of reads: the first gene follows the class."""
    dataset = planted()
    reads = np.random.default_rng(0).poisson(20, (90, 8))
    reads[:, 0] += 60 * dataset.y
    return replace(dataset, X=reads.astype(np.float32))


def run(condition: str = "full", model: str = "svm", fold: int = 0, seed: int = 0) -> Run:
    return Run("planted", Condition(condition), model, seed, fold)


def test_an_undisturbed_run_gets_the_cohort_itself() -> None:
    dataset = planted()
    disturbed, train, test = prepare(run(), dataset, 5)
    assert disturbed is dataset
    want = make_folds(dataset, 5, run().split_seed)[0]
    np.testing.assert_array_equal(train, want[0])
    np.testing.assert_array_equal(test, want[1])


def test_all_conditions_and_models_test_on_the_same_rows() -> None:
    dataset = counted()
    conditions = (*CONDITIONS, *TEST_NOISE, *MISSING, *THINNED)
    tests = [prepare(run(c.name, m), dataset, 5, "reads")[2] for c in conditions for m in ("svm", "forest")]
    assert all((t == tests[0]).all() for t in tests)


def test_smaller_samples_lie_inside_larger_ones_and_keep_every_class() -> None:
    dataset = planted()
    rows = {c: set(prepare(run(c), dataset, 5)[1]) for c in ("rows-20", "rows-40", "rows-60", "rows-80", "full")}
    assert rows["rows-20"] < rows["rows-40"] < rows["rows-60"] < rows["rows-80"] < rows["full"]
    assert [round(100 * len(r) / 72) for r in rows.values()] == [21, 42, 58, 79, 100]  # whole rows of three classes
    assert set(dataset.y[list(rows["rows-20"])]) == {0, 1, 2}


def test_noise_has_the_level_of_the_training_rows_spread_and_hits_the_right_rows() -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(600, 40)) * np.geomspace(0.01, 1e4, 40)).astype(np.float32)
    names = tuple(f"g{j}" for j in range(40))
    big = Dataset("planted", X, names, tuple(map(str, range(600))), np.arange(600) % 2, ("a", "b"))
    for condition, noisy_train in (("noise-50", True), ("testnoise-50", False)):
        disturbed, train, test = prepare(run(condition), big, 5)
        added = (disturbed.X - X) / X[train].std(0)
        np.testing.assert_allclose(added[test].std(), 0.5, rtol=0.03)
        np.testing.assert_allclose(added[train].std(), 0.5 if noisy_train else 0.0, rtol=0.03)
    assert abs(np.corrcoef(added[test].ravel(), X[test].ravel())[0, 1]) < 0.03


def test_levels_of_noise_differ_in_amplitude_only() -> None:
    dataset = planted()
    weak, strong = (prepare(run(c), dataset, 5)[0].X - dataset.X for c in ("noise-10", "noise-100"))
    np.testing.assert_allclose(10 * weak, strong, atol=2e-4)


def test_test_rows_alone_lose_features_and_keep_the_same_ones_for_all_models() -> None:
    dataset = planted()
    for way in ("keep", "blocks"):
        kept = {}
        for percent in (5, 50, 80):
            disturbed, train, test = prepare(run(f"{way}-{percent}"), dataset, 5)
            lost = np.isnan(disturbed.X)
            assert not lost[train].any()
            assert (lost[test] == lost[test][0]).all()
            np.testing.assert_array_equal(disturbed.X[~lost], dataset.X[~lost])
            kept[percent] = set(np.flatnonzero(~lost[test][0]))
        assert [len(k) for k in kept.values()] == [1, 4, 6]  # of eight; never none
        assert kept[5] < kept[50] < kept[80]


def test_test_rows_alone_lose_reads_the_same_for_all_models() -> None:
    dataset = counted()
    means = []
    for condition in THINNED:
        disturbed, train, test = prepare(run(condition.name), dataset, 5, "reads")
        np.testing.assert_array_equal(disturbed.X[train], dataset.X[train])
        thinned = disturbed.X[test]
        assert ((thinned == np.rint(thinned)) & (thinned >= 0) & (thinned <= dataset.X[test])).all()
        np.testing.assert_array_equal(prepare(run(condition.name, "forest"), dataset, 5, "reads")[0].X[test], thinned)
        means.append(thinned.mean() / dataset.X[test].mean())
    np.testing.assert_allclose(means, [0.5, 0.1, 0.02], rtol=0.15)


def test_reads_are_thinned_before_the_tables_own_logarithm() -> None:
    dataset = counted()
    logged = replace(dataset, X=np.log2(1 + dataset.X))
    direct, _, test = prepare(run("thin-10"), dataset, 5, "reads")
    found, _, _ = prepare(run("thin-10"), logged, 5, "log2")
    np.testing.assert_allclose(found.X[test], np.log2(1 + direct.X[test]), rtol=1e-6)
    assert work(run("thin-50"), logged, Settings(5, counts="log2")).status == "ok"


@pytest.mark.parametrize(("counts", "said"), [("", "holds no counts"), ("reads", "below 0"), ("log2", "below 0")])
def test_what_holds_no_counts_is_refused_under_fewer_reads(counts: str, said: str) -> None:
    record = work(run("thin-10"), planted(), Settings(5, counts=counts))
    assert (record.status, said in record.message) == ("refused", True)


def test_blocks_come_from_the_training_rows() -> None:
    dataset = planted()
    _, _, test = prepare(run("blocks-50"), dataset, 5)
    X = dataset.X.copy()
    X[test] = np.random.default_rng(0).normal(size=X[test].shape)
    a, b = (np.isnan(prepare(run("blocks-50"), replace(dataset, X=x), 5)[0].X) for x in (X, dataset.X))
    np.testing.assert_array_equal(a, b)


def test_the_spread_leaves_missing_values_out_and_is_zero_without_values() -> None:
    X = np.array([[1, np.nan, np.nan], [3, 5, np.nan], [np.nan, 9, np.nan]], np.float32)
    np.testing.assert_array_equal(training_scale(X), [1.0, 2.0, 0.0])


def test_a_missing_value_stays_missing_under_noise() -> None:
    dataset = planted()
    X = dataset.X.copy()
    X[::7, 2] = np.nan
    disturbed, _, _ = prepare(run("noise-20"), replace(dataset, X=X), 5)
    np.testing.assert_array_equal(np.isnan(disturbed.X), np.isnan(X))


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(["full", "noise-15", "rows-60", "testnoise-100"]), st.integers(0, 4), st.integers(0, 10))
def test_nothing_is_learned_from_test_rows(condition: str, fold: int, seed: int) -> None:
    """Whatever stands in the test rows, the fitted model is the same: its answers for fixed rows don't change."""
    answers = []
    probe = np.random.default_rng(seed).normal(size=(5, 8)).astype(np.float32)
    dataset = planted()
    for shift in (0.0, 1000.0):
        r = run(condition, "svm", fold)
        _, _, test = prepare(r, dataset, 5)
        X = dataset.X.copy()
        X[test] += shift
        disturbed, train, _ = prepare(r, replace(dataset, X=X), 5)
        model = module.build("svm", random_state=r.random_state)
        module.fit(model, disturbed.X[train], dataset.y[train], None)
        answers.append(model.predict_proba(probe))
    np.testing.assert_array_equal(*answers)


def test_a_run_is_repeated_exactly() -> None:
    dataset, settings_ = planted(), Settings(5)
    scores = ("accuracy", "log_loss", "brier", "roc_auc", "n_train", "data_sha256")
    a, b = (work(run("noise-150"), dataset, settings_) for _ in range(2))
    assert a.status == "ok"
    assert [getattr(a, s) for s in scores] == [getattr(b, s) for s in scores]


def test_one_fitted_model_answers_every_disturbance_of_the_test_rows_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset, fits = counted(), []
    fit = module.fit
    monkeypatch.setattr(module, "fit", lambda *a: fits.append(1) or fit(*a))
    shared = Trained()
    conditions = ("full", "keep-50", "testnoise-150", "noise-50", "blocks-20", "thin-2")
    together = [work(run(c), dataset, Settings(5, counts="reads"), shared) for c in conditions]
    assert len(fits) == 3  # noise-50 has training rows of its own
    work(run("blocks-20", fold=1), dataset, Settings(5), shared)
    assert len(fits) == 4
    alone = [work(run(c), dataset, Settings(5, counts="reads")) for c in conditions]
    assert [r.log_loss for r in together] == [r.log_loss for r in alone]
    assert together[0].fit_seconds == together[1].fit_seconds != together[4].fit_seconds == together[5].fit_seconds


def test_the_planted_feature_is_found_and_chance_is_chance() -> None:
    found = {m: work(run(model=m), planted(), Settings(5)) for m in ("svm", "prior")}
    assert found["svm"].balanced_accuracy > 0.9
    assert found["prior"].balanced_accuracy == pytest.approx(1 / 3)
    assert found["prior"].roc_auc == pytest.approx(0.5)
    assert found["prior"].log_loss == pytest.approx(np.log(3), abs=0.01)


def test_a_class_that_the_training_rows_lack_has_probability_zero() -> None:
    class Model:
        classes_ = np.array([0, 2])

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.tile([0.25, 0.75], (len(X), 1))

    np.testing.assert_array_equal(module.full_probabilities(Model(), np.zeros((2, 1)), 4), [[0.25, 0, 0.75, 0]] * 2)


def test_groups_reach_the_step_that_splits_again() -> None:
    seen: list[np.ndarray | None] = []

    class Recorder:
        def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> None:
            seen.append(groups)

    class Plain:
        def fit(self, X: np.ndarray, y: np.ndarray) -> None:
            seen.append(None)

    groups = np.array([0, 0, 1])
    module.fit(Recorder(), np.zeros((3, 1)), np.array([0, 0, 1]), groups)
    module.fit(Plain(), np.zeros((3, 1)), np.array([0, 0, 1]), groups)
    assert seen[0] is groups
    assert seen[1] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"y": np.zeros(90, np.int64)}, "two classes"),
        ({"X": np.full((90, 8), np.nan, np.float32)}, "missing"),
        ({"X": np.full((90, 8), np.inf, np.float32)}, "infinite"),
        ({"y": np.r_[np.zeros(86), np.ones(4)].astype(np.int64)}, "5 folds"),
        ({"groups": np.arange(90) // 30}, "folds"),
        ({"y": None, "classes": ()}, "labels"),
    ],
    ids=["one class", "all missing", "infinite", "tiny class", "few groups", "no labels"],
)
def test_a_cohort_that_cannot_be_run_is_refused_with_the_reason(change: dict[str, object], reason: str) -> None:
    record = work(run(), planted(**change), Settings(5))
    assert record.status == "refused"
    assert reason in record.message


@pytest.mark.parametrize(
    ("how", "status", "word"), [("wrong", "crash", "ValueError: a bug"), ("picky", "refused", "3 classes")]
)
def test_what_a_model_raises_is_a_record(
    how: str, status: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = write_plugin(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    record = work(run(model=how), planted(), Settings(5, plugin=plugin, common={"memory_limit_mb": 8000.0}))
    assert (record.status, record.memory_limit_mb) == (status, 8000.0)
    assert word in record.message


def test_memory_errors_of_python_and_torch_are_oom() -> None:
    class OutOfMemoryError(RuntimeError):
        """As torch.cuda's is called."""

    for error in (MemoryError(), OutOfMemoryError("CUDA"), RuntimeError("CUDA out of memory. Tried")):
        assert module.status_of(error) == "oom"


def test_grouped_cohorts_keep_groups_whole_when_rows_are_dropped(tmp_path: Path) -> None:
    write_data(tmp_path)
    dataset = read_set(Entry("first", "", groups="^(.*)_[^_]*$"), Places(tmp_path))
    _, train, test = prepare(Run("first", Condition("rows-40"), "svm", 0, 0), dataset, 5)
    kept, all_rows = set(dataset.groups[train]), np.arange(60)
    for g in kept:
        assert set(all_rows[dataset.groups == g]) <= set(train)
    assert not kept & set(dataset.groups[test])
    assert prepare(Run("first", FULL, "svm", 0, 0), dataset, 5)[1].size > train.size
