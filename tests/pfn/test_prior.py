"""The prior: tables as real ones are, the same for a seed, learnable, and wide enough."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from genomap_core.errors import InputError
from genomap_core.pfn.selection import anova_f
from tools.pretrain import mechanisms as worlds
from tools.pretrain.prior import PriorConfig, classes_from, draw_batch, draw_table

SMALL = PriorConfig(max_rows=200, max_features=20)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 10**9), st.floats(0, 2))
def test_every_batch_keeps_to_its_bounds(seed, number, fraction):
    b = draw_batch(SMALL, 2_000, seed, number, fraction)
    R, B, F = b.X.shape
    assert b.y.shape == (R, B)
    assert SMALL.min_train_rows <= b.n_train < R <= SMALL.max_rows
    assert SMALL.min_features <= F <= SMALL.max_features
    assert b.X.dtype == np.float32
    assert not np.isinf(b.X).any()
    assert b.y.min() >= 0
    assert b.y.max() < SMALL.max_classes
    assert all(len(np.unique(y[: b.n_train])) >= 2 for y in b.y.T)


def test_a_seed_and_a_number_decide_everything():
    a, b, other = (draw_batch(SMALL, 3_000, 5, n) for n in (17, 17, 18))
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.y, b.y)
    assert a.X.shape != other.X.shape or not np.array_equal(a.X, other.X, equal_nan=True)


def test_the_curriculum_starts_small_and_ends_with_the_whole_prior():
    whole = PriorConfig()
    assert whole.eased(1.0) == whole
    start = whole.eased(0.0)
    assert (start.max_rows, start.max_features, start.max_classes) == (100, 10, 3)


def test_the_tables_show_everything_that_real_ones_do():
    tables = [draw_table(np.random.default_rng(i), PriorConfig(), 200, 30, 120) for i in range(150)]
    assert {len(np.unique(y)) for _, y in tables} >= {2, 3, 5, 8}
    assert 5 < sum(np.isnan(X).any() for X, _ in tables) < 60, "missing values in some tables"
    few_levels = [min(len(np.unique(c[~np.isnan(c)])) for c in X.T) for X, _ in tables]
    assert sum(n <= 6 for n in few_levels) > 20, "categorical columns"
    rarest = [np.bincount(y).max() / len(y) for _, y in tables if len(np.unique(y)) == 2]
    assert max(rarest) > 0.85, "rare classes"
    assert min(rarest) < 0.6, "balanced classes"


@pytest.mark.parametrize("world", ["structural", "trees", "prototypes", "graded", "expression"])
def test_every_world_can_be_learned_and_none_is_always_easy(world):
    from sklearn.ensemble import RandomForestClassifier

    only = {name: float(name == world) for name in ("structural", "trees", "prototypes", "graded", "expression")}
    config = PriorConfig(max_classes=2, binary=1.0, **only)
    aucs = []
    for i in range(12):
        X, y = draw_table(np.random.default_rng([3, i]), config, 240, 12, 160)
        if len(np.unique(y[160:])) == 2:
            X = np.nan_to_num(X)
            forest = RandomForestClassifier(25, random_state=0).fit(X[:160], y[:160])
            aucs.append(roc_auc_score(y[160:], forest.predict_proba(X[160:])[:, 1]))
    assert np.mean(aucs) > 0.6
    assert np.min(aucs) < 0.97


def test_selected_expression_features_look_better_in_training_rows_than_in_others():
    gains = []
    for i in range(20):
        g = np.random.default_rng(i)
        x, score = worlds.expression_world(g, 120, 20, 2, 40)
        y = score.argmax(1)
        if min(np.bincount(y[:40], minlength=2).min(), np.bincount(y[40:], minlength=2).min()) > 4:
            seen, unseen = anova_f(x[:40], y[:40]), anova_f(x[40:80], y[40:80])
            gains.append(np.median(seen) - np.median(unseen))
    assert np.mean(gains) > 0, "the luck of selection is part of the prior"


def test_features_of_one_module_are_correlated():
    correlations = []
    for i in range(10):
        x, _ = worlds.expression_world(np.random.default_rng(i), 150, 30, 3, 100)
        correlations.append(np.abs(np.corrcoef((x + 1e-9 * np.arange(150)[:, None]).T))[np.triu_indices(30, 1)].mean())
    assert np.mean(correlations) > 0.15, "independent features would have about .07"


def test_ranges_of_a_score_become_classes():
    g = np.random.default_rng(0)
    y = np.concatenate([classes_from(g, np.linspace(0, 1, 300), 3) for _ in range(20)])
    assert set(np.unique(y)) == {0, 1, 2}


def test_impossible_priors_are_refused():
    with pytest.raises(InputError, match="max_rows"):
        PriorConfig(max_rows=15)
    with pytest.raises(InputError, match="two classes"):
        PriorConfig(max_classes=1)
