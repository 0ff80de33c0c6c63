"""A learner that lives on the map fills from neighbouring cells, and its controls differ in the layout only."""

from __future__ import annotations

import numpy as np
import pytest

from genomap_core.benchmark.map_learner import MapLearner
from genomap_core.benchmark.models import MAP_LEARNERS, build
from genomap_core.data.fill import fill_on_map


def cohort(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng, y = np.random.default_rng(seed), np.arange(n) % 2
    factors = rng.normal(size=(n, 6))
    factors[:, 0] += 2.5 * y
    return (np.repeat(factors, 6, axis=1) + 0.3 * rng.normal(size=(n, 36))).astype(np.float32), y


def test_a_hole_is_the_weighted_mean_of_its_neighbours_and_cells_without_a_feature_say_nothing() -> None:
    maps = np.full((1, 1, 5, 5), 3.0, np.float32)
    maps[0, 0, 2, 2] = np.nan
    has = np.ones((1, 5, 5), bool)
    has[0, :, 4], maps[0, 0, :, 4] = False, 0.0
    filled = fill_on_map(maps, has)
    assert filled[0, 0, 2, 2] == pytest.approx(3.0, rel=1e-5)
    np.testing.assert_array_equal(filled[~np.isnan(maps)], maps[~np.isnan(maps)])
    np.testing.assert_array_equal(fill_on_map(np.full_like(maps, np.nan), has), np.zeros_like(maps))


def test_a_far_hole_is_filled_by_a_wider_blur() -> None:
    maps = np.full((1, 1, 1, 30), np.nan, np.float32)
    maps[0, 0, 0, 0] = 2.0
    filled = fill_on_map(maps, np.ones((1, 1, 30), bool))
    np.testing.assert_allclose(filled[0, 0, 0, :20], 2.0, rtol=1e-4)


def test_it_learns_and_answers_with_features_missing() -> None:
    X, y = cohort(60, 0)
    Xt, yt = cohort(40, 1)
    model = MapLearner(max_epochs=20, device="cpu").fit(X, y)
    gaps = Xt.copy()
    gaps[:, np.arange(36) % 6 > 1] = np.nan
    assert (model.predict(Xt) == yt).mean() > 0.8
    assert (model.predict(gaps) == yt).mean() > 0.7
    assert model.network_.network_.options == {"linear": False}
    assert model.network_.endurance_ is not None


def test_layouts_of_the_controls_are_random_and_differ_while_all_else_is_the_same() -> None:
    models = [build(name, random_state=7, device="cpu", max_epochs=1) for name in MAP_LEARNERS]
    assert [m.solver for m in models] == ["ot", "random", "random", "random"]
    assert len({m.layout_seed for m in models}) == 4
    assert {m.random_state for m in models} == {7}
    assert build("genonet_random", random_state=7, device="cpu")["genomap"].solver == "random"
