"""Integrated gradients of any model that tells its gradient, where the answer is known in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.errors import InputError
from genomap_core.explain import explain
from genomap_core.explain import regions as coalitions


class Quadratic:
    """``f(x) = a x + x B x`` as log-odds: there integrated gradients from any baseline are the Shapley values."""

    classes_ = np.array([0, 1])

    def __init__(self, a, B):
        self.a, self.B = a, B

    def score(self, X):
        return X @ self.a + np.einsum("mi,ij,mj->m", X, self.B, X)

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-self.score(X)))
        return np.column_stack([1 - p, p])

    def input_gradients(self, X, index, *, log_odds):
        assert (index, log_odds) == (1, True)
        return self.score(X), self.a + X @ (self.B + self.B.T)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_on_a_quadratic_model_they_are_the_exact_shapley_values(seed, p):
    g = np.random.default_rng(seed)
    model = Quadratic(g.normal(size=p), g.normal(size=(p, p)))
    background = g.normal(size=(9, p)).astype(np.float32)
    x = g.normal(size=p).astype(np.float32)
    found = explain(model, x, target=1, method="integrated_gradients", background=background)
    game = coalitions.Game(model.score, x, np.median(background, axis=0), np.arange(p))
    np.testing.assert_allclose(found.values, coalitions.exact_shapley(game), atol=1e-4)
    assert abs(found.completeness_gap) < 1e-6


def test_a_missing_value_is_the_baselines_and_gets_nothing():
    model = Quadratic(np.ones(3), np.zeros((3, 3)))
    x = np.array([2.0, np.nan, -1.0], np.float32)
    found = explain(model, x, target=1, method="integrated_gradients", background=np.zeros((4, 3), np.float32))
    np.testing.assert_allclose(found.values, [2, 0, -1], atol=1e-6)


def test_rows_are_explained_one_by_one():
    model = Quadratic(np.array([1.0, -2.0]), np.eye(2))
    X = np.array([[1, 1], [0, 2]], np.float32)
    both = explain(model, X, target=1, method="integrated_gradients", background=np.zeros((3, 2)))
    assert both.values.shape == (2, 2)
    np.testing.assert_allclose(both.values.sum(1), both.output - both.baseline_output, atol=1e-6)


def test_without_training_rows_there_is_no_baseline():
    with pytest.raises(InputError, match="background"):
        explain(Quadratic(np.ones(2), np.eye(2)), np.ones(2), target=1, method="integrated_gradients")
