"""Statistics of predicted genes hold: what is planted is found, what is not there is not."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from genomap_core.data.images.expression import ExpressionOptions, expression_cohort
from genomap_core.data.images.patients import PatientImages
from genomap_core.data.images.statistics import image_statistics
from genomap_core.data.simulated.radiogenomics import RadiogenomicSimulation, simulate_radiogenomics
from genomap_core.errors import InputError
from genomap_core.workflows.expression.compare import shuffled
from genomap_core.workflows.expression.linear import RidgeFit, out_of_fold
from genomap_core.workflows.expression.statistics import GeneStatistics, gene_statistics, refitted_null


@pytest.fixture(scope="module")
def simulated():
    return simulate_radiogenomics()


def standardised(cohort: PatientImages) -> np.ndarray:
    features = image_statistics(cohort.images)
    return (features - features.mean(0)) / features.std(0)


def ridge_statistics(numbers: np.ndarray, truth: np.ndarray, seed: int, n_permutations: int = 30) -> GeneStatistics:
    """Ridge regression as the model, random weights of the same numbers as its random twin; five folds."""
    rng = np.random.default_rng(seed)
    fold, one = rng.permutation(len(truth)) % 5, np.zeros(len(truth), np.int64)
    rows = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    refit = partial(out_of_fold, [(train, test, RidgeFit(numbers[train], numbers[test])) for train, test in rows])
    random = truth.mean() + numbers @ rng.normal(0, 0.2, (numbers.shape[1], truth.shape[1]))
    null = refitted_null(truth, refit, one, fold, one, n_permutations, seed)[0]
    return gene_statistics(truth, predicted := refit(truth), random, predicted, null, fold)


def chance(n: int, g: int) -> np.ndarray:
    """``(40, g)`` correlations of ``n`` pairs by chance."""
    return np.random.default_rng(5).normal(0, 1 / np.sqrt(n), (40, g)).astype(np.float32)


def test_planted_genes_are_found_and_few_others():
    """A share of false discoveries holds over many cohorts, not in each: modules are right or wrong as wholes."""
    shares: dict[str, list[float]] = {"found": [], "false": [], "found by permutation": [], "false by permutation": []}
    for seed in range(8):
        simulated = simulate_radiogenomics(RadiogenomicSimulation(n_samples=160, contrast=1.0, seed=seed))
        planted = simulated.driven_by >= 0
        statistics = ridge_statistics(standardised(simulated.cohort), simulated.cohort.table.X, seed)
        for how, called in (("", statistics.predicted), (" by permutation", statistics.permutation_fdr < 0.05)):
            shares[f"found{how}"].append(called[planted].mean())
            shares[f"false{how}"].append((~planted)[called].mean())
    mean = {how: np.mean(share) for how, share in shares.items()}
    assert 0.5 < mean["found"] < 0.9  # plain numbers leave room for a network
    assert mean["found by permutation"] > 0.5
    assert mean["false"] <= 0.2
    assert mean["false by permutation"] <= 0.05


def test_where_nothing_is_to_be_found_nothing_or_little_is(simulated):
    """Every discovery is false here: the false discovery rate is how often there is any."""
    numbers, cohort = standardised(simulated.cohort), expression_cohort(simulated.cohort)
    by_rule, by_permutation, shares = [], [], []
    for seed in range(6):
        found = ridge_statistics(numbers, shuffled(cohort, seed).expression, seed, 100)
        by_rule.append(found.predicted.any())
        by_permutation.append((found.permutation_fdr < 0.05).any())
        shares.append((found.permutation_p < 0.05).mean())
    assert np.mean(by_rule) <= 0.2
    assert np.mean(by_permutation) <= 0.2, "one of six; genes come in modules, called or not as wholes"
    assert 0.03 < np.mean(shares) < 0.07


def test_the_rule_asks_for_all_of_its_conditions():
    rng = np.random.default_rng(0)
    signal, noise, other = rng.normal(size=(3, 100, 1))
    truth = np.repeat(signal, 5, axis=1)
    near, far = signal + 0.8 * noise, other
    predicted = np.hstack([near, 10 * near, near, -near, far])
    random = np.hstack([far, far, near + 0.05 * other, far, noise])
    found = gene_statistics(truth, predicted, random, np.repeat(far, 5, axis=1), chance(100, 5))
    #                                      found, too far off, no better than random weights, wrong way, no relation
    assert found.predicted.tolist() == [True, False, False, False, False]
    assert found.strong.tolist() == [True, True, True, False, False]
    assert found.better_than_ridge_p[0] < 1e-3 < 0.05 < found.better_than_ridge_p[4]
    summary = found.summary()
    assert (summary["n_genes"], summary["n_predicted"], summary["n_strong"]) == (5, 1, 3)
    assert summary["n_better_than_ridge_fdr_below_0.05"] == 3
    assert summary["n_permutation_fdr_below_0.05"] == 3
    assert summary["r_min"] == pytest.approx(found.r[3])


def test_cohorts_that_differ_are_no_prediction():
    rng = np.random.default_rng(1)
    cohort = np.repeat([0, 1], 60)
    truth, predicted, random = rng.normal(size=(3, 120, 200)) + 3 * np.array([1, 1, 0])[:, None, None] * cohort[:, None]
    pooled = gene_statistics(truth, predicted, random, random, chance(120, 200))
    apart = gene_statistics(truth, predicted, random, random, chance(120, 200), cohort)
    assert pooled.predicted.mean() > 0.9
    assert apart.predicted.mean() < 0.02
    np.testing.assert_allclose(apart.rmse, pooled.rmse)


def test_a_shuffled_cohort_keeps_its_rows_and_its_cohorts(simulated):
    codes = np.arange(simulated.cohort.n_samples) % 4
    table = replace(simulated.cohort.table, y=codes, classes=("a", "b", "c", "d"))
    plain = expression_cohort(replace(simulated.cohort, table=table), ExpressionOptions(by_label=True))
    moved = shuffled(plain, 3)
    for code in range(4):
        rows, again = (c.expression[codes == code] for c in (plain, moved))
        np.testing.assert_array_equal(rows[np.lexsort(rows.T)], again[np.lexsort(again.T)])
    assert (plain.expression == moved.expression).all(1).mean() < 0.1
    assert moved.source is plain.source
    assert moved.digest == shuffled(plain, 3).digest != shuffled(plain, 4).digest


def test_what_does_not_fit_is_refused():
    values = np.random.default_rng(0).normal(size=(8, 3))
    with pytest.raises(InputError, match="same rows and genes"):
        gene_statistics(values, values, values[:, :2], values, values)
    with pytest.raises(InputError, match="missing"):
        gene_statistics(values, values, values, np.where(values > 0, values, np.nan), values)
    with pytest.raises(InputError, match="4 cohorts"):
        gene_statistics(values[:7], values[:7], values[:7], values[:7], values, np.arange(7) % 4)
    with pytest.raises(InputError, match="one a patient"):
        gene_statistics(values, values, values, values, values, np.zeros(7, int))
