"""A patient's answer as noise grows and features are lost."""

from __future__ import annotations

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.plotting import robustness_curves
from genomap_core.workflows.tabular.robustness import DRAWS, KEPT, NOISE, curves_of, disturbed_rows

P = 200


def cohort() -> Dataset:
    X = np.random.default_rng(0).normal(size=(5, P)).astype(np.float32)
    return Dataset("cohort", X, tuple(f"g{j}" for j in range(P)), tuple("abcde"))


def test_rows_have_the_noise_and_the_features_of_their_level() -> None:
    dataset, scale = cohort(), np.full(P, 2.0, np.float32)
    X = disturbed_rows(dataset, 3, scale, seed=7).reshape(-1, DRAWS, P)
    noisy, lost = X[: len(NOISE)], X[len(NOISE) :]
    np.testing.assert_array_equal(noisy[0], np.tile(dataset.X[3], (DRAWS, 1)))
    spread = (noisy - dataset.X[3]).std(axis=(1, 2))
    np.testing.assert_allclose(spread, 2 * np.array(NOISE), rtol=0.1)
    assert not np.isnan(noisy).any()
    np.testing.assert_allclose((~np.isnan(lost)).mean(axis=2), np.tile(np.array(KEPT)[:, None], DRAWS), atol=0.005)
    for draw in range(DRAWS):
        measured = ~np.isnan(lost[:, draw])
        assert (measured[1:] <= measured[:-1]).all(), "what a smaller share keeps a larger one keeps too"
    assert len(np.unique(np.isnan(lost[3]), axis=0)) == DRAWS
    np.testing.assert_array_equal(X, disturbed_rows(dataset, 3, scale, seed=7).reshape(X.shape))


def test_curves_are_mean_and_range_over_the_draws_of_the_class_asked() -> None:
    first = np.random.default_rng(1).random((len(NOISE) + len(KEPT)) * DRAWS)
    noise, kept = curves_of(np.column_stack([1 - first, first]), 1)
    values = first.reshape(-1, DRAWS)
    np.testing.assert_allclose(noise.mean, values[: len(NOISE)].mean(1))
    np.testing.assert_allclose(kept.low, values[len(NOISE) :].min(1))
    assert (noise.low <= noise.mean).all()
    assert (noise.mean <= noise.high).all()
    figure = robustness_curves([("a <b>", (kept.at, kept.mean, kept.low, kept.high))], kept=True, at=0.5)
    band, line = figure.data
    assert line.name == "a &lt;b&gt;"
    assert len(band.x) == 2 * len(KEPT) == 2 * len(line.x)
    assert figure.layout.shapes[0].x0 == 0.5
