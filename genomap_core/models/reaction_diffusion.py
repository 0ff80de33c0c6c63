"""Tumour growth as Fisher-KPP, ``u_t = div(D grad u) + rho u (1 - u)``, on a grid without flux through its borders.

Both variants are means with weights that are not negative: the density stays between its extremes.

Plain differentiable functions of tensors. ``u`` is the density in units of the carrying capacity, in [0, 1]. Diffusion
is in flux form with the harmonic mean of D on every face between two cells, so that it moves mass and makes none
(Patankar, *Numerical Heat Transfer and Fluid Flow*, 1980).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from genomap_core.errors import InputError

_N_TERMS = 18  # of the exponential of a number up to 1, in double precision
_NEGLIGIBLE = 1e-25  # products of less are below float32's normal numbers, which are slow
_GAMMA = 1 - 1 / math.sqrt(2)
LARGEST_STEP = 1.0
"""Largest D h / dx^2 of a step where D varies: up to ``1 / (2 - 4 gamma)`` = 1.207 no weight is negative."""


def implicit_diffusion(
    down: Tensor, right: Tensor, shape: torch.Size | tuple[int, ...], h: float, spacing: tuple[float, float]
) -> Callable[[Tensor], Tensor]:
    """The map ``u(t) -> u(t + h)`` of ``(B, H, W)``.

    ``down`` and ``right`` are D on the faces, or ``(B, 1, 1)`` where D is one number a sample: then the discrete
    equation is solved exactly, one exponential for each direction. Else directions are solved in turn: half a step
    along the rows, one along the columns, half a step along the rows (Strang, 1968), with an error of order h^2.
    """
    if right.shape[1:] == (1, 1):
        columns = diffusion_exponential(down, int(shape[1]), h, spacing[0])
        square = shape[1] == shape[2] and spacing[0] == spacing[1] and down is right
        rows = columns if square else diffusion_exponential(right, int(shape[2]), h, spacing[1])
        return lambda u: columns @ u @ rows
    along_rows = implicit_line(right * (h / 2 / spacing[1] ** 2))
    along_columns = implicit_line(down.transpose(1, 2) * (h / spacing[0] ** 2))

    def diffuse(u: Tensor) -> Tensor:
        u = along_columns(along_rows(u).transpose(1, 2)).transpose(1, 2)
        return along_rows(u)

    return diffuse


def diffusion_exponential(diffusion: Tensor, n: int, h: float, spacing: float) -> Tensor:
    """``exp(h D L)`` of the discrete Laplacian L on a line of ``n`` cells: ``(B, 1, 1)`` -> ``(B, n, n)``, symmetric.

    By uniformisation (Jensen, 1953) with scaling and squaring: sums and products of numbers that are not negative, so
    that even the smallest entry is right. An error of rounding size ahead of a front would grow with exp(rho t).
    """
    z = h / spacing**2 * diffusion
    halvings = max(0, math.ceil(math.log2(max(float(z.detach().max()), 1e-12))))
    z = z / 2**halvings
    hop = torch.diag(torch.ones(n - 1, dtype=z.dtype, device=z.device), 1)
    hop = hop + hop.T
    hop[0, 0] = hop[-1, -1] = 1  # what would leave stays
    if n == 1:
        hop.fill_(2)
    powers = [torch.eye(n, dtype=z.dtype, device=z.device)]
    for k in range(1, _N_TERMS):
        powers.append(powers[-1] @ hop / k)
    exponents = torch.arange(_N_TERMS, dtype=z.dtype, device=z.device)
    total = ((z.view(-1, 1) ** exponents) @ torch.stack(powers).flatten(1)).view(-1, n, n)
    total = total * torch.exp(-2 * z)
    for _ in range(halvings):
        total = total @ total
    return torch.where(total > _NEGLIGIBLE, total, 0)


def implicit_line(faces: Tensor) -> Callable[[Tensor], Tensor]:
    """One step along the last axis with ``faces`` = D h / dx^2: ``(I - g A)^-2 (I + (1 - 2 g) A) u``, g = 1 - 1/sqrt 2.

    The singly diagonally implicit Runge-Kutta method of order 2 (Alexander, 1977), which damps what is stiff.
    """
    solve = tridiagonal_solver(_GAMMA * faces)
    explicit = (1 - 2 * _GAMMA) * faces

    def step(u: Tensor) -> Tensor:
        flux = F.pad(explicit * u.diff(dim=-1), (1, 1))
        return solve(solve(u + flux.diff(dim=-1)))

    return step


def tridiagonal_solver(faces: Tensor) -> Callable[[Tensor], Tensor]:
    """Solve ``(I - A) x = d`` along the last axis, A the diffusion with these dimensionless D on the faces.

    Parallel cyclic reduction (Hockney, 1965): ``log2 n`` rounds on whole tensors, stable because the matrix is
    diagonally dominant. ``faces`` is ``(B, R, n - 1)``, the right-hand sides ``(B, R, n)``.
    """
    lower, upper = F.pad(-faces, (1, 0)), F.pad(-faces, (0, 1))
    diagonal = 1 - lower - upper
    n = diagonal.shape[-1]
    rounds: list[tuple[int, Tensor, Tensor]] = []
    stride = 1
    while stride < n:
        left = -lower / _shift(diagonal, stride, 1.0)
        right = -upper / _shift(diagonal, -stride, 1.0)
        diagonal = diagonal + left * _shift(upper, stride) + right * _shift(lower, -stride)
        lower, upper = left * _shift(lower, stride), right * _shift(upper, -stride)
        rounds.append((stride, left, right))
        stride *= 2

    def solve(d: Tensor) -> Tensor:
        for s, left, right in rounds:
            d = d + left * _shift(d, s) + right * _shift(d, -s)
        return d / diagonal

    return solve


def _shift(x: Tensor, by: int, fill: float = 0.0) -> Tensor:
    """``x`` moved along its last axis: ``out[i] = x[i - by]``, ``fill`` where nothing comes from."""
    if by > 0:
        return F.pad(x[..., :-by], (by, 0), value=fill)
    return F.pad(x[..., -by:], (0, -by), value=fill)


METHODS = ("explicit", "implicit")
Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class GrowthScheme:
    """How the equation is stepped through time."""

    n_steps: int = 20
    """Frames after the first one; also called K."""
    dt: float = 1.0
    """Time from frame to frame, in the unit of 1 / rho."""
    spacing: tuple[float, float] = (1.0, 1.0)
    """Height and width of a cell, in the unit of length of D."""
    method: str = "implicit"
    """``implicit``: exact growth and implicit diffusion in turn, order 2, with as many sub-steps as an error below 0.01
    needs. ``explicit``: Euler with as many as stability needs; off by up to 0.2."""
    max_diffusion: float = 0.25
    """Upper end of D: with ``max_rate`` it decides the number of sub-steps."""
    max_rate: float = 0.5
    refine: int = 1
    """Multiplies the number of sub-steps: more accuracy, more time."""
    checkpointing: bool = True
    """Keep only some frames for the backward pass and compute the others again."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"`method` must be one of {', '.join(METHODS)}, got {self.method!r}.")
        if self.n_steps < 0 or self.refine < 1:
            raise InputError(f"`n_steps` must be >= 0 and `refine` >= 1, got {self.n_steps} and {self.refine}.")
        if not self.dt > 0 or not all(s > 0 and math.isfinite(s) for s in self.spacing):
            raise InputError(f"`dt` and `spacing` must be positive, got {self.dt} and {self.spacing}.")
        if not 0 <= self.max_diffusion < math.inf or not 0 <= self.max_rate < math.inf:
            raise InputError("`max_diffusion` and `max_rate` must be finite and >= 0.")

    @property
    def n_substeps(self) -> int:
        """Sub-steps of one step where D varies from cell to cell."""
        return self.substeps(varies=True)

    def substeps(self, *, varies: bool) -> int:
        """Sub-steps of one step, D being a map (``varies``) or one number a sample.

        Explicit: the fewest with ``D h (1/dx^2 + 1/dy^2) <= 1/2`` and ``rho h <= 1``. On square cells the first is
        ``D h / dx^2 <= 1/4``. Then a diffusion sub-step is a mean of neighbours and the logistic sub-step a monotone
        map of [0, 1] on itself: the density never leaves [0, 1].

        Implicit: the fewest with ``rho h <= 1/6`` and, where D varies, ``D h / dx^2 <= 1``, up to which its diffusion
        is a mean with positive weights too. Together they keep the density within 0.01 of the equation in time.
        """
        if self.method == "implicit":
            finest = max(1 / s**2 for s in self.spacing)
            needed = max(self.max_diffusion * finest / LARGEST_STEP if varies else 0.0, 6 * self.max_rate)
        else:
            needed = max(2 * self.max_diffusion * sum(1 / s**2 for s in self.spacing), self.max_rate)
        return self.refine * max(1, math.ceil(needed * self.dt - 1e-9))


