"""Figures show the numbers they were given, and nothing else is loaded on the way."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from genomap_core import plotting
from genomap_core.layout.quality import MEASURES
from genomap_core.plotting.performance import one_against_rest, reliability_bins, wilson
from genomap_core.plotting.template import plain


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    logits = rng.normal(size=(120, 3)) + 1.5 * np.eye(3)[y]
    proba = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return y, proba


def traces(fig, kind):
    return [t for t in fig.data if t.type == kind]


def test_importing_the_package_loads_no_plotly_torch_or_streamlit():
    code = (
        "import sys, genomap_core.plotting;"
        "print([m for m in ('plotly', 'torch', 'matplotlib', 'streamlit', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = "import sys; from genomap_core.plotting import confusion; import numpy as np;"
    code += "confusion(np.array([0, 1]), np.eye(2), ('a', 'b')); print('plotly.express' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_areas_under_the_curves_equal_scikit_learns(cohort):
    y, proba = cohort
    assert one_against_rest(y, proba, 3)[2] == pytest.approx(roc_auc_score(y, proba, multi_class="ovr"))
    two, second = (y > 0).astype(int), np.stack([proba[:, 0], 1 - proba[:, 0]], 1)
    assert one_against_rest(two, second, 2)[2] == pytest.approx(roc_auc_score(two, second[:, 1]))
    fig = plotting.roc(two, {"net": second}, ("healthy", "tumour"))
    assert f"{roc_auc_score(two, second[:, 1]):.3f}" in traces(fig, "scatter")[1].name
    assert "tumour" in fig.layout.xaxis.title.text


def test_rows_of_a_failed_fold_and_absent_classes_are_left_out(cohort):
    y, proba = cohort
    broken = proba.copy()
    broken[:40] = np.nan
    assert one_against_rest(y, broken, 3)[2] == pytest.approx(one_against_rest(y[40:], proba[40:], 3)[2])
    assert np.isnan(one_against_rest(np.zeros(5, int), np.full((5, 2), 0.5), 2)[2])
    assert plotting.roc(np.zeros(5, int), {"m": np.full((5, 2), 0.5)}, ("a", "b")).data
    assert reliability_bins(y, broken).count.sum() == 80


def test_calibration_counts_everybody_once_and_a_perfect_model_lies_on_the_diagonal(cohort):
    y, proba = cohort
    assert reliability_bins(y, proba).count.sum() == len(y)
    rng = np.random.default_rng(1)
    sure = rng.uniform(0.5, 1, 200_000)
    truth = (rng.random(200_000) > sure).astype(int)
    bins = reliability_bins(truth, np.stack([sure, 1 - sure], 1))
    np.testing.assert_allclose(bins.right, bins.confidence, atol=0.01)
    fig = plotting.reliability(y, {"a": proba, "b": proba})
    assert sum(t.y.sum() for t in traces(fig, "bar")) == 2 * len(y)


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilsons_interval_equals_scipys(count, share):
    k = round(share * count)
    expected = binomtest(k, count).proportion_ci(method="wilson")
    low, high = wilson(np.array(k / count), np.array(count))
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_confusion_counts_true_rows_and_predicted_columns():
    y = np.array([0, 0, 0, 1, 1])
    proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]])
    fig = plotting.confusion(y, proba, ("healthy", "tumour"))
    np.testing.assert_array_equal(traces(fig, "heatmap")[0].customdata, [[2, 1], [1, 1]])
    np.testing.assert_allclose(traces(fig, "heatmap")[0].z, [[2 / 3, 1 / 3], [0.5, 0.5]])
    assert [a.text for a in fig.layout.annotations] == ["2", "1", "1", "1"]


def test_scores_keep_their_intervals_and_failed_models_their_row():
    fig = plotting.score_intervals([("net", 0.8, 0.7, 0.85), ("pfn", np.nan, np.nan, np.nan)], "accuracy", 0.5)
    dots = traces(fig, "scatter")[0]
    assert list(dots.y) == ["net", "pfn"]
    assert dots.error_x.array[0] == pytest.approx(0.05)
    assert dots.error_x.arrayminus[0] == pytest.approx(0.1)
    assert [a.text for a in fig.layout.annotations] == ["0.80 (0.70 to 0.85)", "no result"]


def test_learning_curves_tell_networks_and_validation_apart():
    epochs = [{"epoch": k, "member": m, "loss": 1.0 / k, "val_loss": 2.0 / k + m} for m in (0, 1) for k in (1, 2, 3)]
    fig = plotting.learning_curves(epochs, "loss")
    assert [t.name for t in fig.data] == [
        "training, network 1", "validation, network 1", "training, network 2", "validation, network 2",
    ]  # fmt: skip
    assert [t.line.dash for t in fig.data] == ["solid", "dash"] * 2
    assert fig.data[0].line.color == fig.data[1].line.color != fig.data[2].line.color
    assert list(fig.data[3].y) == [3.0, 2.0, pytest.approx(5 / 3)]
    assert not plotting.learning_curves(epochs, "accuracy").data
    assert plotting.learning_curves(epochs[:3], "loss").data[0].name == "training"


def test_layout_quality_shows_the_random_control_beside():
    names = ("gw_distortion", "spearman", "neighbour_correlation", "knn_recall")
    good, random = (SimpleNamespace(**dict(zip(names, v))) for v in ((0.1, 0.4, 0.5, 0.3), (0.24, 0, 0, 0.02)))
    fig = plotting.layout_quality(good, random)
    shown = {t.name: dict(zip(t.y, t.x)) for t in fig.data}
    assert shown["random layout"][MEASURES["gw_distortion"]] == 0.24
    assert shown["this layout"][MEASURES["neighbour_correlation"]] == 0.5


def test_displacement_is_drawn_where_features_were_and_says_how_far_they_went():
    reference = np.array([[0, 0], [1, 2], [-1, -1], [1, 0]])
    now = np.array([[0, 0], [1, 0], [0, 1], [-1, -1]])
    fig = plotting.displacement_map(reference, now, (2, 3), ["a", "b", "c", "d"], arrows=1)
    board = traces(fig, "heatmap")[0]
    assert board.z[0][0] == 0
    assert board.z[1][2] == 2
    assert np.isnan(board.z[1][0])
    assert board.text[1][2] == "b"
    arrow = fig.layout.annotations[0]
    assert (arrow.ax, arrow.ay, arrow.x, arrow.y) == (2, 1, 0, 1)


def test_the_patients_place_in_the_cohort_is_marked():
    values = np.array([1.0, 2.0, np.nan, 4.0, 5.0, 9.0])
    fig = plotting.feature_distribution(
        values, np.array([0, 0, 0, 1, 1, 1]), ("a", "b"), highlight=4, feature="TP53", unit="log2"
    )
    mark = next(t for t in fig.data if t.name == "this patient")
    assert (mark.x[0], mark.y[0]) == (5.0, 1)
    points = [sorted(t.x) for t in traces(fig, "scatter") if t.name in ("a", "b")]
    assert points == [[1, 2], [4, 5, 9]]
    assert fig.layout.xaxis.title.text == "TP53 · log2"
    unlabelled = plotting.feature_distribution(values, None, (), highlight=2)
    assert not any(t.name == "this patient" for t in unlabelled.data), "a missing value has no place"


def test_probabilities_carry_their_uncertainty():
    p = np.array([0.7, 0.3])
    fig = plotting.probability_bars([("net", np.array([0.98, 0.02]), None, None)], ("ALL", "AML"))
    assert fig.data[0].textposition == ("inside", "outside")  # the number of a short bar would be tiny inside
    fig = plotting.probability_bars([("net", p, p - 0.1, p + 0.2), ("pfn", p, None, None)], ("ALL", "AML"))
    first, second = fig.data
    np.testing.assert_allclose(first.error_x.array, [0.2, 0.2])
    np.testing.assert_allclose(first.error_x.arrayminus, [0.1, 0.1])
    assert second.error_x.array is None
    assert list(first.text) == ["70%", "30%"]


def test_attribution_bars_show_one_model_by_sign_and_two_by_model():
    one = plotting.attribution_bars(["a", "b"], np.array([0.5, -0.2]))
    assert len(set(one.data[0].marker.color)) == 2
    two = plotting.attribution_bars(["a", "b"], {"net": np.array([0.5, -0.2]), "pfn": np.array([0.1, 0.3])})
    assert [t.name for t in two.data] == ["net", "pfn"]
    assert list(two.data[1].x) == [0.1, 0.3]


def test_agreement_leaves_out_what_neither_model_used_and_names_the_largest():
    a, b = np.array([0.0, 1.0, 0.0, -3.0]), np.array([0.0, 0.5, 0.2, -2.0])
    fig = plotting.attribution_agreement(a, b, ["w", "x", "y", "z"], ("net", "pfn"), n_named=1)
    assert list(fig.data[1].text) == ["x", "y", "z"]
    assert [n.text for n in fig.layout.annotations] == ["z"]


def test_exports_carry_the_research_use_line_and_a_ground(cohort):
    y, proba = cohort
    screen = plotting.confusion(y, proba, ("a", "b", "c"))
    for dark, ground in ((False, "#ffffff"), (True, "#0e1117")):
        file = plotting.for_export(screen, dark=dark)
        assert plotting.RESEARCH_USE in [a.text for a in file.layout.annotations]
        assert file.layout.paper_bgcolor == ground
    assert plotting.RESEARCH_USE not in [a.text for a in screen.layout.annotations], "a copy is changed, not the figure"


def test_names_from_data_cannot_format_or_link(cohort):
    hostile = '<a href="http://example.org">x</a>'
    assert "<" not in plain(hostile)
    y, proba = cohort
    fig = plotting.confusion(y, proba, (hostile, "b", "c"))
    assert "<a" not in fig.to_json()
    fig = plotting.probability_bars([(hostile, proba[0], None, None)], (hostile, "b", "c"))
    assert "<a" not in fig.to_json()
