"""Diffusion over a time step: ``u_t = div(D grad u)`` without flux through the borders, to order 2 or exactly.

Both variants are means with weights that are not negative: the density stays between its extremes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

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
