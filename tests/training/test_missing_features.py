"""A network that expects missing features is the same on whole rows, and says what it keeps of its accuracy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genomap_core.errors import InputError
from genomap_core.training import MapClassifier, genomap_pipeline, logistic_pipeline
from genomap_core.training.loop import MapData


def cohort(n: int, seed: int, p: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in a few factors that many features share."""
    loadings = np.random.default_rng(99).normal(size=(8, p))
    rng, y = np.random.default_rng(seed), np.arange(n) % 3
    factors = rng.normal(size=(n, 8)) * np.where(np.arange(8) < 3, 1.0, 6.0)  # most of what varies tells no class
    factors[:, :3] += 2.2 * np.eye(3)[y]
    return (factors @ loadings + rng.normal(size=(n, p))).astype(np.float32), y


def test_on_whole_rows_the_network_is_the_one_that_expects_nothing():
    X, y = cohort(60, 0)
    plain, wary = (genomap_pipeline(max_epochs=2, device="cpu", expect_missing=e).fit(X, y) for e in (False, True))
    for name, tensor in plain["network"].module_.state_dict().items():
        assert torch.equal(tensor, wary["network"].module_.state_dict()[name]), name
    np.testing.assert_array_equal(plain.predict_proba(X), wary.predict_proba(X))


def test_with_most_features_missing_it_stays_far_ahead_of_medians_and_as_good_as_it_says():
    X, y = cohort(120, 0)
    Xt, yt = cohort(300, 1)
    Xt[:, np.random.default_rng(5).permutation(200)[:160]] = np.nan
    wary, plain = (genomap_pipeline(max_epochs=2, device="cpu", expect_missing=e).fit(X, y) for e in (True, False))
    found = {name: (m.predict(Xt) == yt).mean() for name, m in (("wary", wary), ("plain", plain))}
    logistic = (logistic_pipeline().fit(X, y).predict(Xt) == yt).mean()
    assert found["wary"] > max(found["plain"], logistic) + 0.1
    assert found["wary"] == pytest.approx(wary["network"].endurance_.expected(0.2), abs=0.12)


@pytest.mark.parametrize("way", ["lowrank", "map"])
def test_convolutions_alone_may_be_trained_on_rows_with_features_missing(way):
    rng = np.random.default_rng(0)
    maps, y = rng.normal(size=(40, 1, 6, 6)).astype(np.float32), np.arange(40) % 2
    maps[:, 0, :3] += 2.0 * y[:, None, None]
    options = {"network_options": {"linear": False}, "missing": way, "max_epochs": 8, "device": "cpu"}
    whole, losing = (MapClassifier(lose_features=lose, **options).fit(maps, y) for lose in (False, True))
    assert losing.endurance_.shares == whole.endurance_.shares == (1.0, 0.5, 0.2, 0.1, 0.05)
    assert not np.array_equal(whole.predict_proba(maps), losing.predict_proba(maps))
    assert (losing.predict(maps) == y).mean() > 0.9


def test_half_of_the_rows_drawn_are_copies():
    data = MapData(torch.zeros(4000, 1, 2, 2), torch.zeros(4000, dtype=torch.int64), torch.ones(3, 4000, 1, 2, 2))
    data.copies[2] = 2.0
    drawn = data.drawn(torch.arange(4000), torch.Generator().manual_seed(0))
    shares = [(drawn == value).float().mean().item() for value in (0.0, 1.0, 2.0)]
    np.testing.assert_allclose(shares, [1 / 2, 1 / 3, 1 / 6], atol=0.03)
    assert (drawn == drawn[:, :, :1, :1]).all()


def test_unknown_ways_are_refused():
    maps, y = np.zeros((6, 1, 2, 2), np.float32), np.arange(6) % 2
    with pytest.raises(InputError, match="one of lowrank, map"):
        MapClassifier(missing="mean").fit(maps, y)
    with pytest.raises(InputError, match="needs `missing`"):
        MapClassifier(lose_features=True).fit(maps, y)
