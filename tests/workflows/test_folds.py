import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.workflows.comparison.folds import (
    class_sizes,
    hold_out,
    largest_fold_count,
    make_folds,
    rare_class_note,
    small_classes,
)


def cohort(y, groups=None):
    n = len(y)
    return Dataset(
        "c",
        np.zeros((n, 1), np.float32),
        ("g",),
        tuple(map(str, range(n))),
        y=None if y[0] is None else np.asarray(y),
        classes=("common", "rare"),
        groups=groups,
    )


def test_every_row_is_tested_once_and_classes_are_spread():
    folds = make_folds(cohort([0] * 20 + [1] * 10), 5, 0)
    assert sorted(np.concatenate([t for _, t in folds])) == list(range(30))
    for train, test in folds:
        assert not set(train) & set(test)
        assert (test >= 20).sum() == 2


def test_a_group_never_parts():
    groups = np.repeat(np.arange(12), 3)
    y = np.repeat(np.arange(12) % 2, 3)
    for train, test in make_folds(cohort(y, groups), 3, 0):
        assert not set(groups[train]) & set(groups[test])


def test_a_class_too_small_is_named_with_the_way_out():
    with pytest.raises(InputError, match=r"class 'rare' has 3 samples. Choose 2 to 3 folds"):
        make_folds(cohort([0] * 9 + [1] * 3), 5, 0)
    with pytest.raises(InputError, match=r"'rare' has 1 sample\. Leave that class out"):
        make_folds(cohort([0] * 9 + [1]), 5, 0)


def test_every_class_in_fewer_samples_than_folds_is_named_before_the_start():
    many = Dataset(
        "c", np.zeros((16, 1), np.float32), ("g",), tuple(map(str, range(16))),
        y=np.array([0] * 10 + [1] * 4 + [2] * 2), classes=("common", "rare", "rarest", "absent"),
    )  # fmt: skip
    assert small_classes(many, 5) == (("rarest", 2), ("rare", 4))
    assert small_classes(many, 2) == ()
    with pytest.raises(InputError, match=r"class 'rarest' has 2 samples \(and 'rare' 4\)\. Choose 2 folds"):
        make_folds(many, 5, 0)
    with pytest.raises(InputError, match="1 folds"):
        make_folds(many, 1, 0)


def test_groups_count_not_rows():
    y = [0] * 8 + [1] * 8
    assert largest_fold_count(cohort(y, np.repeat([0, 1, 2, 3], 4))) == 2


def test_the_class_in_the_fewest_groups_is_named_however_many_rows_it_has():
    y, groups = [0] * 9 + [1] * 3, np.r_[np.zeros(9, int), 1, 2, 3]
    assert class_sizes(cohort(y, groups)).tolist() == [1, 3]
    with pytest.raises(InputError, match=r"'common' has 1 group\."):
        make_folds(cohort(y, groups), 2, 0)


def test_no_labels_and_one_class_are_said():
    with pytest.raises(InputError, match="no labels"):
        make_folds(cohort([None] * 5), 5, 0)
    with pytest.raises(InputError, match="'common'"):
        make_folds(cohort([0] * 5), 5, 0)


def test_the_held_out_part_is_a_fifth():
    train, test = hold_out(cohort([0] * 50 + [1] * 50), 0)
    assert (len(train), len(test)) == (80, 20)


@pytest.mark.parametrize("rare", [2, 3, 4])
def test_a_rare_class_keeps_the_fifth_and_is_on_both_sides(rare):
    y = np.array([0] * (50 - rare) + [1] * rare)
    train, test = hold_out(cohort(y), 0)
    assert len(test) == 10
    assert set(y[train]) == set(y[test]) == {0, 1}


def test_a_rare_class_of_groups_is_in_the_training_rows():
    groups = np.repeat(np.arange(14), 3)
    y = np.repeat([0] * 12 + [1] * 2, 3)
    train, test = hold_out(cohort(y, groups), 0)
    assert not set(groups[train]) & set(groups[test])
    assert 6 <= len(test) <= 12
    assert set(y[train]) == {0, 1}


def test_classes_that_are_all_small_part_as_far_as_they_go():
    train, test = hold_out(cohort([0] * 3 + [1] * 3), 0)
    assert (len(train), len(test)) == (4, 2)
    with pytest.raises(InputError, match="Leave that class out"):
        hold_out(cohort([0] * 20 + [1]), 0)


def test_a_rare_class_is_named_with_its_size():
    assert "'rare' (2)" in rare_class_note(cohort([0] * 20 + [1] * 2))
    assert rare_class_note(cohort([0] * 20 + [1] * 5)) == ""
