"""Weights of adaptive fusion: each class by the part that knows it, the best part alone where nothing is gained."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import softmax

from genomap_core.progress import ignore
from genomap_core.workflows.comparison.runner import Clock, Fold
from genomap_core.workflows.comparison.scores import score
from genomap_core.workflows.fusion.adaptive import _class_weights, _loss, inner_answers, learn_pool, pooled_answers


def parts_and_classes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes: the first part tells class 0 from the rest, the second class 2, the third nothing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    logits = rng.normal(0, 1, (3, n, 3))
    logits[0, :, 0] += 4 * (y == 0)
    logits[1, :, 2] += 4 * (y == 2)
    return softmax(logits, axis=2), y


def test_each_class_is_weighed_to_the_part_that_knows_it_and_the_pool_is_ahead_of_every_part():
    parts, y = parts_and_classes(300)
    pool = learn_pool(parts, y, np.arange(300) % 4)
    np.testing.assert_allclose(pool.weights.sum(axis=0), 1)
    assert pool.weights[0, 0] > 0.6
    assert pool.weights[1, 2] > 0.6
    assert pool.weights[2, [0, 2]].max() < 0.2, "of the class that none tells, any part may be the rest"
    new, truth = parts_and_classes(2000, 1)
    pooled = pool.proba(new)
    np.testing.assert_allclose(pooled.sum(axis=1), 1)
    best = max(score("balanced_accuracy", truth, part) for part in new)
    assert score("balanced_accuracy", truth, pooled) > best + 0.1
    assert score("log_loss", truth, pooled) < min(score("log_loss", truth, part) for part in new)


def test_a_part_that_knows_all_stands_alone_and_keeps_its_classes():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, 90)
    parts = softmax(rng.normal(0, 1, (4, 90, 3)), axis=2)
    parts[2] = softmax(2 * np.eye(3)[y] + rng.normal(0, 1, (90, 3)), axis=1)
    pool = learn_pool(parts, y, np.arange(90) % 4)
    assert pool.best == 2
    assert pool.weights[2].min() > 0.8
    agree = pool.proba(parts).argmax(axis=1) == parts[2].argmax(axis=1)
    assert agree.mean() > 0.95


def test_the_slope_of_the_loss_is_its_slope():
    parts, y = parts_and_classes(40)
    rest = (np.log(parts), y, _class_weights(y), 1, 0.3)
    x = np.random.default_rng(0).normal(0, 0.5, 10)
    assert check_grad(lambda z: _loss(z, *rest)[0], lambda z: _loss(z, *rest)[1], x) < 1e-5


def test_no_part_of_the_inner_answers_saw_the_fold_that_its_weights_are_for():
    folds = [np.flatnonzero(np.arange(20) % 4 == k) for k in range(4)]
    asked: list[tuple[set[int], set[int]]] = []

    def ask(train, test, seed, clock, on_progress):
        asked.append((set(train), set(test)))
        return np.tile([float(seed), 1.0], (len(test), 1))

    answer = inner_answers(ask, folds, 2)
    found = np.empty((20, 4, 2))
    for k, test in enumerate(folds):
        found[test] = answer(Fold(k, np.setdiff1d(np.arange(20), test), test), Clock(), ignore).values["inner"]
    assert len(asked) == 6, "one training a pair of folds"
    assert all(not train & test and len(train) == 10 for train, test in asked)
    for i in range(20):
        own = i % 4
        assert np.isnan(found[i, own]).all()
        assert all(found[i, j, 0] == min(own, j) * 4 + max(own, j) for j in range(4) if j != own)


def test_the_classes_of_a_fold_play_no_part_in_its_weights():
    rng = np.random.default_rng(0)
    fold, y = np.arange(60) % 3, rng.integers(0, 2, 60)
    inner, outer = ({name: rng.dirichlet([1, 1], shape) for name in "ab"} for shape in ((60, 3), 60))
    rows = Fold(1, np.flatnonzero(fold != 1), np.flatnonzero(fold == 1))
    other = np.where(fold == 1, 1 - y, y)
    a, b = (pooled_answers(inner, outer, classes, fold)(rows, Clock(), ignore).values for classes in (y, other))
    assert a["weights"].shape == (20, 2, 2)
    for name in ("proba", "weights"):
        np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.parametrize("classes", [2, 5])
def test_a_part_that_rules_a_class_out_cannot_forbid_it(classes):
    rng = np.random.default_rng(classes)
    y = rng.integers(0, classes, 80)
    sure = np.repeat(np.eye(classes)[[0]], 80, axis=0)
    right = softmax(3 * np.eye(classes)[y] + rng.normal(0, 1, (80, classes)), axis=1)
    pool = learn_pool(np.stack([sure, right]), y, np.arange(80) % 4)
    assert np.isfinite(pool.proba(np.stack([sure, right]))).all()
    assert (pool.proba(np.stack([sure, right])).argmax(axis=1) == y).mean() > 0.7
