"""Annealing one board: blurred sweeps, exact sweeps with noise that fades, swaps; and the board it starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.layout.assignment import Lattice
from genomap_core.layout.board import Board, close_empty, make_board, open_empty
from genomap_core.layout.carve import carve
from genomap_core.layout.constraints import Constraints, owners
from genomap_core.layout.field import Kernels
from genomap_core.layout.lowrank import FeatureVectors
from genomap_core.layout.moves import Run, best_swaps, blur_sweep, lattice_sweep, swap_pass
from genomap_core.layout.problem import Arrangement, Problem
from genomap_core.layout.start import reference_points

SET_BOND = 0.7
"""Length of the extra dimension that features of one set share, where a feature's own vector has at most 1."""


SMALL = 100
"""Cells up to which swaps of any two are tried."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How much work is done.

    Parameters
    ----------
    radii
        Widths of the neighbourhood, in cells, of the blurred sweeps.
    sweeps
        Sweeps of the exact objective.
    side
        Root of the number of cells in one assignment.
    noise
        At the first exact sweep, in standard deviations of the costs; falls linearly to 0 at three quarters.
    swap_passes
        Passes of swaps at the end.
    restarts
        Independent tries, of which the best is kept.
    """

    radii: tuple[float, ...]
    sweeps: int
    side: int
    noise: float = 0.4
    swap_passes: int = 12
    restarts: int = 1

    @property
    def steps(self) -> int:
        """Reports of progress of one try."""
        return len(self.radii) + self.sweeps + 1


def schedule(shape: tuple[int, int], effort: float = 1.0) -> Schedule:
    """More sweeps and larger windows where they cost little; ``effort`` multiplies the sweeps."""
    m = shape[0] * shape[1]
    small, middle = m <= 2500, m <= 10_000
    radii, radius = [], max(shape) / 6
    while radius >= 2:
        radii.append(radius)
        radius *= 0.6
    return Schedule(
        radii=tuple(radii),
        sweeps=max(1, round(effort * (15 if small else 10 if middle else 6))),
        side=12 if middle else 8,
        noise=0.4 if middle else 0.2,
        swap_passes=12 if small else 6,
        restarts=max(1, round(effort * min(16, 400 / m))),
    )


def seated(vectors: FeatureVectors, kernels: Kernels, problem: Problem, cells: np.ndarray) -> Board:
    """The board with every feature in its row-major cell ``(p,)``, pins held and a reference pulling."""
    board = make_board(vectors, kernels, problem.channel, cells, fixed=_pinned(problem))
    _anchor(board, problem)
    return board


def anneal(
    board: Board,
    vectors: FeatureVectors,
    plan: Schedule,
    problem: Problem,
    rng: np.random.Generator,
    trial: int = 0,
    run: Run = map,
) -> None:
    """Run the schedule on the board; gene sets are drawn together while it is coarse, then given their regions."""
    done, total = trial * plan.steps, plan.restarts * plan.steps
    owner = owners(problem.constraints, len(problem.channel))
    if problem.constraints.sets:
        _bond(board, owner)
    for radius in plan.radii:
        blur_sweep(board, radius, 8, rng, run=run)
        done = report(board, problem, done, total)
    if problem.constraints.sets:
        board.set_vectors(vectors)
        roomy = board.kernels.mean_apart is not None
        if roomy:
            open_empty(board)
        for layer in range(board.n_layers):
            carve(board, layer, np.where(problem.channel == layer, owner, -1), list(problem.constraints.sets))
        if roomy:
            close_empty(board)
    lattices = list(Lattice)
    for k in range(plan.sweeps):
        noise = plan.noise * max(0.0, 1 - k / (0.75 * plan.sweeps))
        lattice_sweep(board, lattices[k % 3], plan.side, rng, noise, run)
        done = report(board, problem, done, total)
    for layer in range(board.n_layers):
        far = board.far_field()
        for _ in range(plan.swap_passes):
            if not swap_pass(board, layer, far):
                break
        if board.seat.shape[1] <= SMALL:
            best_swaps(board, layer)
    report(board, problem, done, total)


def report(board: Board, problem: Problem, done: int, total: int) -> int:
    """Tell of the arrangement as it is; returns the steps done."""
    positions = np.stack(np.divmod(board.cell_of_feature(), board.shape[1]), axis=1).astype(np.int32)
    problem.on_progress(Arrangement("layout", done + 1, total, positions=positions))
    return done + 1


def _pinned(problem: Problem) -> np.ndarray | None:
    pins = problem.constraints.pins
    if not pins:
        return None
    fixed = np.zeros(len(problem.channel), bool)
    fixed[list(pins)] = True
    return fixed


def _bond(board: Board, owner: np.ndarray) -> None:
    """One more dimension per set, shared by its features, so that the objective draws them together."""
    extra = np.zeros((board.n_features + 1, int(owner.max(initial=-1)) + 1), np.float32)
    inside = np.flatnonzero(owner >= 0)
    extra[inside, owner[inside]] = SET_BOND
    board.vectors = np.hstack([board.vectors, extra])
    board.signs = np.concatenate([board.signs, np.ones(extra.shape[1], np.float32)])
    board.signed = board.vectors * board.signs


def _anchor(board: Board, problem: Problem) -> None:
    """Linear cost: `stability` times the mean squared move, in units of the mean squared distance of random cells."""
    wishes: Constraints = problem.constraints
    if wishes.reference is None or wishes.stability == 0:
        return
    points = reference_points(wishes.reference, problem)
    known = np.isfinite(points[:, 0])
    height, width = board.shape
    unit = wishes.stability / (max(int(known.sum()), 1) * max((height**2 + width**2 - 2) / 6, 1))
    position = np.stack(np.divmod(np.arange(height * width), width), axis=1).astype(np.float32)
    board.push = np.column_stack([(position**2).sum(axis=1), position]).astype(np.float32)
    board.pull = np.zeros((board.n_features + 1, 3), np.float32)
    board.pull[:-1][known] = unit * np.column_stack([np.ones(int(known.sum())), -2 * points[known]])
