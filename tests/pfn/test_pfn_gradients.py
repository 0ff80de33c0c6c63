"""Gradients of the tabular model, its attributions, and both against exact Shapley values on a small case."""

import numpy as np
import pytest

from genomap_core.errors import Cancelled
from genomap_core.explain import explain
from genomap_core.explain import regions as coalitions
from genomap_core.pfn import PFNClassifier


@pytest.fixture(scope="module")
def model(taught_weights):
    g = np.random.default_rng(0)
    X = g.normal(size=(40, 5)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    X[2, 3] = np.nan
    return PFNClassifier(taught_weights.path, n_estimators=2, keep_cache=True).fit(X, y), X


def numerical(score, x, step=0.02):
    ends = np.concatenate([x + step * np.eye(len(x)), x - step * np.eye(len(x))]).astype(np.float32)
    values = score(ends)
    return (values[: len(x)] - values[len(x) :]) / (2 * step)


@pytest.mark.parametrize("log_odds", [True, False])
def test_the_gradient_is_the_slope_of_the_view(model, log_odds):
    fitted, X = model
    _, gradient = fitted.input_gradients(X[:1], 1, log_odds=log_odds)
    slope = numerical(lambda rows: fitted.input_gradients(rows, 1, log_odds=log_odds)[0], X[0])
    np.testing.assert_allclose(gradient[0], slope, rtol=0.05, atol=0.02 * np.abs(slope).max())


@pytest.mark.parametrize("way", ["pca", "regions", "anova"])
def test_gradients_reach_the_raw_columns_through_every_reduction(taught_weights, way):
    g = np.random.default_rng(1)
    X = g.normal(size=(30, 12)).astype(np.float32)
    fitted = PFNClassifier(taught_weights.path, selection=way, n_selected=4, n_estimators=1).fit(X, np.arange(30) % 2)
    _, gradient = fitted.input_gradients(X[:1], 1)
    slope = numerical(lambda rows: fitted.input_gradients(rows, 1)[0], X[0])
    np.testing.assert_allclose(gradient[0], slope, rtol=0.05, atol=0.03 * np.abs(slope).max())


def test_integrated_gradients_add_up_and_agree_with_exact_shapley_values_of_the_same_view(model):
    fitted, X = model
    found = explain(fitted, X[0], target=1, method="integrated_gradients", background=X, n_samples=48)
    change = found.output - found.baseline_output
    assert abs(found.completeness_gap) < 0.01 * abs(change)
    game = coalitions.Game(lambda rows: fitted.input_gradients(rows, 1)[0], X[0], np.nanmedian(X, axis=0), np.arange(5))
    exact = coalitions.exact_shapley(game)
    assert np.corrcoef(found.values, exact)[0, 1] > 0.95
    assert "differentiable view" in found.model


def test_sampled_shapley_values_come_near_the_exact_ones_and_both_add_up(model, monkeypatch):
    fitted, X = model
    options = {"target": 1, "method": "shapley", "background": X, "groups": np.arange(5)}
    exact = explain(fitted, X[0], **options)
    monkeypatch.setattr(coalitions, "EXACT_PLAYERS", 0)
    sampled = explain(fitted, X[0], n_samples=24, **options)
    assert abs(exact.completeness_gap) < 1e-6
    assert abs(sampled.completeness_gap) < 1e-6
    np.testing.assert_allclose(sampled.values, exact.values, atol=0.15 * np.abs(exact.values).max())


@pytest.mark.parametrize("method", ["integrated_gradients", "shapley"])
def test_an_explanation_tells_how_far_it_is_and_can_be_stopped(model, method):
    fitted, X = model
    heard = []
    options = {"method": method, "background": X, "groups": np.arange(5), "batch_rows": 8}
    explain(fitted, X[0], on_progress=heard.append, **options)
    assert heard
    assert all(0 <= p.step <= p.total for p in heard)

    def stop(progress):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        explain(fitted, X[0], on_progress=stop, **options)
