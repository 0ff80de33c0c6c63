"""The tuned logistic regression is scikit-learn's, only faster where features are many."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from genomap_core.errors import InputError
from genomap_core.training.logistic import TunedLogistic, rotate


def planted(n: int, p: int, k: int, seed: int = 0, effect: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    y[:k] = np.arange(k)
    X = rng.normal(size=(n, p))
    X[:, :k] += effect * np.eye(k)[y]
    return X, y


@parametrize_with_checks([TunedLogistic()])
def test_keeps_the_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("n", "p", "k"), [(40, 300, 2), (60, 200, 4), (80, 10, 3)])
def test_equals_scikit_learn_on_the_unrotated_features(n, p, k):
    X, y = planted(n, p, k)
    own = TunedLogistic().fit(X, y)
    reference = LogisticRegression(C=own.C_, max_iter=5000, tol=1e-8).fit(X, y)
    new = planted(50, p, k, seed=1)[0]
    np.testing.assert_allclose(own.predict_proba(new), reference.predict_proba(new), atol=2e-3)


def test_rotation_keeps_all_inner_products():
    X = np.random.default_rng(0).normal(size=(12, 50))
    rows, basis = rotate(X)
    np.testing.assert_allclose(rows @ rows.T, X @ X.T, atol=1e-9)
    np.testing.assert_allclose(rows @ basis, X, atol=1e-9)


def test_pure_noise_gets_a_strong_penalty_and_a_clear_signal_a_weak_one():
    noise = TunedLogistic().fit(*planted(60, 100, 2, effect=0.0))
    signal = TunedLogistic().fit(*planted(60, 100, 2, effect=5.0))
    assert signal.C_ > 10 * noise.C_


def test_groups_never_part_in_the_inner_folds(monkeypatch):
    from genomap_core.training import logistic

    seen = []
    real = logistic.inner_folds
    monkeypatch.setattr(logistic, "inner_folds", lambda *a: seen.append(real(*a)) or seen[-1])
    X, y = planted(40, 5, 2)
    groups = np.arange(40) // 4
    TunedLogistic().fit(X, y, groups=groups)
    for train, test in seen[0]:
        assert not set(groups[train]) & set(groups[test])


def test_a_class_with_one_row_is_no_obstacle():
    X, y = planted(20, 6, 2)
    y[5] = 2
    assert TunedLogistic().fit(X, y).predict_proba(X).shape == (20, 3)


def test_one_class_is_refused_by_name():
    with pytest.raises(InputError, match="two classes"):
        TunedLogistic().fit(np.eye(4), np.zeros(4))
