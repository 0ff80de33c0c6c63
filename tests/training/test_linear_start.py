"""The closed-form start: its left-out scores are those of models fitted without the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import f_oneway

from genomap_core.training.linear_start import (
    RELEVANCE_POWERS,
    LinearStart,
    _Scene,
    blur,
    linear_start,
    relevance,
    unit_kernel,
)


def cohort(seed: int, n: int = 14, k: int = 3, shape: tuple[int, ...] = (2, 4, 5)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    maps = rng.normal(size=(n, *shape)).astype(np.float32)
    maps[:, 0, 1, 1] += 2.0 * y
    return maps, y


def refit_without(scene: _Scene, rows: np.ndarray, penalty: float) -> np.ndarray:
    """Ridge regression with an unpenalised intercept on the other rows, solved from its normal equations."""
    X = scene.maps.reshape(len(scene.maps), -1).astype(np.float64) / np.sqrt(scene.plain_size)
    kept = np.setdiff1d(np.arange(len(X)), rows)
    design = np.column_stack([X, np.ones(len(X))])
    ridge = np.diag(np.r_[np.full(X.shape[1], penalty), 0.0])
    A = design[kept]
    return design[rows] @ np.linalg.solve(A.T @ A + ridge, A.T @ scene.targets[kept])


@pytest.mark.parametrize("grouped", [False, True])
@given(seed=st.integers(0, 1000), penalty=st.sampled_from([0.01, 0.3, 10.0]))
@settings(max_examples=10, deadline=None)
def test_left_out_scores_are_those_of_a_refit(grouped, seed, penalty):
    maps, y = cohort(seed)
    groups = np.arange(len(y)) // 3 if grouped else None
    scene = _Scene(maps, y, np.ones(3, np.float32), groups)
    values, vectors = np.linalg.eigh(scene.plain)
    values = values.clip(0)
    dual = vectors @ ((vectors.T @ (scene.targets - scene.share)) / (values + penalty)[:, None])
    got = scene._left_out(values / (values + penalty), vectors, penalty * dual)
    for g in np.unique(groups) if grouped else range(len(y)):
        rows = np.flatnonzero(groups == g) if grouped else np.array([g])
        share = np.delete(scene.targets, rows, axis=0).mean(axis=0)
        np.testing.assert_allclose(got[rows] + share, refit_without(scene, rows, penalty), atol=2e-4)


def test_blurring_is_its_own_transpose():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1, 3, 7, 9))
    np.testing.assert_allclose((blur(a, 1.5) * b).sum(), (a * blur(b, 1.5)).sum())


@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_weights_of_cells_give_the_scores_of_the_dual_form(sigma):
    maps, y = cohort(1)
    scene = _Scene(maps, y, np.ones(3, np.float32), None)
    choice = scene.best_penalty(sigma)
    kernel = scene.plain if not sigma else 0.5 * scene.plain + 0.5 * unit_kernel(blur(scene.maps, sigma))[0]
    got = scene.maps.reshape(len(maps), -1) @ scene.weight(choice)
    np.testing.assert_allclose(got, kernel @ choice.dual * choice.scale, atol=1e-4)


def test_a_signal_spread_over_neighbours_is_found_with_a_blur_and_its_weights_are_smooth():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    maps = rng.normal(size=(40, 1, 16, 16)).astype(np.float32)
    maps[:, 0, 4:11, 4:11] += 0.25 * (2 * y - 1)[:, None, None]
    start = linear_start(maps, y, np.ones(2, np.float32))
    difference = start.weight[1, 0] - start.weight[0, 0]
    assert start.blur > 0
    outside = np.ones((16, 16), bool)
    outside[3:12, 3:12] = False
    assert difference[5:10, 5:10].mean() > 5 * abs(difference[outside].mean())


def test_without_signal_the_start_is_nearly_the_class_frequencies():
    rng = np.random.default_rng(1)
    y = rng.permutation(np.repeat([0, 1], [45, 15]))
    start = linear_start(rng.normal(size=(60, 1, 9, 9)).astype(np.float32), y, np.ones(2, np.float32))
    assert start.cross_entropy < 1.1 * -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert start.bias[0] - start.bias[1] == pytest.approx(np.log(3), abs=0.5)


def test_balanced_weights_move_the_bias_to_equal_classes():
    maps, _ = cohort(2, n=40, k=2)
    y = np.repeat([0, 1], [30, 10])
    weights = np.array([40 / 60, 40 / 20], np.float32)
    plain, balanced = linear_start(maps, y, np.ones(2, np.float32)), linear_start(maps, y, weights)
    assert balanced.bias[1] - balanced.bias[0] > plain.bias[1] - plain.bias[0] + 0.5


def test_constant_maps_give_the_class_frequencies_and_no_nan():
    start = linear_start(np.zeros((10, 1, 3, 3), np.float32), np.arange(10) % 2, np.ones(2, np.float32))
    assert (start.weight == 0).all()
    assert np.isfinite(start.bias).all()


def test_relevance_is_eta_squared_beyond_chance_and_zero_where_nothing_varies():
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1, 2], [9, 14, 7])
    maps = rng.normal(size=(30, 1, 3, 4)).astype(np.float32)
    maps[:, 0, 0, 0] += y
    maps[:, 0, 2, 3] = 4.0
    F = f_oneway(*(maps.reshape(30, -1)[y == k, :-1] for k in range(3))).statistic
    explained = 2 * F / (2 * F + 27)
    got = relevance(maps, y).ravel()
    np.testing.assert_allclose(got[:-1], (explained - 2 / 29).clip(0), atol=1e-5)
    assert got[-1] == 0
    assert got.argmax() == 0


def sparse(seed: int, n: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """A few cells of four hundred, here and there, tell two classes apart."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    maps = rng.normal(size=(n, 1, 20, 20)).astype(np.float32)
    maps.reshape(n, -1)[:, [3, 77, 151, 290, 333, 398]] += strength * (2 * y - 1)[:, None]
    return maps, y


