import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError


def cohort(n=6, p=4, **changes):
    rng = np.random.default_rng(n * 100 + p)
    values = {
        "name": "cohort",
        "X": rng.normal(size=(n, p)).astype(np.float32),
        "feature_names": tuple(f"g{j}" for j in range(p)),
        "sample_ids": tuple(f"s{i}" for i in range(n)),
        "y": np.arange(n) % 2,
        "classes": ("no", "yes"),
        "groups": np.arange(n) // 2,
        "omics": np.arange(p) % 2,
        "omics_names": ("rna", "cnv"),
        "unit": "z-score",
        "planted": ("g1",),
        "clinical": (("sex", tuple("fm"[i % 2] for i in range(n))),),
    }
    return Dataset(**{**values, **changes})


@pytest.mark.parametrize(
    "changes", [{"sample_ids": ("a",)}, {"feature_names": ()}, {"y": np.zeros(2, int)}, {"omics": np.zeros(9, int)}]
)
def test_lengths_that_disagree_are_named(changes):
    with pytest.raises(InputError, match=r"6 samples x 4 features"):
        cohort(**changes)


def test_a_label_code_without_a_class_is_refused():
    with pytest.raises(InputError, match="beyond the 2 classes"):
        cohort(y=np.array([0, 1, 2, 0, 1, 0]))


@given(row=st.integers(0, 5), column=st.integers(0, 3))
def test_one_changed_cell_changes_the_digest(row, column):
    before = cohort()
    X = before.X.copy()
    X[row, column] += 1
    assert cohort(X=X).digest != before.digest == cohort().digest


@pytest.mark.parametrize("sparse", [False, True])
def test_a_saved_cohort_reads_back_the_same(tmp_path, sparse):
    before = cohort()
    if sparse:
        before = cohort(X=sp.csr_matrix(np.maximum(before.X, 0)))
    before.save(tmp_path / "d.npz")
    after = Dataset.load(tmp_path / "d.npz")
    assert after.digest == before.digest
    for part in ("name", "planted", "omics_names", "clinical"):
        assert getattr(after, part) == getattr(before, part)


def test_missing_labels_stay_missing_through_a_file(tmp_path):
    cohort(y=None, groups=None, classes=()).save(tmp_path / "d.npz")
    after = Dataset.load(tmp_path / "d.npz")
    assert after.y is None
    assert after.groups is None


@settings(max_examples=25)
@given(rows=st.lists(st.integers(0, 5), min_size=1, max_size=8), columns=st.lists(st.integers(0, 3), min_size=1))
def test_rows_and_columns_keep_their_names(rows, columns):
    before = cohort()
    after = before.take(rows).select(columns)
    np.testing.assert_array_equal(after.X, before.X[np.ix_(rows, columns)])
    assert after.sample_ids == tuple(before.sample_ids[i] for i in rows)
    assert after.feature_names == tuple(before.feature_names[j] for j in columns)
    np.testing.assert_array_equal(after.omics, before.omics[columns])
    np.testing.assert_array_equal(after.y, before.y[rows])
