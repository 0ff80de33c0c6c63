import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from genomap_core.workflows.comparison.scores import (
    Score,
    lead_over_each,
    paired_difference,
    resample_patients,
    score,
    score_table,
)


def planted(n=300, classes=3, sharpness=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + sharpness * np.eye(classes)[y]
    e = np.exp(logits)
    return y, e / e.sum(1, keepdims=True)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 50), classes=st.integers(2, 4))
def test_scores_agree_with_scikit_learn(seed, classes):
    y, p = planted(80, classes, seed=seed)
    assert score("accuracy", y, p) == pytest.approx(metrics.accuracy_score(y, p.argmax(1)))
    assert score("balanced_accuracy", y, p) == pytest.approx(metrics.balanced_accuracy_score(y, p.argmax(1)))
    auc = metrics.roc_auc_score(y, p[:, 1] if classes == 2 else p, multi_class="ovr")
    assert score("roc_auc", y, p) == pytest.approx(auc)
    assert score("log_loss", y, p) == pytest.approx(metrics.log_loss(y, p, labels=range(classes)))


def test_brier_of_certainty_is_zero_and_of_certain_error_two():
    y = np.array([0, 1])
    assert score("brier", y, np.eye(2)) == 0
    assert score("brier", y, np.eye(2)[::-1]) == 2


def test_auc_of_one_class_is_not_a_number():
    assert np.isnan(score("roc_auc", np.zeros(4, int), np.full((4, 2), 0.5)))


def test_the_interval_holds_the_figure_and_narrows_with_more_patients():
    widths = []
    for n in (60, 1200):
        y, p = planted(n)
        s = score_table(y, {"m": p}, n_resamples=200)["m"]["accuracy"]
        assert s.low <= s.value <= s.high
        widths.append(s.high - s.low)
    assert widths[1] < widths[0] / 2


def test_the_interval_covers_the_truth_as_often_as_it_says():
    truth = score("accuracy", *planted(200_000))
    hits = 0
    for seed in range(60):
        y, p = planted(150, seed=seed)
        s = score_table(y, {"m": p}, metrics=("accuracy",), n_resamples=200, seed=seed)["m"]["accuracy"]
        hits += s.low <= truth <= s.high
    assert hits >= 50


def test_a_real_difference_is_off_zero_and_none_is_not():
    y, good = planted(400, sharpness=2.0)
    _, alike = planted(400, sharpness=2.0)
    bad = np.full_like(good, 1 / 3)
    assert paired_difference("balanced_accuracy", y, good, bad).low > 0
    same = paired_difference("balanced_accuracy", y, good, alike)
    assert same.low <= 0 <= same.high


def test_whole_groups_are_resampled():
    y = np.repeat([0, 1], 10)
    groups = np.arange(20) // 4
    for rows in resample_patients(y, groups, 20, 0):
        counts = np.bincount(rows, minlength=20).reshape(5, 4)
        assert (counts == counts[:, :1]).all()


@pytest.mark.parametrize(("metric", "least"), [("accuracy", 0.90), ("balanced_accuracy", 0.86)])
def test_no_error_in_a_few_patients_is_not_certainty(metric, least):
    y = np.repeat([0, 1, 2], 12)
    found = score_table(y, {"m": np.eye(3)[y]}, metrics=(metric,))["m"][metric]
    assert found.value == 1 >= found.high
    assert least < found.low < 0.96  # the rule of three gives 1 - 3 / 36 = .917
    assert score_table(np.tile(y, 50), {"m": np.eye(3)[np.tile(y, 50)]}, metrics=(metric,))["m"][metric].low > 0.99


@pytest.mark.parametrize("groups", [None, np.arange(60) // 2])
def test_the_lead_over_each_is_the_paired_difference_to_each(groups):
    y, good = planted(60, sharpness=2.0)
    probas = {"good": good, "bad": planted(60, seed=1)[1], "alike": planted(60, seed=2)[1]}
    found = lead_over_each("roc_auc", y, probas, "good", groups, n_resamples=50)
    assert list(found) == ["bad", "alike"]
    for name, lead in found.items():
        one = paired_difference("roc_auc", y, good, probas[name], groups, n_resamples=50)
        assert (lead.value, lead.low, lead.high) == pytest.approx((one.value, one.low, one.high))


def test_a_figure_is_written_as_precisely_as_its_interval_carries() -> None:
    assert str(Score(0.8731, 0.841, 0.901)) == "0.87 (0.84 to 0.90)"
    assert f"{Score(0.0312, 0.0301, 0.0324):+}" == "+0.031 (+0.030 to +0.032)"
    assert str(Score(0.5, float("nan"), float("nan"))) == "0.500"
    assert str(Score(-0.001, -0.02, 0.02)) == "0.00 (-0.02 to 0.02)", "zero has no sign"
