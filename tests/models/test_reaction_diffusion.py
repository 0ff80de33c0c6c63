"""The growth equation against solutions that are known without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.ndimage import gaussian_filter

from genomap_core.errors import InputError
from genomap_core.models.reaction_diffusion import GrowthScheme, evolve, front_speed, grow

D64 = torch.float64


def number(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1), value, dtype=D64)


def gaussian(shape: tuple[int, int], sigma: float, height: float = 0.5) -> torch.Tensor:
    y, x = (torch.arange(n, dtype=D64) - (n - 1) / 2 for n in shape)
    return height * torch.exp(-(y[:, None] ** 2 + x**2) / (2 * sigma**2))[None]


def variance(u: torch.Tensor) -> float:
    """Of the position along the last axis, the density as weights."""
    weights = u.sum(0) / u.sum()
    x = torch.arange(len(weights), dtype=D64)
    mean = (weights * x).sum()
    return float((weights * (x - mean) ** 2).sum())


def random_fields(seed: int, shape: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    u0, d, r = (torch.rand(shape, generator=g, dtype=D64) for _ in range(3))
    return u0, 0.01 + 0.5 * d, 0.3 * r


@pytest.mark.parametrize("method", ["explicit", "implicit"])
@pytest.mark.parametrize("as_map", [False, True])
def test_the_variance_of_a_gaussian_grows_by_two_d_t(method: str, as_map: bool) -> None:
    u0, d = gaussian((81, 81), 4.0), number(0.4)
    scheme = GrowthScheme(n_steps=40, method=method, max_diffusion=0.4, checkpointing=False)
    frames = grow(u0, d.expand(1, 81, 81) if as_map else d, number(0.0), scheme)
    assert variance(frames[0, -1]) - variance(u0[0]) == pytest.approx(2 * 0.4 * 40, rel=1e-3)


@pytest.mark.parametrize(("method", "tolerance"), [("explicit", 1e-2), ("implicit", 1e-12)])
def test_without_diffusion_every_cell_grows_logistically(method: str, tolerance: float) -> None:
    u0, rate = torch.tensor([[[0.01, 0.1, 0.5, 0.9]]], dtype=D64), 0.3
    frames = grow(
        u0, number(0.0), number(rate), GrowthScheme(n_steps=30, method=method, refine=20, checkpointing=False)
    )
    t = torch.arange(31, dtype=D64)[:, None, None]
    exact = 1 / (1 + (1 / u0 - 1) * torch.exp(-rate * t))
    torch.testing.assert_close(frames[0], exact, atol=tolerance, rtol=0)


@pytest.mark.parametrize("as_map", [False, True])
@pytest.mark.parametrize("length", [1.5, 3.0])
@pytest.mark.parametrize("rate", [0.15, 0.5])
def test_the_front_moves_with_twice_the_root_of_d_rho(length: float, rate: float, as_map: bool) -> None:
    """Within 3 % over the whole range of the network, the lattice's part (2 % at 1.5 cells) included."""
    # The slowest wave's own tail, exp(-x sqrt(rho / D)), so that its speed settles soon (Bramson, 1983).
    x = torch.arange(500, dtype=D64)[None, None] - 20
    u0, speed = torch.sigmoid(-x / length), 2 * length * rate
    n_steps = 2 * round(130 / speed)
    scheme = GrowthScheme(n_steps=n_steps, max_diffusion=4.5, max_rate=0.5, checkpointing=False)
    d = number(length**2 * rate)
    frames = evolve(u0, d.expand(u0.shape) if as_map else d, number(rate), scheme)[0, :, 0]
    position = frames.sum(1)
    found = float(position[-1] - position[n_steps // 2]) / (n_steps - n_steps // 2)
    assert found == pytest.approx(float(front_speed(d, number(rate))), rel=0.03)


@pytest.mark.parametrize("method", ["explicit", "implicit"])
def test_diffusion_moves_mass_and_makes_none(method: str) -> None:
    u0, d, _ = random_fields(3, (2, 17, 23))
    frames = grow(u0, d, torch.zeros(2, 1, 1, dtype=D64), GrowthScheme(n_steps=25, method=method, max_diffusion=0.51))
    torch.testing.assert_close(frames.sum((2, 3)), u0.sum((1, 2))[:, None].expand(2, 26), rtol=1e-12, atol=0)


def test_mass_grows_by_what_the_reaction_makes() -> None:
    u0, d, r = random_fields(4, (1, 12, 12))
    scheme = GrowthScheme(n_steps=1, method="explicit", max_diffusion=0.51, max_rate=0.3, dt=0.4)
    spread = grow(u0, d, torch.zeros_like(r), scheme)[:, -1]
    made = (scheme.dt / scheme.n_substeps * r * spread * (1 - spread)).sum()
    assert scheme.n_substeps == 1
    torch.testing.assert_close(grow(u0, d, r, scheme)[:, -1].sum(), u0.sum() + made)


def test_a_cell_that_does_not_diffuse_lets_nothing_through() -> None:
    u0, d = torch.zeros(1, 9, 20, dtype=D64), torch.full((1, 9, 20), 0.25, dtype=D64)
    u0[:, :, :8] = 1
    d[:, :, 10] = 0
    for method in ("explicit", "implicit"):
        last = grow(u0, d, number(0.4), GrowthScheme(n_steps=200, method=method))[0, -1]
        assert float(last[:, 11:].abs().max()) == 0.0
        assert float(last[:, :10].min()) > 0.99


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    method=st.sampled_from(["explicit", "implicit"]),
    as_map=st.booleans(),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    spacing=st.tuples(st.floats(0.3, 3), st.floats(0.3, 3)),
    most=st.tuples(st.floats(0, 5), st.floats(0, 4)),
    dt=st.floats(0.1, 3),
)
def test_the_density_never_leaves_zero_to_one(seed, method, as_map, shape, spacing, most, dt) -> None:
    g = torch.Generator().manual_seed(seed)
    u0 = (torch.rand(2, *shape, generator=g, dtype=D64) > 0.5).to(D64)
    sides = shape if as_map else (1, 1)
    d, r = (m * torch.rand(2, *sides, generator=g, dtype=D64) for m in most)
    scheme = GrowthScheme(
        n_steps=4, dt=dt, spacing=spacing, method=method, max_diffusion=most[0], max_rate=most[1], checkpointing=False
    )
    frames = grow(u0, d, r, scheme)
    assert float(frames.min()) >= -1e-9
    assert float(frames.max()) <= 1 + 1e-9


@pytest.mark.parametrize("method", ["explicit", "implicit"])
@pytest.mark.parametrize("as_map", [False, True])
def test_gradients_agree_with_finite_differences(method: str, as_map: bool) -> None:
    u0, d, r = random_fields(5, (2, 3, 4))
    if not as_map:
        d, r = d[:, :1, :1], r[:, :1, :1]
    scheme = GrowthScheme(n_steps=3, method=method, max_diffusion=0.51, max_rate=0.3, checkpointing=False)
    arguments = tuple(v.clone().requires_grad_() for v in (0.1 + 0.8 * u0, d, r))
    assert torch.autograd.gradcheck(lambda *a: evolve(*a, scheme), arguments)


@pytest.mark.parametrize("method", ["explicit", "implicit"])
def test_computing_frames_again_gives_the_same_gradients(method: str) -> None:
    grads = []
    for checkpointing in (False, True):
        u0, d, r = (v.requires_grad_() for v in random_fields(6, (1, 8, 8)))
        scheme = GrowthScheme(n_steps=11, method=method, max_diffusion=0.51, checkpointing=checkpointing)
        evolve(u0, d, r, scheme).square().sum().backward()
        grads.append(torch.stack([v.grad for v in (u0, d, r)]))
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-10, atol=1e-12)


