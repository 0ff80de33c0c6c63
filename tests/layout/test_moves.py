"""The optimiser's parts against brute force: fields, objective, and moves that never raise it."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from planted import factor_table

from genomap_core.layout.assignment import Lattice, coarse_assign, windows
from genomap_core.layout.board import make_board
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.field import CORNER, EDGE, NEAR_WEIGHT, Kernels
from genomap_core.layout.geometry import Grid, cell_distance
from genomap_core.layout.lowrank import feature_vectors
from genomap_core.layout.moves import best_swaps, blur_sweep, lattice_sweep, swap_pass


def random_board(balance=0.5, distance="correlation", p=100, shape=(11, 10), layers=1, seed=0):
    table = FeatureTable(factor_table(p=p, seed=seed), distance)
    vectors = feature_vectors(table, most=p, least=p)
    rng = np.random.default_rng(seed)
    channel = np.arange(p) % layers
    cells = np.empty(p, int)
    for code in range(layers):
        cells[channel == code] = rng.permutation(shape[0] * shape[1])[: (channel == code).sum()]
    kernels = Kernels(Grid(shape), vectors.mean_distance, p, balance)
    return table, make_board(vectors, kernels, channel, cells)


def brute_force_objective(table, board):
    """Distortion and mean neighbour correlation straight from their definitions, on all pairs."""
    C1, cells = table.matrix().astype(float), board.cell_of_feature()
    position = np.stack(np.divmod(cells, board.shape[1]), 1)
    D, off = cell_distance(position, position).astype(float), ~np.eye(len(C1), dtype=bool)
    all_cells = board.kernels.grid.positions
    every = cell_distance(all_cells, all_cells)
    mean2 = every.sum() / (len(every) * (len(every) - 1))
    gw = -2 * (C1[off] / C1[off].mean() * D[off] / mean2).mean()
    weight = np.where(D == 1, EDGE, np.where((D > 1) & (D < 1.5), CORNER, 0)) + EDGE * ((D == 0) & off)
    near = (weight * (1 - C1)).sum() / (6 * len(C1))
    return (1 - board.kernels.balance) * gw - board.kernels.balance * NEAR_WEIGHT * near


@pytest.mark.parametrize(("balance", "layers"), [(0.0, 1), (0.5, 1), (1.0, 1), (0.5, 2)])
def test_the_objective_is_distortion_and_neighbourhood_up_to_the_fixed_part(balance, layers):
    """Two arrangements: the difference of the fast objective is that of the definitions (the rest is constant)."""
    table, first = random_board(balance, layers=layers, seed=1)
    _, second = random_board(balance, layers=layers, seed=1)
    second.seat = np.stack([np.random.default_rng(5).permutation(layer) for layer in second.seat])
    fast = second.objective() - first.objective()
    C1, D = 1 - 0, 0
    truth = brute_force_objective(table, second) - brute_force_objective(table, first)
    spread = [cell_distance(*[np.stack(np.divmod(b.cell_of_feature(), 10), 1)] * 2).sum() for b in (first, second)]
    p, all_cells = 100, first.kernels.grid.positions
    every = cell_distance(all_cells, all_cells)
    mean2 = every.sum() / (len(every) * (len(every) - 1))
    held = -2 * (spread[1] - spread[0]) / (p * (p - 1) * mean2 * first.kernels.mean_distance)
    assert fast == pytest.approx(truth - (1 - balance) * held, abs=2e-6)
    assert (C1, D) == (1, 0)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("lattice", Lattice)
def test_lattice_sweeps_without_noise_never_raise_the_objective(balance, lattice):
    _, board = random_board(balance)
    before = board.objective()
    for seed in range(4):
        lattice_sweep(board, lattice, 8, np.random.default_rng(seed))
        after = board.objective()
        assert after <= before + 1e-7
        before = after


def test_swaps_lower_the_objective_until_none_is_left():
    _, board = random_board()
    before = board.objective()
    for _ in range(200):
        swaps = swap_pass(board, 0, board.far_field())
        after = board.objective()
        assert after <= before + 1e-7
        assert swaps == 0 or after < before
        before = after
        if not swaps:
            break
    assert swaps == 0
    for a, b in ((0, 1), (13, 24), (40, 51), (77, 78), (30, 32)):
        seat = board.seat.copy()
        board.seat[0, [a, b]] = board.seat[0, [b, a]]
        assert board.objective() >= before - 1e-7
        board.seat = seat


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_after_the_best_swaps_no_swap_of_any_two_cells_lowers_the_objective(balance):
    _, board = random_board(balance, p=28, shape=(5, 6), seed=4)
    board.zone[0, :3] = -1
    held, before = board.seat[0, :3].copy(), board.objective()
    assert best_swaps(board, 0) > 0
    lowest = board.objective()
    assert lowest < before
    np.testing.assert_array_equal(board.seat[0, :3], held)
    for a, b in itertools.combinations(range(3, 30), 2):
        board.seat[0, [a, b]] = board.seat[0, [b, a]]
        assert board.objective() >= lowest - 2e-5 * abs(lowest)
        board.seat[0, [a, b]] = board.seat[0, [b, a]]


def test_threads_change_nothing():
    boards = [random_board()[1] for _ in range(2)]
    with ThreadPoolExecutor(4) as threads:
        for board, run in zip(boards, (map, threads.map), strict=True):
            rng = np.random.default_rng(2)
            blur_sweep(board, 3.0, 4, rng, 0.2, run)
            lattice_sweep(board, Lattice.KNIGHT, 4, rng, 0.4, run)
    np.testing.assert_array_equal(boards[0].seat, boards[1].seat)


def test_every_move_keeps_each_feature_exactly_once_and_closed_cells_untouched():
    _, board = random_board(layers=2)
    closed = np.random.default_rng(3).random(board.zone.shape) < 0.2
    board.zone[closed] = -1
    before = board.seat.copy()
    rng = np.random.default_rng(0)
    blur_sweep(board, 3.0, 8, rng, noise=0.3)
    lattice_sweep(board, Lattice.KNIGHT, 8, rng, noise=0.3)
    for layer in (0, 1):
        swap_pass(board, layer, board.far_field())
        np.testing.assert_array_equal(np.sort(board.seat[layer]), np.sort(before[layer]))
    np.testing.assert_array_equal(board.seat[closed], before[closed])
    assert (board.seat != before).any()


def test_zones_are_never_left():
    _, board = random_board()
    board.zone[0] = np.arange(110) % 10 // 5
    left = set(board.seat[0][board.zone[0] == 0])
    lattice_sweep(board, Lattice.SQUARE, 8, np.random.default_rng(0), noise=0.5)
    swap_pass(board, 0, board.far_field())
    assert set(board.seat[0][board.zone[0] == 0]) == left


@pytest.mark.parametrize("lattice", Lattice)
def test_cells_of_one_colour_are_no_neighbours_and_three_lattices_reach_every_cell(lattice):
    rows, columns = np.divmod(np.arange(300), 20)
    colours = lattice.colours(rows, columns)
    D = cell_distance(np.stack([rows, columns], 1), np.stack([rows, columns], 1))
    assert D[(colours[:, None] == colours) & ~np.eye(300, dtype=bool)].min() >= 2
    assert len(set(colours)) == lattice.area


def test_windows_cover_the_cells_once_and_keep_to_one_label_and_tile():
    rng = np.random.default_rng(0)
    rows, columns, labels = rng.integers(0, 30, 200), rng.integers(0, 17, 200), rng.integers(0, 4, 200)
    groups = [g for same in windows(labels, rows, columns, 8, np.array([3, 5])) for g in same]
    cells = np.concatenate(groups)
    assert len(cells) == len(set(cells))
    for group in groups:
        assert len(set(labels[group])) == 1
        assert np.ptp(rows[group]) < 8
        assert np.ptp(columns[group]) < 8


def test_coarse_assignment_gives_each_point_its_own_cell_near_by_on_both_sides_of_the_limit():
    rng = np.random.default_rng(0)
    cells = np.stack(np.divmod(np.arange(900), 30), 1).astype(float)
    points = cells[rng.permutation(900)[:850]] + 0.1 * rng.normal(size=(850, 2))
    for limit in (100, 1000):
        chosen = coarse_assign(points, cells, limit)
        assert len(set(chosen)) == 850
        assert np.hypot(*(cells[chosen] - points).T).mean() < (1.5 if limit == 100 else 0.3)
