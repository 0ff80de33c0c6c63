"""Images and expression that come with the program: what was planted is found, what was not is not."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from genomap_core.data.images.expression import expression_cohort
from genomap_core.data.simulated.radiogenomics import simulate_radiogenomics
from genomap_core.workflows.expression.result import ExpressionResult
from genomap_core.workflows.expression.samples import COMPARED, load_expression_sample
from genomap_core.workflows.expression.statistics import GeneStatistics, gene_statistics, refitted_null
from genomap_core.workflows.expression.view import attribute
from genomap_core.workflows.expression.words import verdict


@pytest.fixture(scope="module")
def result() -> ExpressionResult:
    return ExpressionResult.load(COMPARED)


@pytest.fixture(scope="module")
def truth():
    return simulate_radiogenomics()


def recomputed(result: ExpressionResult, name: str) -> GeneStatistics:
    """From the stored predictions and the stored networks' heads, not from the stored statistics."""
    values = [result.run(other).predicted for other in (name, "random", result.best_ridge)]
    one = np.zeros(len(result.truth), np.int64)
    refit = partial(np.matmul, result.run("dense").values["head"])
    null = refitted_null(result.truth, refit, one, result.within, one, 100, 1)[0]
    return gene_statistics(result.truth, *values, null, result.within)


def test_the_stored_cohort_is_the_simulated_one(truth) -> None:
    stored = load_expression_sample()
    np.testing.assert_array_equal(stored.table.X, truth.cohort.table.X)
    np.testing.assert_allclose(stored.images, truth.cohort.images, atol=2e-3)  # half precision


def test_the_stored_comparison_is_of_the_stored_cohort(result) -> None:
    cohort = expression_cohort(load_expression_sample())
    assert result.digest == cohort.digest
    np.testing.assert_array_equal(result.truth, cohort.expression)


def test_planted_genes_are_recalled_at_the_nominal_false_discovery_rate(result, truth) -> None:
    planted = np.isin(result.genes, truth.cohort.table.planted)
    s = recomputed(result, "dense")
    assert s.predicted[planted].mean() >= 0.9
    assert s.predicted[~planted].sum() <= 0.2 * s.predicted.sum()
    by_permutation = s.permutation_fdr < 0.05
    assert by_permutation[planted].mean() >= 0.9
    assert by_permutation[~planted].sum() <= 0.05 * by_permutation.sum() + 1
    np.testing.assert_array_equal(s.predicted, result.statistics["all"]["dense"].predicted)


def test_the_eight_layers_were_run_beside_the_default_and_are_not_ahead_of_it(result) -> None:
    assert result.config["training"]["paths"] == "statistics"
    assert result.lead["all"]["full"].high > 0
    assert "The transformer of 8 layers" in " ".join(verdict(result))


def test_trained_on_the_expression_of_others_nothing_is_predicted(result) -> None:
    s = recomputed(result, "exchanged")
    assert s.predicted.mean() <= 0.05
    assert (s.permutation_fdr < 0.05).mean() <= 0.05
    assert "falls, as it must" in " ".join(verdict(result))


def test_predictions_rest_on_the_lesion(result, truth) -> None:
    """Planted genes follow traits of the lesion: its pixels carry more of a prediction than their share of the area."""
    genes = np.flatnonzero((truth.driven_by == 1) & (result.statistics["all"]["dense"].r > 0.3))
    ratios = []
    cache: dict[object, object] = {}
    for row in range(0, 200, 20):
        spec = {"folder": str(COMPARED), "row": row, "fold": int(result.fold_of_row[row]), "method": "occlusion"}
        _, seen = attribute(spec | {"options": result.config["options"]}, {"genes": genes}, cache)
        weight, lesion = np.abs(seen["values"][0]), truth.cohort.regions[row] == 2
        ratios.append(weight[lesion].sum() / weight.sum() / lesion.mean())
    assert np.median(ratios) > 2