def grow(u0: Tensor, diffusion: Tensor, rate: Tensor, scheme: GrowthScheme = GrowthScheme()) -> Tensor:
    """Every frame of the growth that starts at ``u0``; arguments are checked.

    Parameters
    ----------
    u0
        ``(B, H, W)`` in [0, 1].
    diffusion, rate
        D and rho, ``(B, 1, 1)`` or ``(B, H, W)``, in [0, ``scheme.max_diffusion``] and [0, ``scheme.max_rate``].

    Returns
    -------
    ``(B, n_steps + 1, H, W)``, the first frame being ``u0``.

    Raises
    ------
    InputError
        For shapes or values outside of those.
    """
    if u0.ndim != 3:
        raise InputError(f"`u0` must be (batch, height, width), got {tuple(u0.shape)}.")
    _check_range("u0", u0, 1.0)
    for name, field, most in (("diffusion", diffusion, scheme.max_diffusion), ("rate", rate, scheme.max_rate)):
        if tuple(field.shape) not in (tuple(u0.shape), (len(u0), 1, 1)):
            raise InputError(f"`{name}` must be {tuple(u0.shape)} or {(len(u0), 1, 1)}, got {tuple(field.shape)}.")
        _check_range(name, field, most)
    return evolve(u0, diffusion, rate, scheme)


