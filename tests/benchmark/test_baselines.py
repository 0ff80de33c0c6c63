"""The study's own baselines: planted truth, tuning that answers to the data, small classes, repeatability."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss
from sklearn.svm import LinearSVC

from genomap_core.benchmark.baselines import (
    FILLS,
    FilledPreprocessor,
    NearestGenes,
    TunedLightGBM,
    TunedSVM,
    fit_sharpness,
    imputing_pipeline,
    lightgbm_nan_pipeline,
    lightgbm_pipeline,
    mlp_pipeline,
    prior_pipeline,
    svm_pipeline,
)


def cohort(n: int = 90, p: int = 20, k: int = 3, signal: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    X = rng.normal(size=(n, p))
    for c in range(k):
        X[y == c, c] += signal
    return X.astype(np.float32), y


PIPELINES = {"svm": svm_pipeline, "lightgbm": lightgbm_pipeline}
PLAIN = {
    "mlp": mlp_pipeline,
    "lightgbm_nan": lightgbm_nan_pipeline,
    **{f"logistic_{way}": partial(imputing_pipeline, way=way) for way in FILLS},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("make", [*PIPELINES.values(), *PLAIN.values()], ids=[*PIPELINES, *PLAIN])
def test_planted_classes_are_found_and_probabilities_are_probabilities(make: object) -> None:
    X, y = cohort(n=150)
    X[5, 3] = np.nan
    Xt, yt = cohort(n=150, seed=1)
    model = make(random_state=0).fit(X, y)  # type: ignore[operator]
    proba = model.predict_proba(Xt)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-6)
    assert (model.classes_[proba.argmax(1)] == yt).mean() > 0.75
    assert log_loss(yt, proba) < 0.75 < np.log(3)


def test_trees_that_saw_features_lost_take_missing_values_and_others_refuse_them() -> None:
    """Blocks of features say the same, so that half of the features are enough; their level is far from 0."""
    X, y = blocks(120, 0)
    Xt, yt = blocks(300, 1)
    X, Xt = X + 50, Xt + 50
    Xt[:, np.random.default_rng(0).permutation(X.shape[1])[: X.shape[1] // 2]] = np.nan
    model = lightgbm_nan_pipeline(random_state=0).fit(X, y)
    assert (model.predict(Xt) == yt).mean() > 0.75
    trees = model.named_steps["classifier"]
    with pytest.raises(ValueError, match="NaN"):
        TunedLightGBM().fit(X, y).predict_proba(Xt)
    twice = TunedLightGBM(masked=True, random_state=0).fit(X, y)
    np.testing.assert_array_equal(twice.predict_proba(Xt), trees.predict_proba(Xt))


@pytest.mark.parametrize("make", PIPELINES.values(), ids=PIPELINES)
def test_pure_noise_gives_probabilities_near_the_class_frequencies(make: object) -> None:
    rng = np.random.default_rng(3)
    y = (np.arange(120) % 3 == 0).astype(int)
    proba = make(random_state=0).fit(rng.normal(size=(120, 60)), y).predict_proba(rng.normal(size=(400, 60)))  # type: ignore[operator]
    assert log_loss(rng.random(400) < 1 / 3, proba) < 0.85


@pytest.mark.parametrize("make", PIPELINES.values(), ids=PIPELINES)
@pytest.mark.parametrize("counts", [(1, 1), (1, 1, 1, 1, 2), (2, 9), (1, 20, 20)])
def test_classes_of_one_or_two_rows_do_not_stop_it(make: object, counts: tuple[int, ...]) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    X = np.random.default_rng(0).normal(size=(len(y), 30)) + 3 * y[:, None]
    proba = make(random_state=0).fit(X, y).predict_proba(X)  # type: ignore[operator]
    assert proba.shape == (len(y), len(counts))
    assert np.isfinite(proba).all()


@pytest.mark.parametrize("make", PIPELINES.values(), ids=PIPELINES)
def test_the_same_seed_gives_the_same_answers(make: object) -> None:
    X, y = cohort()
    a, b = (make(random_state=5).fit(X, y).predict_proba(X) for _ in range(2))  # type: ignore[operator]
    np.testing.assert_array_equal(a, b)


def test_the_chosen_penalty_is_weak_where_classes_are_clear_and_strong_in_noise() -> None:
    clear = TunedSVM().fit(*cohort(n=200, p=5, signal=8.0))
    X, _ = cohort(n=60, p=200, signal=0.0)
    noise = TunedSVM().fit(X, np.arange(60) % 2)
    assert noise.C_ < clear.C_


def test_margins_are_those_of_scikit_learns_machine_on_the_unrotated_rows() -> None:
    X, y = cohort(n=40, p=100)
    mine = TunedSVM(Cs=(0.1,)).fit(X, y)
    centred = X - X.mean(0)
    unit = np.sqrt((centred**2).sum(1).mean())
    theirs = LinearSVC(C=0.1, max_iter=100_000, tol=1e-8, dual=True).fit(centred / unit, y)
    np.testing.assert_allclose(mine.decision_function(X), theirs.decision_function(centred / unit), atol=0.02)


def test_the_sharpness_is_the_one_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(size=(20_000, 4))
    codes = (rng.random((20_000, 1)) > softmax(2.5 * margins, axis=1).cumsum(1)).sum(1)
    assert fit_sharpness(margins, codes)[0] == pytest.approx(2.5, rel=0.05)


def test_sharpness_never_changes_the_machines_choice() -> None:
    X, y = cohort()
    model = TunedSVM().fit(X, y)
    np.testing.assert_array_equal(model.predict(X), model.classes_[model.decision_function(X).argmax(1)])
    np.testing.assert_array_equal(model.predict(X), model.classes_[model.predict_proba(X).argmax(1)])


def test_trees_stop_early_in_noise_and_go_deep_for_an_interaction() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    crossed = ((X[:, 0] > 0) ^ (X[:, 1] > 0)).astype(int)
    model = TunedLightGBM().fit(X, crossed)
    nothing = TunedLightGBM().fit(X, rng.permutation(crossed))
    assert (model.predict(X) == crossed).mean() > 0.9
    assert nothing.n_trees_ < 30 < model.n_trees_


def test_inner_folds_respect_groups() -> None:
    """Copies of a row in several folds would make memorising look right; with groups the tuning sees through it."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(30, 40)), 6, axis=0) + 0.01 * rng.normal(size=(180, 40))
    y = np.repeat(np.arange(30) % 2, 6)  # nothing but the identity of the group tells the class
    groups = np.repeat(np.arange(30), 6)
    with_groups, without = TunedSVM().fit(X, y, groups), TunedSVM().fit(X, y)
    fresh = rng.normal(size=(500, 40))
    sure = [m.predict_proba(fresh).max(1).mean() for m in (with_groups, without)]
    assert sure[0] < 0.75 < 0.85 < sure[1]


