"""Region explanations against brute force, axioms, and planted truths."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.errors import Cancelled, InputError
from genomap_core.explain.attribution import log_odds
from genomap_core.explain.regions import (
    Game,
    ablation_values,
    antithetic_orders,
    exact_shapley,
    players_of,
    region_attribution,
    shapley_values,
    spread,
)


class Logistic:
    """A fixed two-class model with an interaction: a stand-in for any fitted classifier."""

    classes_ = np.array(["healthy", "tumour"])

    def __init__(self, weights, interaction=0.0):
        self.weights, self.interaction = np.asarray(weights, float), interaction
        self.rows_seen = 0

    def predict_proba(self, X):
        self.rows_seen += len(X)
        z = X @ self.weights + self.interaction * X[:, 0] * X[:, 1]
        p = 1 / (1 + np.exp(-z))
        return np.column_stack([1 - p, p])


def brute_force(score, x, baseline, players):
    """Shapley values as the mean marginal contribution over all orders."""
    k = players.max() + 1
    values = np.zeros(k)
    for order in itertools.permutations(range(k)):
        row = np.where(players >= 0, baseline, x)
        before = score(row[None])[0]
        for player in order:
            row = np.where(players == player, x, row)
            after = score(row[None])[0]
            values[player] += after - before
            before = after
    return values / math.factorial(k)


def crooked(seed, p):
    """A random non-linear output of rows (B, p)."""
    g = np.random.default_rng(seed)
    A, b = g.normal(size=(p, 8)), g.normal(size=8)
    return lambda X: np.tanh(np.asarray(X, float) @ A) @ b


@pytest.mark.parametrize("seed", range(3))
def test_six_regions_get_their_exact_shapley_values(seed):
    g = np.random.default_rng(seed)
    players = np.r_[np.arange(6), g.integers(0, 6, 14), [-1, -1]]
    x, baseline = g.normal(size=22), g.normal(size=22)
    score = crooked(seed, 22)
    np.testing.assert_allclose(
        shapley_values(Game(score, x, baseline, players)), brute_force(score, x, baseline, players), atol=1e-5
    )


def test_sampled_values_come_close_to_the_exact_ones_and_closer_with_more_orders():
    g = np.random.default_rng(1)
    k = 12
    players = np.arange(24) % k
    x, baseline, score = g.normal(size=24), np.zeros(24), crooked(5, 24)
    exact = exact_shapley(Game(score, x, baseline, players))
    errors = []
    for n in (8, 512):
        runs = [shapley_values(Game(score, x, baseline, players), n, seed) - exact for seed in range(5)]
        errors.append(np.sqrt(np.mean(np.square(runs))))
    assert errors[1] < 0.05 * np.abs(exact).max()
    assert errors[1] < 0.25 * errors[0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 14), st.integers(1, 6))
def test_shapley_values_sum_to_what_is_explained(seed, k, n_orders):
    g = np.random.default_rng(seed)
    players = g.permutation(np.r_[np.arange(k), g.integers(0, k, k)])
    x, baseline, score = g.normal(size=2 * k), g.normal(size=2 * k), crooked(seed, 2 * k)
    values = shapley_values(Game(score, x, baseline, players), n_orders, seed)
    rows = np.float32([x, baseline])
    assert values.sum() == pytest.approx(score(rows[:1])[0] - score(rows[1:])[0], abs=1e-4)


def test_an_additive_model_gives_every_player_its_own_part():
    g = np.random.default_rng(0)
    w, x, baseline, players = g.normal(size=30), g.normal(size=30), g.normal(size=30), np.arange(30) % 15
    expected = np.bincount(players, w * (x - baseline))
    game = Game(lambda X: X @ w, x, baseline, players)
    np.testing.assert_allclose(shapley_values(game, 2), expected, atol=1e-4)
    np.testing.assert_allclose(ablation_values(game), expected, atol=1e-4)


def test_reversed_orders_follow_each_other():
    orders = antithetic_orders(7, 5, seed=3)
    assert len(orders) == 6
    assert all(orders[i] == orders[i + 1][::-1] for i in range(0, 6, 2))


def test_every_coalition_is_predicted_once_in_few_calls():
    calls = []

    def score(X):
        calls.append(len(X))
        return X.sum(1)

    game = Game(score, np.ones(20), np.zeros(20), np.arange(20), batch_rows=100)
    shapley_values(game, 10)
    assert max(calls) <= 100
    assert sum(calls) <= 10 * 19 + 2
    before = len(calls)
    shapley_values(game, 10)
    assert len(calls) == before, "known coalitions are not predicted again"


def test_missing_values_stay_missing_where_the_patient_is_present():
    game = Game(lambda X: np.isnan(X).sum(1).astype(float), np.array([np.nan, 1.0]), np.zeros(2), np.array([0, 1]))
    np.testing.assert_allclose(shapley_values(game), [1, 0])


def test_cancelling_between_batches_passes_through():
    def stop(progress):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        shapley_values(Game(lambda X: X.sum(1), np.ones(12), np.zeros(12), np.arange(12), on_progress=stop), 4)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000))
def test_sharing_a_regions_value_keeps_its_sum(seed):
    g = np.random.default_rng(seed)
    players = g.permutation(np.r_[np.arange(5), g.integers(-1, 5, 20)])
    difference = g.normal(size=25) * (g.random(25) < 0.6)
    difference[players == 2] = 0
    difference[3] = np.nan
    values = g.normal(size=5)
    shared = spread(values, players, difference, scale=g.random(25))
    np.testing.assert_allclose(np.bincount(players[players >= 0], shared[players >= 0], minlength=5), values, atol=1e-9)
    assert (shared[players < 0] == 0).all()


def test_a_feature_at_its_baseline_gets_nothing_while_its_region_has_others():
    shared = spread(np.array([6.0]), np.array([0, 0, 0, -1]), np.array([0.0, 1.0, -2.0, 5.0]))
    np.testing.assert_allclose(shared, [0, 2, 4, 0])


def test_features_without_a_cell_play_together_and_unused_ones_not_at_all():
    players = players_of(np.array([-1, 3, 3, -1, 0, 7]), np.array([True, True, False, True, True, False]))
    np.testing.assert_array_equal(players, [0, 2, -1, 0, 1, -1])


def explained(model, x, **options):
    p = len(x)
    names = tuple(f"g{j}" for j in range(p))
    return region_attribution(model, x, np.arange(p) // 2, np.zeros(p), feature_names=names, **options)


def test_the_log_odds_of_a_linear_model_are_explained_to_the_last_digit():
    g = np.random.default_rng(0)
    w, x = g.normal(size=8), g.normal(size=8)
    a = explained(Logistic(w), x, target="tumour")
    np.testing.assert_allclose(a.of_groups(), (w * x).reshape(4, 2).sum(1), atol=1e-4)
    assert a.completeness_gap == pytest.approx(0, abs=1e-4)
    assert a.output == pytest.approx(w @ x, abs=1e-4)
    assert (a.target, a.scale, a.complete) == ("tumour", "log-odds", True)


def test_the_other_class_gets_the_opposite_explanation():
    x = np.arange(6.0) / 5
    model = Logistic(np.linspace(-1, 1, 6), interaction=0.5)
    a, b = (explained(model, x, target=t) for t in model.classes_)
    np.testing.assert_allclose(a.values, -b.values, atol=1e-5)


def test_without_a_target_the_predicted_class_is_explained():
    assert explained(Logistic([2.0, 2.0]), np.array([1.0, 1.0])).target == "tumour"
    assert explained(Logistic([2.0, 2.0]), np.array([-1.0, -1.0])).target == "healthy"


def test_probabilities_can_be_explained_instead():
    a = explained(Logistic([2.0, -1.0, 1.0, 1.0]), np.ones(4), target="tumour", output="probability")
    assert a.values.sum() == pytest.approx(1 / (1 + np.exp(-3)) - 0.5, abs=1e-5)


def test_wrong_questions_are_answered_with_what_is_known():
    with pytest.raises(InputError, match="healthy, tumour"):
        explained(Logistic([1.0, 1.0]), np.ones(2), target="lung")
    with pytest.raises(InputError, match="shapley"):
        explained(Logistic([1.0, 1.0]), np.ones(2), method="guess")
    with pytest.raises(InputError, match="3 region labels for a row of 2"):
        region_attribution(Logistic([1.0, 1.0]), np.ones(2), np.zeros(3, int), np.zeros(2), feature_names=("a", "b"))


def test_certain_probabilities_keep_finite_log_odds():
    assert np.isfinite(log_odds(np.array([0.0, 1.0, 0.5]))).all()
    assert log_odds(np.array([0.5]))[0] == 0