def reference(u0: np.ndarray, d: np.ndarray, rate: np.ndarray, spacing: tuple[float, float], t: float) -> np.ndarray:
    """Independent: dense finite-volume matrix cell by cell, integrated by SciPy's implicit Runge-Kutta."""
    h, w = u0.shape
    matrix = np.zeros((h * w, h * w))
    for i in range(h):
        for j in range(w):
            for (a, b), step in ((((i + 1), j), spacing[0]), ((i, j + 1), spacing[1])):
                if a < h and b < w:
                    p, q = i * w + j, a * w + b
                    flux = 2 / (1 / d[i, j] + 1 / d[a, b]) / step**2
                    matrix[p, q] += flux
                    matrix[q, p] += flux
                    matrix[p, p] -= flux
                    matrix[q, q] -= flux
    r = rate.ravel()
    solution = solve_ivp(
        lambda _, u: matrix @ u + r * u * (1 - u), (0, t), u0.ravel(), method="Radau", rtol=1e-8, atol=1e-10
    )
    return solution.y[:, -1].reshape(h, w)


@pytest.mark.parametrize(("method", "refine"), [("explicit", 20), ("implicit", 4)])
def test_agrees_with_scipy_on_varying_fields(method: str, refine: int) -> None:
    (u0,), (d,), (r,) = (v.numpy() for v in random_fields(7, (1, 10, 13)))
    spacing = (1.3, 0.8)
    want = reference(u0, d, r, spacing, 8.0)
    scheme = GrowthScheme(
        n_steps=8, spacing=spacing, method=method, max_diffusion=0.51, max_rate=0.3, refine=refine, checkpointing=False
    )
    got = grow(*(torch.from_numpy(v)[None] for v in (u0, d, r)), scheme)[0, -1].numpy()
    np.testing.assert_allclose(got, want, atol=1e-3)


