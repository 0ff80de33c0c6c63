"""The four pipelines: raw tables with holes in, probabilities out, nothing learned from test rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from genomap_core.layout import Layout
from genomap_core.training import forest_pipeline, genomap_pipeline, genonet_pipeline, logistic_pipeline

MAKERS = {
    "genomap": lambda: genomap_pipeline(max_features=64, max_epochs=3, device="cpu"),
    "genonet": lambda: genonet_pipeline(max_features=64, max_epochs=15, device="cpu"),
    "logistic": logistic_pipeline,
    "forest": lambda: forest_pipeline(n_trees=50),
}


def table(n: int = 60, p: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Each of three named classes raises a module of eight correlated genes; 5 % of the values are missing."""
    rng = np.random.default_rng(seed)
    y = np.array(["glioma", "normal", "all"])[np.arange(n) % 3]
    X = rng.normal(size=(n, p)) * rng.uniform(1, 50, p) + rng.uniform(-100, 100, p)
    for k, name in enumerate(np.unique(y)):
        module = 2.5 * (y == name) + rng.normal(size=n)
        X[:, 10 + 8 * k : 18 + 8 * k] = 60 * (module[:, None] + 0.5 * rng.normal(size=(n, 8)))
    X[rng.random(X.shape) < 0.05] = np.nan
    return X.astype(np.float32), y


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


def test_finds_the_planted_module_in_a_raw_table_with_holes(make):
    X, y = table()
    assert cross_val_score(make(), X, y, cv=3).mean() > 0.85


def test_probabilities_stand_in_the_order_of_the_classes(make):
    X, y = table()
    model = make().fit(X, y)
    probability = model.predict_proba(X)
    assert list(model.classes_) == ["all", "glioma", "normal"]
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(model.classes_[probability.argmax(axis=1)], model.predict(X))


def test_a_clone_learns_the_same(make):
    X, y = table(30)
    first, again = make().fit(X, y), clone(make()).fit(X, y)
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))


def test_a_rows_probabilities_do_not_depend_on_other_test_rows(make):
    X, y = table()
    model = make().fit(X[:40], y[:40])
    wild = np.vstack([X[40:41], 1e6 * X[41:]])
    np.testing.assert_allclose(model.predict_proba(wild)[:1], model.predict_proba(X[40:41]), atol=1e-6)


def test_the_layout_is_learned_on_the_rows_that_are_fitted():
    X, y = table()
    model = MAKERS["genomap"]().fit(X[:40], y[:40])
    layout = model.named_steps["genomap"].layout_
    assert isinstance(layout, Layout)
    np.testing.assert_array_equal(
        layout.positions, MAKERS["genomap"]().fit(X[:40], y[:40])["genomap"].layout_.positions
    )
    assert len(layout.positions) == 64


def test_groups_reach_the_inner_split():
    X, y = table()
    model = MAKERS["genomap"]().fit(X, y, network__groups=np.arange(60) // 6)
    assert model.score(X, y) > 0.85


def test_several_omics_types_become_channels():
    X, y = table(30)
    channels = np.arange(80) % 2
    model = genomap_pipeline(channels=channels, selection="none", max_epochs=2, device="cpu").fit(X, y)
    assert model["network"].module_.members[0].mask.shape[0] == 2


def test_more_features_than_cells_are_reduced_to_the_grid():
    X, y = table(30)
    model = genomap_pipeline(grid=(5, 6), max_epochs=2, device="cpu").fit(X, y)
    assert model["network"].module_.members[0].mask.shape == (1, 5, 6)
    assert model.score(X, y) > 0.6
