"""What another half of the cohort would draw, and affinities averaged over resamples that make it draw more of it."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
from planted import factor_table, scrambled_picture

from genomap_core.errors import LayoutError
from genomap_core.layout import Layout, make_layout, reproducibility
from genomap_core.layout.consensus import affinities, consensus_table
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.quality import neighbours_kept


def test_neighbours_kept_is_one_for_the_same_map_turned_and_chance_for_a_random_one():
    at = np.stack(np.divmod(np.arange(900), 30), axis=1)
    assert neighbours_kept(at, at) == 1
    assert neighbours_kept(at, at[:, ::-1]) > 0.9  # ties at the rim are broken otherwise
    shuffled = at[np.random.default_rng(0).permutation(900)]
    assert neighbours_kept(at, shuffled) == pytest.approx(8 / 899, abs=0.004)


def test_neighbours_kept_equals_brute_force_and_leaves_out_features_without_a_cell():
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=(40, 2)).round(6) for _ in range(2))
    a[:3] = b[2:5] = -1
    kept = np.r_[5:40]
    near = [np.argsort(((at[kept, None] - at[kept]) ** 2).sum(-1), axis=1)[:, 1:9] for at in (a, b)]
    truth = np.mean([len(set(x) & set(y)) / 8 for x, y in zip(*near)])
    a[3:5] = -1
    shifted = [np.where(at == -1, -1, at + 10) for at in (a, b)]
    assert neighbours_kept(*shifted) == pytest.approx(truth)
    assert neighbours_kept(a[:1], b[:1]) == 0


def test_a_layout_says_how_reproducible_it_is_and_keeps_saying_it_in_a_file():
    X = scrambled_picture(n=80)[0]
    layout = make_layout(X, halves=2)
    measured = layout.reproducibility
    assert measured.by_chance == pytest.approx(8 / 143)
    assert 0.35 < measured.neighbours_kept < 0.8
    noise = make_layout(np.random.default_rng(0).normal(size=(80, 144)), halves=2).reproducibility
    assert noise.neighbours_kept < 0.12
    np.testing.assert_array_equal(layout.positions, make_layout(X).positions)
    arrays, header = layout.to_arrays()
    assert Layout.from_arrays(arrays, json.loads(json.dumps(header))).reproducibility == measured
    assert make_layout(X).reproducibility is None


def test_halves_are_laid_out_as_the_whole_is_by_any_function_and_need_four_samples():
    X, seen = factor_table(n=21, p=30), []

    def lay_out(rows):
        seen.append(len(rows))
        return make_layout(rows, solver="random", random_state=len(seen))

    chance = reproducibility(X, lay_out, 8)
    assert seen == [10, 11] * 8
    assert chance.neighbours_kept == pytest.approx(chance.by_chance, abs=0.06)
    with pytest.raises(LayoutError, match="4 samples"):
        make_layout(X[:3], halves=1)
    with pytest.raises(LayoutError, match="`halves`"):
        make_layout(X, halves=-1)


@pytest.mark.parametrize(
    ("cohort", "more"),
    [
        (lambda: factor_table(n=100, p=256), 0.02),
        (lambda: factor_table(n=60, p=400, factors=5), 0.01),
        (lambda: scrambled_picture(n=80)[0], 0.01),
    ],
)
def test_averaged_affinities_give_steadier_neighbours_on_simulated_cohorts(cohort, more):
    X = cohort()
    plain, averaged = (make_layout(X, resamples=count, halves=3) for count in (0, 8))
    kept = [layout.reproducibility.neighbours_kept for layout in (plain, averaged)]
    assert kept[1] > kept[0] + more
    assert averaged.quality.gw_distortion < plain.quality.gw_distortion + 0.01
    assert averaged.quality.neighbour_correlation > plain.quality.neighbour_correlation - 0.01
    assert averaged.notes["resamples"] == 8


@pytest.mark.parametrize("distance", ["correlation", "absolute", "spearman", "euclidean"])
def test_averaged_affinities_serve_every_distance_sparse_tables_and_constant_columns(distance):
    X = np.maximum(factor_table(n=40, p=50), 0)
    X[:, 7] = 2.0
    dense, sparse = (make_layout(table, distance=distance, resamples=4) for table in (X, sp.csr_matrix(X)))
    assert len({tuple(cell) for cell in dense.positions}) == 50
    assert dense.quality.neighbour_correlation == pytest.approx(sparse.quality.neighbour_correlation, abs=0.05)
    control = make_layout(X, distance=distance, solver="random")
    assert dense.quality.neighbour_correlation > control.quality.neighbour_correlation + 0.05


def test_affinities_are_the_shares_of_resamples_and_the_table_their_mean_with_correlation():
    X = factor_table(n=30, p=40)
    table = FeatureTable(X, memory_mb=1)
    near = affinities(table, 5, seed=3, k=4).toarray()
    rng, truth = np.random.default_rng(3), np.zeros((40, 40))
    for _ in range(5):
        R = np.corrcoef(X[rng.integers(0, 30, 30)].T)
        for j in range(40):
            truth[[i for i in np.argsort(-R[j])[:5] if R[j, i] > 0], j] += 1 / 5
    np.testing.assert_allclose(near, truth + truth.T, atol=1e-6)
    unit = near / np.linalg.norm(near, axis=0)
    both = consensus_table(table, 5, seed=3, k=4).X.toarray()
    np.testing.assert_allclose(both.T @ both, unit.T @ unit + np.corrcoef(X.T), atol=1e-4)
    with pytest.raises(LayoutError, match="`resamples`"):
        affinities(table, 0)
    with pytest.raises(LayoutError, match="entities"):
        make_layout(X, resamples=3, entities=np.arange(40))
