"""Quality figures against brute force over all pairs and cells."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.quality import LayoutQuality, measure


@pytest.fixture
def case():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(25, 4)) @ rng.normal(size=(4, 48)) + 0.5 * rng.normal(size=(25, 48))
    positions = np.stack(np.divmod(rng.permutation(56)[:48], 8), 1).astype(np.int32)
    return X, positions


def brute_force(X, positions, k=10):
    p = len(positions)
    R = np.corrcoef(X.T)
    D = np.sqrt(((positions[:, None] - positions[None]) ** 2).sum(-1))
    pairs = [(i, j) for i in range(p) for j in range(i)]
    c, d = np.array([1 - R[i, j] for i, j in pairs]), np.array([D[i, j] for i, j in pairs])
    touching = [R[i, j] for i, j in pairs if D[i, j] == 1]
    hits, low, high = 0.0, 0.0, 0.0
    for i in range(p):
        data = set(sorted((j for j in range(p) if j != i), key=lambda j: -R[i, j])[:k])
        others = np.delete(np.arange(p), i)
        edge = np.sort(D[i, others])[k - 1]
        surely, maybe = data & set(others[D[i, others] < edge]), data & set(others[D[i, others] <= edge])
        low, high, hits = low + len(surely) / k / p, high + len(maybe) / k / p, hits + 1
    return ((c / c.mean() - d / d.mean()) ** 2).mean(), spearmanr(c, d).statistic, np.mean(touching), low, high


def test_figures_equal_brute_force(case):
    X, positions = case
    gw, spearman, neighbours, low, high = brute_force(X, positions)
    got = measure(FeatureTable(X), positions)
    assert got.gw_distortion == pytest.approx(gw, rel=1e-4)
    assert got.spearman == pytest.approx(spearman, abs=1e-4)
    assert got.neighbour_correlation == pytest.approx(neighbours, abs=1e-5)
    assert low <= got.knn_recall <= high


def test_features_without_a_cell_do_not_count(case):
    X, positions = case
    wider = np.concatenate([X, np.ones((25, 3))], axis=1)
    padded = np.concatenate([positions, np.full((3, 2), -1, np.int32)])
    assert measure(FeatureTable(wider), padded) == measure(FeatureTable(X), positions)


def test_a_chain_in_its_own_order_is_perfect_and_one_feature_is_nothing():
    walk = np.cumsum(np.random.default_rng(0).normal(size=(4000, 30)), axis=1)
    line = np.stack([np.zeros(30, int), np.arange(30)], 1)
    shuffled = line[np.random.default_rng(1).permutation(30)]
    good, bad = (measure(FeatureTable(walk), at, k=2) for at in (line, shuffled))
    assert good.spearman > 0.7 > bad.spearman
    assert good.gw_distortion < bad.gw_distortion
    assert good.knn_recall > 0.9
    assert measure(FeatureTable(walk[:, :1]), line[:1]) == LayoutQuality(0.0, 0.0, 0.0, 0.0)