def fresh_cross_entropy(start: LinearStart, maps: np.ndarray, y: np.ndarray) -> float:
    logits = np.tensordot(maps, start.weight, axes=([1, 2, 3], [1, 2, 3])) + start.bias
    return -float(log_softmax(logits, axis=1)[np.arange(len(y)), y].mean())


def test_models_that_emphasise_relevant_cells_help_where_few_cells_tell_and_their_left_out_scores_are_honest():
    (maps, y), fresh, ones = sparse(0, 60, 0.6), sparse(1, 400, 0.6), np.ones(2, np.float32)
    plain = linear_start(maps, y, ones)
    mean = linear_start(maps, y, ones, powers=RELEVANCE_POWERS)
    assert fresh_cross_entropy(mean, *fresh) < 0.93 * fresh_cross_entropy(plain, *fresh)
    assert mean.cross_entropy > 0.8 * fresh_cross_entropy(mean, *fresh), "relevance was learned without the rows"


def test_emphasis_finds_nothing_where_nothing_is():
    (maps, y), fresh, ones = sparse(2, 60, 0.0), sparse(3, 400, 0.0), np.ones(2, np.float32)
    start = linear_start(maps, y, ones, powers=RELEVANCE_POWERS)
    assert start.cross_entropy < 1.1 * np.log(2)
    assert fresh_cross_entropy(start, *fresh) < 1.1 * np.log(2)


def test_too_few_groups_for_inner_folds_leave_the_plain_start():
    maps, y = cohort(0, n=12, k=2)
    ones = np.ones(2, np.float32)
    plain, asked = (linear_start(maps, y, ones, y, powers=powers) for powers in ((), RELEVANCE_POWERS))
    np.testing.assert_array_equal(plain.weight, asked.weight)


def test_one_or_two_rows_a_class_do_not_silence_the_scores():
    y, fresh = np.repeat(np.arange(5), [1, 2, 2, 1, 2]), np.repeat(np.arange(5), 50)
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        centres = 0.4 * rng.normal(size=(5, 1, 12, 12)).astype(np.float32)
        maps, others = (centres[c] + rng.normal(size=(len(c), 1, 12, 12)).astype(np.float32) for c in (y, fresh))
        start = linear_start(maps, y, np.ones(5, np.float32), powers=RELEVANCE_POWERS)
        logits = np.tensordot(others, start.weight, axes=([1, 2, 3], [1, 2, 3])) + start.bias
        found.append((logits.argmax(axis=1) == fresh).mean())
    assert np.mean(found) > 0.61  # .56 where a row's absence speaks against its class
