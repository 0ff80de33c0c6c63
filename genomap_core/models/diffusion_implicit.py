"""Diffusion over a time step of any length: ``u_t = div(D grad u)`` without flux through the borders.

Both variants are means with positive weights, whatever the step: the density stays between its extremes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def implicit_diffusion(
    down: Tensor, right: Tensor, shape: torch.Size | tuple[int, ...], h: float, spacing: tuple[float, float]
) -> Callable[[Tensor], Tensor]:
    """The map ``u(t) -> u(t + h)`` of ``(B, H, W)``.

    ``down`` and ``right`` are D on the faces, or ``(B, 1, 1)`` where D is one number a sample: then the discrete
    equation is solved exactly by the cosine transform. Else each direction is solved by itself, implicitly (locally
    one-dimensional splitting; Yanenko, 1971), with an error of order h.

    The cosine transform rounds on the whole grid at once: ahead of a front, where the density is below the precision
    of its type (1e-8 in float32), noise of that size then grows with exp(rho t).
    """
    if right.shape[1:] == (1, 1):
        return _cosine_diffusion(right, int(shape[1]), int(shape[2]), h, spacing)
    rows = tridiagonal_solver(right * (h / spacing[1] ** 2))
    columns = tridiagonal_solver(down.transpose(1, 2) * (h / spacing[0] ** 2))

    def diffuse(u: Tensor) -> Tensor:
        u = columns(u.transpose(1, 2)).transpose(1, 2)
        return rows(u)

    return diffuse


def cosine_matrix(n: int, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Orthonormal DCT-II, ``(n, n)``: the eigenvectors of the discrete Laplacian without flux, as rows."""
    k = torch.arange(n, dtype=torch.float64)
    matrix = torch.cos(math.pi / n * torch.outer(k, k + 0.5)) * math.sqrt(2 / n)
    matrix[0] /= math.sqrt(2)
    return matrix.to(dtype=dtype, device=device)


def laplacian_eigenvalues(n: int, spacing: float) -> Tensor:
    """``(n,)`` float64, from 0 downwards."""
    k = torch.arange(n, dtype=torch.float64)
    return -(2 - 2 * torch.cos(math.pi * k / n)) / spacing**2


def _cosine_diffusion(
    diffusion: Tensor, height: int, width: int, h: float, spacing: tuple[float, float]
) -> Callable[[Tensor], Tensor]:
    options = {"dtype": diffusion.dtype, "device": diffusion.device}
    rows, columns = cosine_matrix(height, **options), cosine_matrix(width, **options)  # type: ignore[arg-type]
    eigenvalues = laplacian_eigenvalues(height, spacing[0])[:, None] + laplacian_eigenvalues(width, spacing[1])
    decay = torch.exp(h * diffusion * eigenvalues.to(diffusion))

    def diffuse(u: Tensor) -> Tensor:
        # Rounding leaves -1e-8 where nothing is; the reaction would let that grow below zero.
        return (rows.T @ ((rows @ u @ columns.T) * decay) @ columns).clamp(0, 1)

    return diffuse


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
