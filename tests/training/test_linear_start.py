"""The closed-form start: its left-out scores are those of models fitted without the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.training.linear_start import _Scene, blur, linear_start, unit_kernel


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
    got = scene._left_out(values / (values + penalty), vectors, penalty * dual) + scene.share
    for g in np.unique(groups) if grouped else range(len(y)):
        rows = np.flatnonzero(groups == g) if grouped else np.array([g])
        np.testing.assert_allclose(got[rows], refit_without(scene, rows, penalty), atol=2e-4)


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
