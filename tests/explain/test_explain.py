"""The one door to explanations, on trained models: planted causes are found, and the checks can tell good from bad."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import roc_auc_score

from genomap_core.data.simulated.tables import ExpressionConfig, expression_cohort
from genomap_core.errors import Cancelled, InputError
from genomap_core.explain import agreement, explain, model_regions
from genomap_core.explain.attribution import class_score
from genomap_core.explain.faithfulness import deletion_insertion, infidelity, max_sensitivity, shuffled_model
from genomap_core.layout import make_layout
from genomap_core.pfn import PFNClassifier
from genomap_core.training import forest_pipeline, genomap_pipeline


@pytest.fixture(scope="module")
def cohort():
    """150 patients x 600 genes, 20 modules, 4 of them (72 genes, 12 %) carry the class; a few values are missing."""
    simulated = expression_cohort(ExpressionConfig(n_samples=150, n_genes=600, n_modules=20, n_informative=4, effect=2))
    X = simulated.values.astype(np.float32)
    X[0, 3] = X[120, 5] = np.nan
    planted = np.isin(simulated.module, simulated.informative)
    return X, simulated.labels, planted, simulated


@pytest.fixture(scope="module")
def genomap(cohort):
    X, y, _, _ = cohort
    return genomap_pipeline(max_epochs=12, n_seeds=2, device="cpu").fit(X[:110], y[:110])


@pytest.fixture(scope="module")
def forest(cohort):
    X, y, _, _ = cohort
    return forest_pipeline(n_trees=100).fit(X[:110], y[:110])


def test_importing_explanations_loads_neither_torch_nor_captum():
    code = "import sys, genomap_core.explain; print([m for m in ('torch', 'captum', 'tabpfn') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift", "gradient_shap", "occlusion", "shapley"])
def test_planted_genes_are_found_by_the_network(cohort, genomap, method):
    X, _, planted, simulated = cohort
    rows = X[110:122]
    a = explain(genomap, rows, method=method, background=X[:110], feature_names=simulated.feature_names, n_samples=16)
    k = int(planted.sum())
    named = np.isin([name for name, _ in a.top(k)], simulated.planted).mean()
    assert named > 2.5 * planted.mean(), "chance is the planted share"
    assert roc_auc_score(planted, a.magnitude) > 0.7


def test_planted_genes_are_found_in_any_model_by_regions(cohort, genomap, forest):
    X, _, planted, _ = cohort
    groups = model_regions(genomap, X[:110])
    a = explain(forest, X[110:116], groups=groups, background=X[:110], n_samples=8)
    assert a.method == "shapley"
    assert roc_auc_score(planted, a.magnitude) > 0.7
    np.testing.assert_allclose(a.completeness_gap, 0, atol=1e-4)


def test_two_good_explanations_of_one_prediction_agree_more_than_with_those_of_a_shuffled_network(cohort, genomap):
    X = cohort[0]
    ig, lift = (explain(genomap, X[112], method=m) for m in ("integrated_gradients", "deeplift"))
    shuffled = explain(shuffled_model(genomap), X[112], method="integrated_gradients", target=int(ig.target))
    assert agreement(ig, lift, 30).spearman > 0.9
    assert abs(agreement(ig, shuffled, 30).spearman) < 0.5
    assert agreement(ig, lift, 30).top_k_overlap > agreement(ig, shuffled, 30).top_k_overlap


def test_shuffling_leaves_the_model_itself_alone(cohort, genomap):
    before = genomap.predict_proba(cohort[0][110:112])
    assert not np.allclose(shuffled_model(genomap).predict_proba(cohort[0][110:112]), before)
    np.testing.assert_array_equal(genomap.predict_proba(cohort[0][110:112]), before)


def test_one_row_gives_one_explanation_and_several_rows_the_same_ones(cohort, genomap):
    X = cohort[0]
    for method in ("integrated_gradients", "shapley"):
        options = {"method": method, "target": 1, "background": X[:110], "n_samples": 8}
        several = explain(genomap, X[111:113], **options)
        one = explain(genomap, X[112], **options)
        assert one.values.shape == (600,)
        assert isinstance(one.output, float)
        np.testing.assert_allclose(several.row(1).values, one.values, atol=1e-5)
        assert several.row(1).output == pytest.approx(one.output, abs=1e-5)


def test_codes_are_shown_as_the_names_of_their_classes(cohort, genomap):
    X, _, _, simulated = cohort
    a = explain(genomap, X[111], target=2, classes=simulated.classes, n_samples=4)
    assert a.target == simulated.classes[2]
    assert a.model == "mapcnn"


def test_regions_come_from_a_layout_or_are_made_from_the_background(cohort, forest):
    X = np.nan_to_num(cohort[0])
    options = {"background": X[:110], "n_regions": 8, "n_samples": 4, "target": 0}
    own = explain(forest, X[111], **options)
    given = explain(forest, X[111], layout=make_layout(X[:110]), **options)
    for a in (own, given):
        assert len(np.unique(a.groups[a.groups >= 0])) == 8
        assert a.completeness_gap == pytest.approx(0, abs=1e-4)


def test_sparse_background_gives_the_same_explanation(cohort, forest):
    X = np.where(np.nan_to_num(cohort[0]) > 3, np.nan_to_num(cohort[0]), 0).astype(np.float32)
    groups = np.arange(600) % 6
    options = {"groups": groups, "target": 1}
    dense = explain(forest, X[111], background=X[:110], **options)
    sparse = explain(forest, X[111], background=sp.csr_matrix(X[:110]), **options)
    np.testing.assert_allclose(sparse.values, dense.values, atol=1e-6)


def test_wrong_questions_get_an_answer_that_helps(cohort, forest, genomap):
    X = cohort[0]
    with pytest.raises(InputError, match="background"):
        explain(forest, X[0])
    with pytest.raises(InputError, match="integrated_gradients"):
        explain(forest, X[0], method="magic")
    with pytest.raises(InputError, match="no class 'Liver'"):
        explain(genomap, X[0], target="Liver")
    with pytest.raises(InputError, match="shapley"):
        explain(forest, X[0], method="deeplift")


def test_a_cancelled_explanation_stops_between_batches(cohort, forest):
    X = cohort[0]
    seen = []

    def stop(progress):
        seen.append(progress)
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        explain(forest, X[111], background=X[:110], groups=np.arange(600) % 40, batch_rows=20, on_progress=stop)
    assert len(seen) == 1


# ------------------------------------------------------------------ tabular foundation model


@pytest.fixture(scope="module")
def pfn(cohort, tmp_path_factory):
    from genomap_core.pfn.checkpoint import build_random

    X, y, _, _ = cohort
    weights = build_random(tmp_path_factory.mktemp("weights") / "random-v3.safetensors")
    return PFNClassifier(weights.path, selection="anova", n_estimators=2, keep_cache=True).fit(X[:110], y[:110])


def test_a_foundation_model_is_explained_over_the_regions_of_the_map(cohort, genomap, pfn):
    X = cohort[0]
    groups = model_regions(genomap, X[:110])
    a = explain(pfn, X[111], groups=groups, background=X[:110], n_samples=8)
    assert a.completeness_gap == pytest.approx(0, abs=1e-4)
    assert "not Prior Labs" in a.model
    used = np.zeros(600, bool)
    used[pfn.reducer_.kept_] = True
    assert (a.values[~used] == 0).all()
    assert np.abs(a.values[used]).sum() > 0


def test_regions_without_used_features_cost_no_prediction(cohort, pfn):
    X = cohort[0]
    few = np.full(600, 5)
    few[pfn.reducer_.kept_] = np.arange(20) % 4
    rows = []
    original = pfn.predict_proba

    class Counting:
        classes_, reducer_ = pfn.classes_, pfn.reducer_

        def predict_proba(self, X):
            rows.append(len(X))
            return original(X)

    explain(Counting(), X[111], groups=few, background=X[:110], target=0)
    assert sum(rows) == 2**4


# ------------------------------------------------------------------ faithfulness


def linear_case(seed=0, p=40):
    g = np.random.default_rng(seed)
    w, x = g.normal(size=p), g.normal(size=p)
    return (lambda X: np.asarray(X, float) @ w), x, np.zeros(p), w * x


def test_the_true_explanation_of_a_linear_model_beats_every_random_order():
    score, x, baseline, truth = linear_case()
    curves = deletion_insertion(score, x, baseline, truth)
    assert curves.beaten == 1
    assert curves.deletion_advantage > 0
    assert curves.insertion_advantage > 0
    assert curves.deletion[0] == pytest.approx(score(x[None])[0])
    assert curves.deletion[-1] == pytest.approx(0)
    assert curves.insertion[-1] == pytest.approx(curves.deletion[0])


def test_the_opposite_explanation_loses_against_every_random_order():
    score, x, baseline, truth = linear_case()
    assert deletion_insertion(score, x, baseline, -truth).beaten == 0


def test_infidelity_is_zero_for_the_truth_and_about_one_for_nothing():
    score, x, baseline, truth = linear_case()
    assert infidelity(score, x, truth, x - baseline) == pytest.approx(0, abs=1e-6)
    assert infidelity(score, x, np.zeros_like(truth), x - baseline) == pytest.approx(1, abs=0.05)
    shuffled = np.random.default_rng(0).permutation(truth)
    assert infidelity(score, x, shuffled, x - baseline) > 0.3


def test_a_stable_explanation_has_small_sensitivity_and_an_erratic_one_large():
    _, x, _, _ = linear_case()
    radius = np.full(len(x), 0.01)
    rng = np.random.default_rng(0)
    assert max_sensitivity(lambda row: 2 * row, x, radius) < 0.02
    assert max_sensitivity(lambda row: rng.normal(size=len(row)), x, radius) > 0.5


def test_explanations_of_a_trained_network_are_faithful(cohort, genomap):
    X = cohort[0]
    median = np.nanmedian(X[:110], axis=0)
    a = explain(genomap, X[112], method="integrated_gradients", target=1)
    score = class_score(genomap, 1)
    assert deletion_insertion(score, X[112], median, a.values).beaten > 0.9
    assert infidelity(score, X[112], a.values, X[112] - median) < 0.5
