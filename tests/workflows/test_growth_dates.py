"""Two dates give D and rho back, two outlines of one date sqrt(D / rho), and less than that gives nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genomap_core.errors import InputError
from genomap_core.models.reaction_diffusion import GrowthScheme, evolve
from genomap_core.workflows.growth.dates import Outlines, fit_two_dates, forecast, infiltration_length

SIDE = 112


def grown(u: torch.Tensor, length: float, rate: float, days: float) -> torch.Tensor:
    n = int(np.ceil(days * rate / 0.4))
    d, r = (torch.full((1, 1, 1), v, dtype=torch.float64) for v in (length**2 * rate, rate))
    scheme = GrowthScheme(n_steps=n, dt=days / n, max_diffusion=float(d), max_rate=rate, checkpointing=False)
    return evolve(u, d, r, scheme)[:, -1]


def outlines(u: torch.Tensor) -> Outlines:
    return Outlines(u[0].numpy() >= 0.16, u[0].numpy() >= 0.8)


def pair(seed: int) -> tuple[Outlines, Outlines, float, float, float]:
    """A lobed tumour of homogeneous tissue at two dates, the days between, its sqrt(D / rho) in mm and rho per day."""
    rng = np.random.default_rng(seed)
    length, rate = np.exp(rng.uniform(np.log([1.5, 0.004]), np.log([2.6, 0.025])))
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    angle = np.arctan2(y, x)
    lobes = 1 + sum(rng.uniform(0.1, 0.25) * np.cos(k * angle + rng.uniform(0, 6)) for k in (2, 3))
    seed_cells = torch.from_numpy(np.clip(3 * lobes + 0.5 - np.hypot(y, x), 0, 1))[None]
    speed = 2 * length * rate
    first = grown(seed_cells, length, rate, max((rng.uniform(6, 9) * length + 3) / speed, 6 / rate))
    days = rng.uniform(4, 10) / speed
    return outlines(first), outlines(grown(first, length, rate, days)), days, length, rate


def test_d_and_rho_of_simulated_pairs_come_back_within_a_fifth_and_inside_their_intervals() -> None:
    near, inside = [], []
    for seed in range(200, 210):
        first, second, days, length, rate = pair(seed)
        fit = fit_two_dates(first, second, days, 1.0, n_perturbed=3)
        for found, truth in ((fit.diffusion, length**2 * rate), (fit.rate, rate)):
            near.append(abs(found.value / truth - 1) <= 0.2)
            inside.append(found.low <= truth <= found.high)
            assert found.high / found.low < 2.5, "an interval that says nothing"
    assert np.mean(near) >= 0.8
    assert np.mean(inside) >= 0.9


def test_the_length_of_one_date_comes_back() -> None:
    found, truth = [], []
    for seed in range(220, 228):
        first, _, _, length, _ = pair(seed)
        estimate = infiltration_length(first, 1.0)
        found.append(estimate)
        truth.append(length)
    assert np.mean([abs(f.value / t - 1) <= 0.2 for f, t in zip(found, truth)]) >= 0.8
    assert np.mean([f.low <= t <= f.high for f, t in zip(found, truth)]) >= 0.9


def test_units_follow_the_pixel_size_and_the_days() -> None:
    first, second, days, *_ = pair(230)
    one, other = fit_two_dates(first, second, days, 1.0), fit_two_dates(first, second, 2 * days, 0.5)
    assert other.length.value == pytest.approx(one.length.value / 2, rel=0.02)
    assert other.rate.value == pytest.approx(one.rate.value / 2, rel=0.02)
    assert other.diffusion.value == pytest.approx(one.diffusion.value / 8, rel=0.03)


def test_the_forecast_meets_the_tumour_that_went_on_growing() -> None:
    first, second, days, length, rate = pair(231)
    fit = fit_two_dates(first, second, days, 1.0)
    frames, areas = forecast(second, fit, days, 1.0, n_frames=4)
    assert frames.shape == (5, SIDE, SIDE)
    assert areas.shape == (5, 3)
    assert bool((np.diff(areas[:, 0]) > 0).all())
    radius = np.sqrt(areas[[0, -1]] / np.pi)
    moved = 2 * length * rate * days
    assert radius[1, 1] - radius[0, 0] < moved < 1.15 * (radius[1, 2] - radius[0, 0])


def test_what_does_not_identify_the_growth_is_refused_in_one_sentence() -> None:
    first, second, days, *_ = pair(232)
    with pytest.raises(InputError, match="less than a pixel"):
        fit_two_dates(first, first, days, 1.0)
    with pytest.raises(InputError, match="days"):
        fit_two_dates(first, second, 0.0, 1.0)
    with pytest.raises(InputError, match="spacing"):
        infiltration_length(first, float("nan"))
    with pytest.raises(InputError, match="one grid"):
        fit_two_dates(first, Outlines(second.wide[1:], second.dense[1:]), days, 1.0)
    with pytest.raises(InputError, match="inner"):
        Outlines(first.dense, first.wide)
    with pytest.raises(InputError, match="empty"):
        Outlines(first.wide, np.zeros_like(first.wide))
    tiny = np.zeros_like(first.wide)
    tiny[SIDE // 2, SIDE // 2] = True
    with pytest.raises(InputError, match="second date"):
        infiltration_length(Outlines(first.wide, tiny), 1.0)
