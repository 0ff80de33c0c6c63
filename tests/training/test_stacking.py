"""How loudly the linear and the convolutional path speak."""

import numpy as np
from scipy.special import log_softmax

from genomap_core.training.members import stacking_weights


def scene(n=400, seed=0):
    """Class codes, and logits of a path that knows them about as well as the other does, with errors of its own."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    paths = [1.5 * (np.eye(3)[y] - 1 / 3) + rng.normal(size=(n, 3)) for _ in range(2)]
    return y, paths[0], paths[1]


def cross_entropy(logits, y):
    return -log_softmax(logits, axis=1)[np.arange(len(y)), y].mean()


def test_two_paths_with_errors_of_their_own_are_better_together():
    y, linear, convolved = scene()
    a, b = stacking_weights(linear, convolved, y, np.ones(3), np.arange(200))
    assert min(a, b) > 0.3
    left_out = slice(200, None)
    alone = min(cross_entropy(path[left_out], y[left_out]) for path in (linear, convolved))
    assert cross_entropy((a * linear + b * convolved)[left_out], y[left_out]) < 0.95 * alone


def test_a_path_that_knows_nothing_is_hardly_heard():
    y, linear, _ = scene()
    noise = np.random.default_rng(1).normal(size=linear.shape)
    a, b = stacking_weights(linear, noise, y, np.ones(3), np.arange(400))
    assert a > 0.8
    assert 0 <= b < 0.1
    a, b = stacking_weights(noise, linear, y, np.ones(3), np.arange(400))
    assert a < 0.1
    assert b > 0.8


def test_a_path_that_errs_is_never_turned_round():
    y, linear, convolved = scene()
    assert stacking_weights(linear, -convolved, y, np.ones(3), np.arange(400))[1] == 0


def test_few_rows_leave_the_linear_path_nearly_alone():
    y, linear, convolved = scene()
    weights = [stacking_weights(linear, convolved, y, np.ones(3), np.arange(n))[1] for n in (400, 12)]
    assert 0 < weights[1] < 0.7 * weights[0]
    assert stacking_weights(linear, convolved, y, np.ones(3), np.array([], int)) == (1.0, 0.0)


def test_rows_that_were_not_left_out_play_no_part():
    y, linear, convolved = scene()
    seen = np.arange(100, 300)
    want = stacking_weights(linear, convolved, y, np.ones(3), seen)
    linear[:100], convolved[300:] = np.nan, np.nan
    assert stacking_weights(linear, convolved, y, np.ones(3), seen) == want


def test_a_class_that_weighs_more_decides_more():
    y, linear, convolved = scene()
    convolved[y != 0] = 0  # knows the first class alone
    light, heavy = (
        stacking_weights(linear, convolved, y, np.array([w, 1.0, 1.0]), np.arange(400))[1] for w in (1.0, 30.0)
    )
    assert heavy > light
