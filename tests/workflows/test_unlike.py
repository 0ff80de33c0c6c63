import numpy as np
import pytest

from genomap_core.workflows.tabular.outliers import likeness, unlike_rows


def test_the_false_alarm_rate_is_what_it_says():
    rng = np.random.default_rng(0)
    alarms = [
        likeness(rng.normal(size=(80, 30)), rng.normal(size=30)).unlike for _ in range(400)
    ]  # exchangeable patients: 5 % by construction
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.03)


def test_a_patient_from_elsewhere_is_noticed_and_a_copy_is_not():
    rng = np.random.default_rng(1)
    train = rng.normal(size=(60, 100))
    assert likeness(train, train[7] + rng.normal(0, 0.1, 100)).unlike is False
    far = likeness(train, 2 * rng.normal(size=100))
    assert far.unlike
    assert far.share_beyond == 0


def test_too_few_training_patients_never_raise_an_alarm():
    rng = np.random.default_rng(2)
    assert not likeness(rng.normal(size=(10, 5)), np.full(5, 100.0)).unlike


def test_the_rows_of_a_cohort_are_flagged_as_one_by_one():
    rng = np.random.default_rng(3)
    z, folds = rng.normal(size=(120, 40)), np.arange(120) % 4
    z[5] *= 4
    flagged = unlike_rows(z, folds)
    assert flagged[5]
    one_by_one = [likeness(z[folds != folds[i]], z[i]).unlike for i in range(120)]
    assert flagged.tolist() == one_by_one
    assert flagged.mean() == pytest.approx(0.05, abs=0.05)
