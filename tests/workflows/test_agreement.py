"""What agreement, ranges and prediction sets mean, held against models whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.explain import explain
from genomap_core.plotting.performance import wilson
from genomap_core.training.baselines import LinearPipeline, logistic_pipeline
from genomap_core.workflows.tabular.agreement import agreed, ceiling_of, kind_of, noise_range
from genomap_core.workflows.tabular.compare import CompareConfig, compare
from genomap_core.workflows.tabular.patient import attribute, seed_ceiling

P = 60
NOWHERE = np.full(P, -1)


def linear_model(rng: np.random.Generator, weights: np.ndarray, n: int) -> LinearPipeline:
    X = rng.normal(size=(n, P)).astype(np.float32)
    y = (X @ weights + rng.logistic(size=n) > 0).astype(int)
    return logistic_pipeline().fit(X, y)


def answer(model: LinearPipeline, x: np.ndarray) -> dict[str, Any]:
    found = explain(model, x, target=1, method="integrated_gradients")
    return {"values": found.values, "used": np.ones(P, bool), "method": found.method}


def test_models_of_one_planted_truth_agree_up_to_sampling() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=P)
    x = rng.normal(size=P).astype(np.float32)
    found = [
        agreed(answer(linear_model(rng, weights, n), x), answer(linear_model(rng, weights, n), x), NOWHERE)
        for n in (150, 1_000, 8_000)
    ]
    assert found[0].value < found[1].value < found[2].value <= 1
    assert found[2].value > 0.97
    assert found[2].n == P
    assert found[2].over == "features"
    same = linear_model(rng, weights, 150)
    assert agreed(answer(same, x), answer(same, x), NOWHERE).value == pytest.approx(1)


def test_independent_models_agree_by_zero_and_within_what_chance_reaches() -> None:
    rng = np.random.default_rng(1)
    models = [[linear_model(rng, 0.5 * rng.normal(size=P), 120) for _ in range(6)] for _ in range(2)]
    found = [
        agreed(answer(one, x), answer(other, x), NOWHERE)
        for one in models[0]
        for other in models[1]
        for x in rng.normal(size=(2, P)).astype(np.float32)
    ]
    assert np.mean([a.value for a in found]) == pytest.approx(0, abs=0.06)
    assert np.mean([abs(a.value) > a.chance for a in found]) == pytest.approx(0.05, abs=0.07)


def test_the_attributions_of_a_linear_model_are_exact() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(90, 5)).astype(np.float32) * [1, 2, 3, 4, 5] + 1
    model = logistic_pipeline().fit(X, rng.integers(0, 3, 90) + (X[:, 0] > 1))
    for target in model.classes_:
        found = explain(model, X[3], target=target, method="integrated_gradients")
        assert found.completeness_gap == pytest.approx(0, abs=1e-6)
        p = model.predict_proba(X[[3]])[0, list(model.classes_).index(target)]
        assert found.output == pytest.approx(np.log(p / (1 - p)), abs=1e-5)


def test_like_is_compared_with_like_over_what_both_models_use() -> None:
    rng = np.random.default_rng(3)
    values, used = rng.normal(size=P), np.arange(P) < 40
    one = {"values": np.where(used, values, 0), "used": used, "method": "integrated_gradients"}
    other = {"values": values, "used": np.arange(P) >= 10, "method": "integrated_gradients"}
    assert (agreed(one, other, NOWHERE).value, agreed(one, other, NOWHERE).n) == (pytest.approx(1), 30)
    regions = np.arange(P) // 3
    spread = np.repeat(np.bincount(regions, values) / 3, 3)  # Shapley values say nothing within a region
    of_regions = {"values": spread, "used": np.ones(P, bool), "method": "shapley"}
    found = agreed(other, of_regions, regions)
    assert (kind_of("shapley"), found.over, found.n) == ("regions", "regions", 17)
    assert agreed(other | {"used": np.ones(P, bool)}, of_regions, regions).value == pytest.approx(1)
    few = agreed(one | {"used": np.arange(P) < 12}, other, NOWHERE)
    assert np.isnan(few.value)
    assert "only 2 common features" in few.words


def test_two_seeds_of_a_model_are_the_ceiling(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 20)).astype(np.float32)
    y = (X[:, :3].sum(axis=1) + 0.5 * rng.normal(size=60) > 0).astype(np.int64)
    names = tuple(f"g{j}" for j in range(20))
    data = Dataset("planted", X, names, tuple(f"s{i}" for i in range(60)), y=y, classes=("no", "yes"))
    data.save(tmp_path / "dataset.npz")
    compare(data, CompareConfig(("logistic", "forest"), n_folds=2), tmp_path)
    cache: dict[Any, Any] = {}
    spec = {"run": tmp_path, "fold": 0, "target": 1}
    arrays = {"x": X[0], "groups": np.arange(20) // 3}
    ask = {"models": ["logistic", "forest"], "methods": ["integrated_gradients", "shapley"]}
    found, _ = seed_ceiling(spec | ask, arrays, cache)
    assert found["own"]["logistic"] > 0.9  # only its inner folds change with the seed
    assert 0.3 < found["own"]["forest"] < 1
    assert found["ceiling"] == pytest.approx(np.sqrt(found["own"]["logistic"] * found["own"]["forest"]))
    assert ceiling_of(-0.2, 0.9) == 0
    answers = []
    for model, method in zip(ask["models"], ask["methods"], strict=True):
        about, values = attribute({**spec, "model": model, "method": method}, arrays, cache)
        answers.append(about | values)
    assert "two seeds of the same models" in agreed(*answers, arrays["groups"], found["ceiling"]).words


def test_a_range_holds_its_value_and_a_further_draw_as_often_as_is_said() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(2_000):
        own, bias = rng.uniform(0.2, 0.8), rng.normal(scale=0.2)  # noise may shift the answer in one direction
        draws = np.clip(own + bias + 0.05 * rng.normal(size=18), 0, 1)
        low, high = noise_range(np.array([[own], *draws[:16, None]]))
        assert 0 <= low[0] <= own <= high[0] <= 1
        held += low[0] <= draws[17] <= high[0]
    assert held / 2_000 > 15 / 17 - 0.02


def test_intervals_of_shares_stay_within_0_and_1() -> None:
    for n in (1, 3, 50, 10_000):
        for share in (0.0, 1 / n, 0.5, 1.0):
            low, high = wilson(np.array(share), np.array(n))
            assert 0 <= low <= share <= high <= 1
