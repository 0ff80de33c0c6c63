"""The numbers a linear model sees of an image are what their names say."""

from __future__ import annotations

import numpy as np

from genomap_core.data.images.statistics import STATISTICS, image_statistics


def test_statistics_of_every_channel_stand_side_by_side() -> None:
    images = np.random.default_rng(0).normal(2, 3, (4, 2, 32, 24)).astype(np.float32)
    found = image_statistics(images).reshape(4, 2, len(STATISTICS))
    named = dict(zip(STATISTICS, np.moveaxis(found, 2, 0)))
    np.testing.assert_allclose(named["mean"], images.mean((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(named["sd"], images.std((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(named["quantile 0.5"], np.median(images, (2, 3)), rtol=1e-5)
    assert (np.abs(named["likeness of rows"]) < 0.15).all()


def test_stripes_are_alike_along_and_not_across() -> None:
    stripes = np.tile(np.array([1.0, -1.0] * 16, np.float32), (32, 1))[None, None]
    named = dict(zip(STATISTICS, image_statistics(stripes)[0]))
    assert named["likeness of rows"] > 0.99
    assert named["likeness of columns"] < -0.99
    assert named["detail at 1 px"] > 10 * named["detail at 4 px"]


def test_a_constant_image_gives_finite_numbers() -> None:
    assert np.isfinite(image_statistics(np.ones((1, 1, 16, 16), np.float32))).all()