def evolve(u0: Tensor, diffusion: Tensor, rate: Tensor, scheme: GrowthScheme) -> Tensor:
    """:func:`grow` without its checks, for values that are in range by construction."""
    if scheme.n_steps == 0:
        return u0[:, None]
    if not (scheme.checkpointing and torch.is_grad_enabled()):
        return torch.cat([u0[:, None], _run(u0, diffusion, rate, scheme, scheme.n_steps)], dim=1)
    pieces, u = [u0[:, None]], u0
    length = max(1, math.isqrt(scheme.n_steps))
    for start in range(0, scheme.n_steps, length):
        frames: Tensor = _Segment.apply(u, diffusion, rate, scheme, min(length, scheme.n_steps - start))
        pieces.append(frames)
        u = frames[:, -1]
    return torch.cat(pieces, dim=1)


class _Segment(torch.autograd.Function):
    """Some frames whose sub-steps are forgotten, and computed again on the way back.

    As ``torch.utils.checkpoint``, which imports the compiler: 3 s and 80 MB.
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, diffusion: Tensor, rate: Tensor, scheme: GrowthScheme, n_steps: int) -> Tensor:
        ctx.save_for_backward(u, diffusion, rate)
        ctx.scheme, ctx.n_steps = scheme, n_steps
        return _run(u, diffusion, rate, scheme, n_steps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        with torch.enable_grad():
            inputs = [t.detach().requires_grad_(n) for t, n in zip(ctx.saved_tensors, ctx.needs_input_grad)]
            frames = _run(inputs[0], inputs[1], inputs[2], ctx.scheme, ctx.n_steps)
        wanted = [t for t in inputs if t.requires_grad]
        found = iter(torch.autograd.grad(frames, wanted, gradients))
        return (*(next(found) if t.requires_grad else None for t in inputs), None, None)


def _run(u: Tensor, diffusion: Tensor, rate: Tensor, scheme: GrowthScheme, n_steps: int) -> Tensor:
    """The next ``n_steps`` frames: ``(B, n_steps, H, W)``."""
    n = scheme.substeps(varies=diffusion.shape[1:] != (1, 1))
    step = (_implicit_step if scheme.method == "implicit" else _explicit_step)(u, diffusion, rate, n, scheme)
    frames = []
    for _ in range(n_steps):
        u = step(u)
        frames.append(u)
    return torch.stack(frames, dim=1)


def face_diffusion(diffusion: Tensor, shape: torch.Size | tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Harmonic mean of D between neighbours: on ``(B, H - 1, W)`` and ``(B, H, W - 1)`` faces.

    A cell with D = 0 (skull, ventricle) lets nothing through. One number a sample stays one number.
    """
    if diffusion.shape[1:] == (1, 1):
        return diffusion, diffusion
    d = diffusion.expand(shape)
    tiny = torch.finfo(d.dtype).tiny
    down, right = (d[:, :-1], d[:, 1:]), (d[:, :, :-1], d[:, :, 1:])
    return tuple(2 * a * b / (a + b).clamp_min(tiny) for a, b in (down, right))  # type: ignore[return-value]


