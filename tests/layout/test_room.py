"""Boards with room: the full objective over the cells that are taken, against brute force, POT and chance."""

import itertools

import numpy as np
import pytest
from planted import factor_table, real_table
from sklearn.datasets import load_breast_cancer

from genomap_core.layout import Constraints, make_layout
from genomap_core.layout.board import make_board
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.field import Kernels
from genomap_core.layout.geometry import Grid
from genomap_core.layout.lowrank import feature_vectors
from genomap_core.layout.quality import measure
from genomap_core.layout.roam import Roaming, likeness, roam


def terms(C1, positions):
    """Distortion and neighbour term of many arrangements ``(N, p, 2)``, straight from their definitions: ``(2, N)``."""
    i, j = np.triu_indices(len(C1), 1)
    square = ((positions[:, i] - positions[:, j]) ** 2).sum(-1)
    apart, c = np.sqrt(square), C1[i, j]
    gw = ((c / c.mean() - apart / apart.mean(axis=1, keepdims=True)) ** 2).mean(axis=1)
    near = ((square == 1) + 0.5 * (square == 2)) @ (1 - c)
    return np.stack([gw, near / (3 * len(C1))])


def small_boards():
    shapes = [(h, w) for h in range(1, 4) for w in range(h, 10) if h * w <= 9]
    return [(shape, p) for shape in shapes for p in range(2, shape[0] * shape[1] + 1)]