DIFFUSION, RATE = (1.5**2 * 0.15, 3.0**2 * 0.5), (0.15, 0.5)  # of PhysNet


def network_fields(kind: str, shape: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A small tumour, and D and rho within PhysNet's ranges."""
    rng = np.random.default_rng([seed, *shape])
    d, r = np.full(shape, DIFFUSION[1]), np.full(shape, RATE[1])
    if kind == "one number":
        d, r = (np.full(shape, low * (high / low) ** rng.random()) for low, high in (DIFFUSION, RATE))
    elif kind == "every cell its own":
        d, r = (low * (high / low) ** rng.random(shape) for low, high in (DIFFUSION, RATE))
    elif kind == "two tissues":
        d[gaussian_filter(rng.normal(size=shape), 2) > 0] = DIFFUSION[0]
    elif kind == "walls":
        d[gaussian_filter(rng.normal(size=shape), 2) > 0.15] = 1e-12
    y, x = np.mgrid[: shape[0], : shape[1]]
    u0 = np.clip(2 - np.hypot(y - shape[0] // 2, x - shape[1] // 3), 0, 1)
    return u0, d, r


@pytest.mark.parametrize("kind", ["one number", "largest", "two tissues", "walls", "every cell its own"])
@pytest.mark.parametrize("shape", [(1, 64), (18, 22)])
@pytest.mark.parametrize("t", [1, 4, 10])
def test_the_default_step_keeps_the_density_within_a_hundredth_of_scipy(kind: str, shape, t: int) -> None:
    scheme = GrowthScheme(n_steps=t, max_diffusion=DIFFUSION[1], max_rate=RATE[1], checkpointing=False)
    for seed in range(2):
        u0, d, r = network_fields(kind, shape, seed)
        want = reference(u0, d, r, (1, 1), float(t))
        tensors = [torch.from_numpy(v)[None] for v in (u0, d, r)]
        if kind in ("one number", "largest"):
            tensors[1:] = [v[:, :1, :1] for v in tensors[1:]]
        got = evolve(*tensors, scheme)
        np.testing.assert_allclose(got[0, -1].numpy(), want, atol=0.01)


def test_large_steps_with_one_diffusion_agree_with_scipy() -> None:
    u0 = random_fields(8, (1, 10, 12))[0]
    want = reference(u0[0].numpy(), np.full((10, 12), 0.7), np.full((10, 12), 0.1), (1, 1), 20.0)
    scheme = GrowthScheme(n_steps=20, dt=1.0, method="implicit", max_diffusion=0.7, refine=2)
    np.testing.assert_allclose(grow(u0, number(0.7), number(0.1), scheme)[0, -1].numpy(), want, atol=1e-3)


@pytest.mark.parametrize(
    ("method", "as_map", "order"), [("explicit", True, 1), ("implicit", True, 2), ("implicit", False, 2)]
)
def test_the_order_of_convergence_in_time(method: str, as_map: bool, order: int) -> None:
    u0, d, r = random_fields(9, (1, 8, 8))
    if not as_map:
        d, r = d[:, :1, :1], r[:, :1, :1]

    def last(refine: int) -> torch.Tensor:
        scheme = GrowthScheme(
            n_steps=2, method=method, max_diffusion=0.51, max_rate=0.3, refine=refine, checkpointing=False
        )
        return evolve(u0, d, r, scheme)[:, -1]

    truth = last(1600 if order == 1 else 400)
    errors = [float((last(n) - truth).abs().max()) for n in (10, 20)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


def test_the_order_of_convergence_in_space_is_two() -> None:
    """A cosine without flux decays as exp(-D k^2 t) in the continuum."""
    errors = []
    for n in (16, 32):
        x = (torch.arange(n, dtype=D64) + 0.5) / n
        u0 = (0.5 + 0.4 * torch.cos(torch.pi * x))[None, None]
        scheme = GrowthScheme(n_steps=1, dt=0.1, spacing=(1.0, 1 / n), method="implicit", max_diffusion=1.0)
        got = grow(u0, number(1.0), number(0.0), scheme)[0, -1]
        errors.append(float((got - 0.5 - 0.4 * torch.cos(torch.pi * x) * np.exp(-(np.pi**2) * 0.1)).abs().max()))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.1)


def test_sub_steps_follow_from_the_bounds() -> None:
    def explicit(diffusion: float, rate: float = 0.5, **options) -> int:
        return GrowthScheme(method="explicit", max_diffusion=diffusion, max_rate=rate, **options).n_substeps

    assert explicit(0.25, 1.0) == 1
    assert explicit(0.26, 1.0) == 2
    assert explicit(0.25, 3.5) == 4
    assert explicit(0.25, spacing=(0.5, 0.5)) == 4
    assert GrowthScheme(max_diffusion=40.0, max_rate=0.25).substeps(varies=False) == 2
    assert GrowthScheme(max_diffusion=40.0, max_rate=0.25).n_substeps == 40


def test_no_steps_give_the_first_frame_only() -> None:
    u0 = random_fields(1, (2, 5, 6))[0]
    torch.testing.assert_close(grow(u0, *(torch.zeros(2, 1, 1, dtype=D64),) * 2, GrowthScheme(n_steps=0)), u0[:, None])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spacing": (0.0, 1.0)}, "spacing"),
        ({"spacing": (float("nan"), 1.0)}, "spacing"),
        ({"dt": 0.0}, "dt"),
        ({"n_steps": -1}, "n_steps"),
        ({"method": "magic"}, "method"),
        ({"max_diffusion": float("inf")}, "max_diffusion"),
    ],
)
def test_an_impossible_scheme_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        GrowthScheme(**options)


def test_values_out_of_range_are_refused() -> None:
    u0 = torch.full((1, 4, 4), 0.5, dtype=D64)
    with pytest.raises(InputError, match=r"diffusion.*0\.25"):
        grow(u0, number(0.3), number(0.1))
    with pytest.raises(InputError, match="u0"):
        grow(u0 * 3, number(0.1), number(0.1))
    with pytest.raises(InputError, match="u0"):
        grow(u0 * float("nan"), number(0.1), number(0.1))
    with pytest.raises(InputError, match=r"rate.*must be"):
        grow(u0, number(0.1), torch.ones(1, 3, 3, dtype=D64))