def test_chance_is_the_training_rows_frequencies() -> None:
    X, _ = cohort(n=10)
    proba = prior_pipeline().fit(X, np.array([0] * 7 + [1] * 3)).predict_proba(X)
    np.testing.assert_allclose(proba, np.tile([0.7, 0.3], (10, 1)))


def blocks(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten blocks of six features that say the same; the first two tell the classes."""
    rng, y = np.random.default_rng(seed), np.arange(n) % 2
    factors = rng.normal(size=(n, 10))
    factors[:, :2] += 2.0 * y[:, None]
    return (np.repeat(factors, 6, axis=1) + 0.3 * rng.normal(size=(n, 60))).astype(np.float32), y


@pytest.mark.parametrize("way", FILLS)
def test_a_fill_restores_what_correlated_features_tell(way: str) -> None:
    X, y = blocks(120, 0)
    Xt, yt = blocks(120, 1)
    gaps = Xt.copy()
    gaps[:, np.arange(60) % 6 > 0] = np.nan  # one of each block is left
    model = FilledPreprocessor(way=way).fit(X)
    lost = np.isnan(gaps)
    whole = model.transform(Xt)
    assert np.abs(model.transform(gaps) - whole)[lost].mean() < 0.6 * np.abs(whole)[lost].mean()
    assert (imputing_pipeline(way=way).fit(X, y).predict(gaps) == yt).mean() > 0.85


def test_the_most_correlated_features_predict_by_regression() -> None:
    X, _ = blocks(200, 0)
    row = np.full((1, 60), np.nan, np.float32)
    row[0, 1:6] = 1.0
    fill = NearestGenes(X)
    unit = (np.arcsinh(1.0) - fill.mean[1:6]) / fill.scale[1:6]
    r = np.corrcoef(np.arcsinh(X[:, :6]).T)[0, 1:]
    want = np.average(r * unit, weights=r) * fill.scale[0] + fill.mean[0]
    np.testing.assert_allclose(fill.apply(row)[0, 0], np.sinh(want), rtol=1e-3)
    np.testing.assert_allclose(fill.apply(np.full((1, 60), np.nan, np.float32))[0], np.sinh(fill.mean), rtol=1e-3)