def divergence(u: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """``div(D grad u)`` of ``(B, H, W)`` from D / spacing^2 on the faces; sums to zero over the grid."""
    vertical = F.pad(down * (u[:, 1:] - u[:, :-1]), (0, 0, 1, 1))
    horizontal = F.pad(right * (u[:, :, 1:] - u[:, :, :-1]), (1, 1))
    return (vertical[:, 1:] - vertical[:, :-1]) + (horizontal[:, :, 1:] - horizontal[:, :, :-1])


def _explicit_step(u0: Tensor, diffusion: Tensor, rate: Tensor, n: int, scheme: GrowthScheme) -> Step:
    """Euler in ``n`` sub-steps: diffuse, then react on what diffused. Order 1 in time, 2 in space."""
    h = scheme.dt / n
    down, right = face_diffusion(diffusion, u0.shape)
    down, right = down * (h / scheme.spacing[0] ** 2), right * (h / scheme.spacing[1] ** 2)
    growth = rate * h

    def step(u: Tensor) -> Tensor:
        for _ in range(n):
            u = u + divergence(u, down, right)
            u = u + growth * u * (1 - u)
        return u

    return step


def _implicit_step(u0: Tensor, diffusion: Tensor, rate: Tensor, n: int, scheme: GrowthScheme) -> Step:
    """Strang splitting in ``n`` sub-steps: half of one's exact logistic growth, its diffusion, the other half.

    Two halves that meet are one whole.
    """
    h = scheme.dt / n
    down, right = face_diffusion(diffusion, u0.shape)
    diffuse = implicit_diffusion(down, right, u0.shape, h, scheme.spacing)
    half, whole = torch.exp(-rate * (h / 2)), torch.exp(-rate * h)

    def step(u: Tensor) -> Tensor:
        u = logistic(u, half)
        for _ in range(n - 1):
            u = logistic(diffuse(u), whole)
        return logistic(diffuse(u), half)

    return step


def logistic(u: Tensor, decay: Tensor) -> Tensor:
    """Exact solution of ``u_t = rho u (1 - u)`` after a time t, with ``decay = exp(-rho t)``."""
    return u / (u + (1 - u) * decay)


def front_speed(diffusion: Tensor, rate: Tensor) -> Tensor:
    """Speed of the slowest travelling wave, ``2 sqrt(D rho)`` (Kolmogorov, Petrovsky, Piskunov, 1937)."""
    return 2 * torch.sqrt(diffusion * rate)


def _check_range(name: str, values: Tensor, most: float) -> None:
    low, high = (float(v) for v in torch.aminmax(values.detach()))
    if not (low >= -1e-6 and high <= most * (1 + 1e-5) + 1e-6):
        raise InputError(f"`{name}` must lie in [0, {most:g}], got values from {low:g} to {high:g}.")
