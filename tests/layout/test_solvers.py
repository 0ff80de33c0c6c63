"""Solvers: what they promise on planted answers and brute force."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from planted import factor_table, scrambled_picture

from genomap_core.errors import Cancelled, LayoutError
from genomap_core.layout import SOLVERS, make_layout
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.quality import measure


@pytest.fixture(scope="module")
def table():
    return factor_table()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", ["auto", (3, 17), (1, 40)])
def test_every_solver_gives_each_feature_its_own_cell_and_repeats_itself(solver, shape):
    X = factor_table(p=37)
    X[:, 5] = 3.0
    first, second = (make_layout(X, shape, solver=solver, random_state=4) for _ in range(2))
    assert len({tuple(cell) for cell in first.positions}) == 37
    assert (first.positions >= 0).all()
    assert (first.positions < first.shape).all()
    np.testing.assert_array_equal(first.positions, second.positions)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("p", [1, 2, 3])
def test_one_two_and_three_features_have_a_layout(solver, p):
    layout = make_layout(np.random.default_rng(0).normal(size=(9, p)), solver=solver)
    assert len({tuple(cell) for cell in layout.positions}) == p


def test_a_scrambled_picture_is_put_together_again():
    X, truth = scrambled_picture()
    layout = make_layout(X, (12, 12))
    true_distance = np.hypot(*(truth[:, None] - truth[None]).transpose(2, 0, 1))
    touching = np.abs(layout.positions[:, None] - layout.positions[None]).sum(-1) == 1
    assert np.median(true_distance[touching]) <= 2
    assert measure(FeatureTable(X), layout.positions).knn_recall > 0.5


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_on_six_cells_no_arrangement_of_all_720_has_a_lower_objective(seed, balance):
    """Brute force over the permutations of 2 x 3 cells; at balance 0 the objective is the distortion alone."""
    X = np.random.default_rng(seed).normal(size=(40, 3)) @ np.random.default_rng(seed + 9).normal(size=(3, 6))
    cells = np.array([(i, j) for i in range(2) for j in range(3)])
    C1 = 1 - np.corrcoef(X.T)

    def objective(positions):
        apart = np.sqrt(((positions[:, None] - positions[None]) ** 2).sum(-1))
        near = ((apart == 1) + 0.5 * ((apart > 1) & (apart < 1.5))) * (1 - C1)
        return (1 - balance) * distortion(C1, positions) - balance * 0.1 * near.sum() / 36

    ours = make_layout(X, (2, 3), balance=balance)
    every = min(objective(cells[list(s)]) for s in itertools.permutations(range(6)))
    assert objective(ours.positions) <= every + 1e-6
    assert ours.quality.gw_distortion == pytest.approx(distortion(C1, ours.positions), rel=1e-4)


def test_on_small_tables_distances_only_is_at_least_as_good_as_the_reference_solver():
    for seed in range(4):
        X = factor_table(n=60, p=30, factors=5, seed=seed)
        ours = make_layout(X, balance=0.0).quality.gw_distortion
        assert ours <= make_layout(X, solver="gromov").quality.gw_distortion + 1e-6


def distortion(C1, positions):
    """Square-loss Gromov-Wasserstein distortion of a permutation, straight from its definition."""
    C2 = np.sqrt(((positions[:, None] - positions[None]) ** 2).sum(-1))
    off = ~np.eye(len(C1), dtype=bool)
    return ((C1 / C1[off].mean() - C2 / C2[off].mean())[off] ** 2).mean()


def test_ot_reaches_the_reference_on_distortion_and_beats_it_on_neighbours(table):
    reference, ours = make_layout(table, solver="gromov").quality, make_layout(table).quality
    only_distances = make_layout(table, balance=0.0).quality
    assert only_distances.gw_distortion <= reference.gw_distortion + 0.001
    assert ours.neighbour_correlation >= reference.neighbour_correlation
    assert ours.gw_distortion <= reference.gw_distortion + 0.005


def test_the_trade_off_goes_from_distances_to_neighbourhoods(table):
    front = [make_layout(table, balance=b).quality for b in (0.0, 0.5, 0.95)]
    distortion, neighbours = [q.gw_distortion for q in front], [q.neighbour_correlation for q in front]
    assert distortion == sorted(distortion)
    assert neighbours == sorted(neighbours)
    assert neighbours[-1] > neighbours[0] + 0.1


def test_the_published_radial_objective_and_the_random_control_keep_few_neighbours(table):
    quality = {s: make_layout(table, solver=s).quality.neighbour_correlation for s in ("ot", "published", "random")}
    assert abs(quality["random"]) < 0.05
    assert quality["random"] < quality["published"] < quality["ot"] / 2


@pytest.mark.parametrize("distance", ["absolute", "spearman", "euclidean"])
def test_every_distance_is_laid_out_better_than_at_random(table, distance):
    ours, control = (make_layout(table, distance=distance, solver=s).quality for s in ("ot", "random"))
    assert ours.gw_distortion < control.gw_distortion
    assert ours.neighbour_correlation > control.neighbour_correlation + 0.1


def test_absolute_distance_brings_opposites_together_and_signed_keeps_them_apart():
    rng = np.random.default_rng(0)
    up = rng.normal(size=(300, 4)) @ np.kron(np.eye(4), np.ones((1, 32)))
    X = up * np.where(np.arange(128) % 2, 1, -1) + 0.3 * rng.normal(size=up.shape)
    signed, absolute = (make_layout(X, distance=d).positions for d in ("correlation", "absolute"))
    partner = np.arange(128) ^ 1
    apart = [np.hypot(*(at - at[partner]).T).mean() for at in (signed, absolute)]
    assert apart[1] < 0.7 * apart[0]


def test_omics_types_share_the_grid_and_correlated_features_of_two_types_lie_close():
    X = factor_table(p=100)
    twin = X + 0.1 * np.random.default_rng(9).normal(size=X.shape).astype(np.float32)
    layout = make_layout(np.hstack([X, twin]), channels=np.repeat([0, 1], 100))
    assert (layout.n_channels, layout.shape) == (2, (10, 10))
    apart = np.hypot(*(layout.positions[:100] - layout.positions[100:]).T)
    assert np.median(apart) <= 1.0


def test_progress_is_told_and_cancelling_stops(table):
    seen = []
    make_layout(table, on_progress=seen.append)
    assert [report.step for report in seen] == sorted(report.step for report in seen)
    assert len(seen) > 5
    for report in seen:
        assert len({tuple(cell) for cell in report.positions}) == 256

    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        make_layout(table, on_progress=stop)


def test_too_many_features_and_unknown_names_are_refused_with_a_remedy(table):
    with pytest.raises(LayoutError, match="at least 16 x 16"):
        make_layout(table, (15, 17))
    with pytest.raises(LayoutError, match="ot, gromov"):
        make_layout(table, solver="magic")
    with pytest.raises(LayoutError, match="channels"):
        make_layout(table, channels=[0, 1])
    with pytest.raises(LayoutError, match="balance"):
        make_layout(table, balance=2.0)
    with pytest.raises(LayoutError, match="memory_mb"):
        make_layout(table, memory_mb=0)
    with pytest.raises(LayoutError, match="effort"):
        make_layout(table, effort=0)


def test_layouts_import_no_torch_and_the_default_no_scikit_learn():
    code = (
        "import sys, numpy as np\n"
        "from genomap_core.layout import make_layout\n"
        "X = np.random.default_rng(0).normal(size=(20, 30))\n"
        "make_layout(X); assert 'sklearn' not in sys.modules\n"
        "make_layout(X, solver='gromov'); assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