@pytest.mark.parametrize(("shape", "p"), small_boards())
def test_no_arrangement_on_any_board_of_up_to_nine_cells_is_better(shape, p):
    """Brute force over all m! / (m - p)! arrangements, empty cells included."""
    m = shape[0] * shape[1]
    cells = np.stack(np.divmod(np.arange(m), shape[1]), axis=1)
    orders = np.fromiter(itertools.chain.from_iterable(itertools.permutations(range(m), p)), np.int8).reshape(-1, p)
    rng = np.random.default_rng([p, *shape])
    X = rng.normal(size=(40, 3)) @ rng.normal(size=(3, p)) + 0.1 * rng.normal(size=(40, p))
    C1 = 1 - np.corrcoef(X.T)
    every = [terms(C1, cells[part]) for part in np.array_split(orders, -(-len(orders) // 40_000))]
    for balance in (0.0, 0.5, 1.0):
        weights = np.array([1 - balance, -0.1 * balance])
        lowest = min((weights @ part).min() for part in every)
        ours = make_layout(X, shape, balance=balance).positions.astype(int)
        assert weights @ terms(C1, ours[None])[:, 0] <= lowest + 1e-6


def test_features_of_a_clinical_table_use_the_room_of_ten_by_ten_cells():
    """A naive search reaches a distortion of .060; the best full board of 5 x 6 has .116, POT .118 on 10 x 10."""
    X = load_breast_cancer().data
    layout = make_layout(X, (10, 10))
    assert layout.quality.gw_distortion < 0.06
    assert layout.quality.neighbour_correlation > 0.75
    assert make_layout(X, (32, 32)).quality.gw_distortion < 0.06


@pytest.mark.parametrize(("p", "side"), [(30, 32), (306, 42), (100, 40)])
def test_much_room_never_makes_a_map_worse_than_a_full_board_let_alone_chance(p, side):
    X = factor_table(p=p)
    roomy, full = make_layout(X, (side, side)).quality, make_layout(X).quality
    control = make_layout(X, (side, side), solver="random").quality
    assert roomy.gw_distortion <= full.gw_distortion + 0.002
    assert roomy.gw_distortion < control.gw_distortion - 0.03


@pytest.mark.parametrize(
    ("p", "shape"),
    [(5, (3, 4)), (12, (5, 5)), (20, (4, 6)), (20, (8, 8)), (40, (9, 9)), (90, (12, 12)), (120, (15, 16))],
)
@pytest.mark.parametrize("seed", range(4))
def test_never_worse_than_pot_on_the_same_board(p, shape, seed):
    structured = seed < 2
    X = (
        factor_table(n=60, p=p, factors=5, seed=seed)
        if structured
        else np.random.default_rng(seed).normal(size=(30, p))
    )
    reference = make_layout(X, shape, solver="gromov").quality.gw_distortion
    for balance in (0.0, 0.5):
        assert make_layout(X, shape, balance=balance).quality.gw_distortion <= reference + 1e-6


@pytest.mark.parametrize(
    ("p", "shape"),
    [(13, (4, 4)), (30, (5, 6)), (30, (10, 10)), (60, (8, 9)), (110, (10, 11)), (256, (16, 16)), (300, (26, 26))],
)
def test_the_order_of_the_columns_does_not_matter(p, shape):
    X = factor_table(p=p, seed=3)
    found = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(p) if seed else np.arange(p)
        found.append(make_layout(X[:, order], shape).quality)
    assert np.ptp([q.gw_distortion for q in found]) < 0.002
    assert np.ptp([q.neighbour_correlation for q in found]) < 0.002


def board_with_room(layers=1, balance=0.5, movers=None):
    p = 40
    table, rng = FeatureTable(factor_table(p=p)), np.random.default_rng(1)
    vectors = feature_vectors(table, most=p, least=p)
    channel = np.arange(p) % layers
    cells = np.empty(p, int)
    for code in range(layers):
        cells[channel == code] = rng.permutation(56)[: (channel == code).sum()]
    board = make_board(vectors, Kernels(Grid((7, 8)), vectors.mean_distance, p, balance), channel, cells)
    return board, likeness(table, np.arange(p) if movers is None else np.flatnonzero(channel == movers), 1.0, channel)


@pytest.mark.parametrize(("layers", "movers"), [(1, None), (2, None), (2, 1)])
@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_the_gain_of_a_move_is_the_change_of_the_objective(layers, movers, balance):
    board, alike = board_with_room(layers, balance, movers)
    board.pull = np.vstack([np.random.default_rng(3).normal(size=(40, 2)), np.zeros((1, 2))]).astype(np.float32) * 1e-3
    board.push = np.random.default_rng(4).normal(size=(56, 2)).astype(np.float32)
    state, rng = Roaming(board, alike), np.random.default_rng(2)
    swaps = 0
    for _ in range(30):
        feature, to = int(rng.choice(alike.movers)), int(rng.integers(56))
        if to == state.cells[feature]:
            continue
        swaps += int(board.seat[alike.channel[feature], to] < 40)
        before, gain = state.objective(), state.gains(feature)[to]
        state.move(feature, to)
        assert state.objective() - before == pytest.approx(gain, abs=2e-6)
        assert Roaming(board, alike).objective() - before == pytest.approx(gain, abs=2e-6)
    assert swaps > 2


def test_roaming_lowers_the_objective_and_keeps_closed_cells_zones_and_features():
    board, alike = board_with_room()
    board.zone[0, :10], board.zone[0, 30:] = -1, 1
    before, seats = Roaming(board, alike).objective(), board.seat.copy()
    after = roam(Roaming(board, alike), np.random.default_rng(0), np.arange(40))
    assert after < before - 0.01
    np.testing.assert_array_equal(board.seat[0, :10], seats[0, :10])
    for part in (slice(10, 30), slice(30, None)):
        np.testing.assert_array_equal(np.sort(board.seat[0, part]), np.sort(seats[0, part]))


def test_small_types_of_a_stack_are_laid_out_for_their_own_sake_too():
    """Few features beside many that they hardly correlate with: they once fled to the rim, worse than at random."""
    rng = np.random.default_rng(5)
    many, few = factor_table(n=80, p=600, seed=1), factor_table(n=80, p=90, factors=6, seed=2)
    few += 0.5 * rng.normal(size=few.shape).astype(np.float32)
    X, codes = np.hstack([many, few]), np.repeat([0, 1], [600, 90])
    stacked, control = (make_layout(X, (25, 25), channels=codes, solver=solver) for solver in ("ot", "random"))
    own = [measure(FeatureTable(few), at.positions[codes == 1]).gw_distortion for at in (stacked, control)]
    alone = make_layout(few, (25, 25)).quality.gw_distortion
    assert own[0] < own[1] - 0.02
    assert own[0] < alone + 0.04
    assert stacked.quality.gw_distortion < control.quality.gw_distortion - 0.03
    assert len({(*cell, code) for cell, code in zip(stacked.positions.tolist(), codes.tolist())}) == 690


@pytest.mark.slow
@pytest.mark.shared
def test_mutations_beside_expression_of_glioblastoma():
    """1,740 genes, 306 mutations and 24 copy numbers on 42 x 42: mutations had .304, at random .276, alone .231."""
    X, names, _ = real_table("mo_gbm_icluster_verhaak")
    kinds = np.array([name.split(":")[0].split("__")[0].split("_")[0] for name in names])
    mutations = kinds == "mut"
    layout = make_layout(X, channels=np.unique(kinds, return_inverse=True)[1])
    assert layout.shape == (42, 42)
    assert measure(FeatureTable(X[:, mutations]), layout.positions[mutations]).gw_distortion < 0.22
    assert layout.quality.gw_distortion < 0.134
    assert make_layout(X[:, mutations], (42, 42)).quality.gw_distortion < 0.188


def test_pins_sets_masks_and_a_reference_are_kept_where_cells_stay_empty():
    X = factor_table(p=60)
    members = list(range(20, 32))
    layout = make_layout(X, (14, 14), constraints=Constraints(pins={3: (0, 0), 7: (13, 13)}, sets={"A": members}))
    assert tuple(layout.positions[3]) == (0, 0)
    assert tuple(layout.positions[7]) == (13, 13)
    inside = {tuple(cell) for cell in layout.positions[members].tolist()}
    seen, border = set(), [next(iter(inside))]
    while border:
        row, column = border.pop()
        seen.add((row, column))
        around = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)}
        border += list((around & inside) - seen)
    assert seen == inside
    free = make_layout(X, (14, 14))
    again = make_layout(X, (14, 14), constraints=Constraints(reference=free, stability=10.0))
    np.testing.assert_array_equal(again.positions, free.positions)
    mask = np.add.outer(np.arange(14), np.arange(14)) < 14
    masked = make_layout(X, constraints=Constraints(mask=mask))
    assert mask[tuple(masked.positions.T)].all()
    assert masked.quality.gw_distortion < make_layout(X).quality.gw_distortion + 0.005


def test_a_board_too_large_to_roam_is_filled_as_one_block():
    X = factor_table(n=60, p=2200)
    roomy, full = make_layout(X, (62, 62), effort=0.3), make_layout(X, effort=0.3)
    assert roomy.quality.gw_distortion <= full.quality.gw_distortion + 0.003
    assert len({tuple(cell) for cell in roomy.positions}) == 2200


def test_progress_on_a_board_with_room_rises_to_its_end():
    seen = []
    make_layout(factor_table(p=40), (9, 9), on_progress=seen.append)
    assert [report.step for report in seen] == sorted(report.step for report in seen)
    assert seen[-1].step == seen[-1].total
