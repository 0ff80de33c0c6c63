"""A table becomes a data set: roles found and corrected, every problem at once, values exactly those of the file."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.data.schema.roles import ID_STEM, Roles
from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.data.table import OddCell, Table, TextColumn
from genomap_core.errors import InputError

RNG = np.random.default_rng(5)


def table(columns, odd=(), sparse=False):
    """A table of lists of strings (text) and arrays (numbers), as a reader would give it."""
    names = tuple(columns)
    texts = {j: TextColumn.of(c) for j, c in enumerate(columns.values()) if isinstance(c, list)}
    number_at = np.array([j for j in range(len(names)) if j not in texts], int)
    numbers = [np.asarray(c, np.float32) for c in columns.values() if not isinstance(c, list)]
    n = len(next(iter(columns.values())))
    array = np.column_stack(numbers) if numbers else np.empty((n, 0), np.float32)
    values = sp.csr_matrix(array) if sparse else array
    rows = np.arange(2, n + 2, dtype=np.int32)
    return Table("t.csv", names, values, number_at, texts, rows, tuple(OddCell(*c) for c in odd))


def cohort(n=30, p=8, **more):
    """A clean one: ids, p features, two classes."""
    columns = {"sample_id": [f"S{i}" for i in range(n)]}
    columns |= {f"g{j}": RNG.normal(10, 2, n) for j in range(p)}
    columns["label"] = [("normal", "tumor", "tumor")[i % 3] for i in range(n)]
    return columns | more


def codes(report, *severities):
    return {m.code for m in report.messages if not severities or m.severity in severities}


def test_a_clean_table_is_ok_and_keeps_its_values_without_a_copy():
    t = table(cohort())
    report = validate(t)
    dataset = to_dataset(t, report, "clean")
    assert report.verdict == "ok"
    assert (report.roles.id, report.roles.target, report.roles.group) == ("sample_id", "label", None)
    assert (report.n_samples, report.n_features) == dataset.X.shape == (30, 8)
    assert report.classes == (("normal", 10), ("tumor", 20))
    assert np.shares_memory(dataset.X, t.numbers)
    assert [dataset.classes[k] for k in dataset.y] == t.texts[9].values()
    assert dataset.sample_ids == tuple(f"S{i}" for i in range(30))


def test_every_problem_is_listed_at_once():
    columns = cohort()
    columns["sample_id"][4] = None
    columns["sample_id"][6] = "S5"
    columns["g1"] = np.array(columns["g1"])
    columns["g1"][7] = -999
    columns["visit"] = [f"2020-01-{i + 1:02d}" for i in range(30)]
    columns["label"][3] = "Tumor "
    report = validate(table(columns, odd=[(2, 3, "45%"), (9, 4, "inf")]))
    assert codes(report, "error") == {"missing-id", "duplicate-id", "unit", "infinite"}
    assert codes(report, "warn") == {"sentinel", "dates", "label-variants"}
    by_code = {m.code: m for m in report.messages}
    assert (by_code["unit"].column, by_code["unit"].row, by_code["unit"].value) == ("g2", 4, "45%")
    assert (by_code["sentinel"].column, by_code["sentinel"].row) == ("g1", 9)
    assert by_code["missing-id"].row == 6
    assert all(m.remedy for m in report.messages if m.severity == "error")
    with pytest.raises(InputError, match=r"(?s)4 problems.*45%.*infinite"):
        to_dataset(table(columns, odd=[(2, 3, "45%"), (9, 4, "inf")]), report.roles, "x")


def test_the_user_corrects_the_roles():
    t = table(cohort(grade=[("G1", "G2", "G3")[i % 3] for i in range(30)]))
    report = validate(t)
    assert report.roles.target == "label"
    assert {"sample_id", "label", "grade"} <= set(report.options)
    corrected = validate(t, replace(report.roles, target="grade", set_aside=("label", "g0")))
    dataset = to_dataset(t, corrected, "x")
    assert dataset.classes == ("G1", "G2", "G3")
    assert dataset.feature_names == tuple(f"g{j}" for j in range(1, 8))


def test_a_role_that_names_no_column_is_an_error_with_its_name():
    report = validate(table(cohort()), Roles(id="sample_id", target="diagnosis"))
    (said,) = report.errors
    assert said.code == "no-such-column"
    assert "'diagnosis'" in said.text


def test_a_table_without_labels_is_fine():
    columns = cohort()
    del columns["label"]
    t = table(columns)
    assert validate(t).verdict == "ok"
    assert to_dataset(t, validate(t), "x").y is None


def test_samples_without_a_label_and_features_without_a_value_are_left_out_and_said():
    columns = cohort(empty=np.full(30, np.nan))
    columns["label"][2] = None
    t = table(columns)
    report = validate(t)
    dataset = to_dataset(t, report, "x")
    assert codes(report, "warn") == {"missing-label", "empty-feature"}
    assert dataset.X.shape == (report.n_samples, report.n_features) == (29, 8)
    assert "S2" not in dataset.sample_ids


@pytest.mark.parametrize("policy", ["error", "first", "mean", "keep"])
def test_features_of_one_name_are_an_error_until_the_user_decides(policy):
    t = table(cohort(p=4))
    t = replace(t, columns=("sample_id", "TP53", "g1", "TP53", "g3", "label"))
    roles = replace(validate(t).roles, duplicates=policy)
    report = validate(t, roles)
    (said,) = [m for m in report.messages if m.code == "duplicate-feature"]
    assert "columns 2, 4" in said.text
    if policy == "error":
        assert said.severity == "error"
        return
    dataset = to_dataset(t, report, "x")
    expected = {"first": t.numbers[:, 0], "mean": t.numbers[:, [0, 2]].mean(axis=1), "keep": t.numbers[:, 0]}[policy]
    np.testing.assert_allclose(dataset.X[:, 0], expected, rtol=1e-6)
    names = ("TP53", "g1", "TP53 (2)", "g3") if policy == "keep" else ("TP53", "g1", "g3")
    assert dataset.feature_names == names


def test_marks_and_odd_cells_become_missing_on_request_only():
    columns = cohort()
    columns["g0"][3] = -999
    t = table(columns, odd=[(5, 2, "high")])
    t.numbers[5, 1] = np.nan
    roles = replace(validate(t).roles, not_numbers="missing", missing_values=(-999.0,))
    report = validate(t, roles)
    dataset = to_dataset(t, report, "x")
    assert report.verdict == "warn"
    assert np.argwhere(np.isnan(dataset.X)).tolist() == [[3, 0], [5, 1]]
    assert t.numbers[3, 0] == -999, "the table itself must not change"


def test_a_logarithm_is_proposed_for_counts_taken_when_chosen_and_said():
    counts = RNG.negative_binomial(1, 0.005, (40, 60)).astype(float)
    columns = {"id": [f"s{i}" for i in range(40)]} | {f"g{j}": counts[:, j] for j in range(60)}
    t = table(columns)
    report = validate(t)
    assert report.roles.log == "log2(1+x)"
    assert report.unit == "log2(1 + count)"
    assert codes(report, "warn") == {"log-taken"}
    np.testing.assert_allclose(to_dataset(t, report, "x").X, np.log2(1 + counts), rtol=1e-5)
    plain = validate(t, replace(report.roles, log="as is"))
    np.testing.assert_array_equal(to_dataset(t, plain, "x").X, counts.astype(np.float32))
    assert plain.unit == "count"


def test_no_logarithm_of_negative_values():
    report = validate(table(cohort(neg=RNG.normal(size=30))), Roles("sample_id", "label", log="log2(1+x)"))
    assert "log-of-negative" in codes(report, "error")


def test_groups_come_from_a_patient_column_or_from_numbered_ids():
    t = table(cohort(patient_id=[f"P{i // 3}" for i in range(30)]))
    report = validate(t)
    assert report.roles.group == "patient_id"
    assert len(set(to_dataset(t, report, "x").groups.tolist())) == 10
    columns = cohort()
    columns["sample_id"] = [f"m{i // 5}_{i % 5 + 1}" for i in range(30)]
    t = table(columns)
    report = validate(t)
    assert report.roles.group == ID_STEM
    np.testing.assert_array_equal(to_dataset(t, report, "x").groups, np.arange(30) // 5)


def test_ids_that_only_count_are_no_repeats():
    columns = cohort()
    columns["sample_id"] = [f"sample_{i}" for i in range(30)]
    assert validate(table(columns)).roles.group is None


def test_omics_types_are_told_by_prefix():
    columns = {"id": [f"s{i}" for i in range(20)]}
    columns |= {f"{kind}:x{j}": RNG.normal(size=20) for kind in ("mrna", "protein") for j in range(3)}
    t = table(columns)
    report = validate(t)
    dataset = to_dataset(t, report, "x")
    assert report.omics == dataset.omics_names == ("mrna", "protein")
    assert dataset.omics.tolist() == [0, 0, 0, 1, 1, 1]


def test_sparse_values_stay_sparse_and_equal_the_dense_ones():
    columns = cohort(p=60)
    for j in range(60):
        columns[f"g{j}"] = RNG.poisson(0.3, 30) * RNG.integers(0, 400, 30)
    columns["sex"] = ["F", "M", "M"] * 10
    dense, sparse = table(columns), table(columns, sparse=True)
    a, b = (to_dataset(t, validate(t), "x") for t in (dense, sparse))
    assert sp.issparse(b.X)
    order = [b.feature_names.index(name) for name in a.feature_names]
    np.testing.assert_allclose(b.X.toarray()[:, order], a.X, rtol=1e-6)
    assert codes(validate(dense)) == codes(validate(sparse))


def test_report_and_data_set_agree_for_any_roles():
    t = table(cohort(sex=["F", "M", "M"] * 10, notes=[f"free text {i}" for i in range(30)]))
    for roles in (Roles(), Roles("sample_id"), Roles("sample_id", "sex"), Roles("sample_id", "label", "sex")):
        report = validate(t, roles)
        dataset = to_dataset(t, report, "x")
        assert dataset.X.shape == (report.n_samples, report.n_features)
        assert tuple((c, int((dataset.y == k).sum())) for k, c in enumerate(dataset.classes)) == report.classes


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_validate_never_raises_and_the_data_set_never_differs_from_the_table(data):
    """Random small tables: whatever is in them, there is a report; without errors, cells come out as they went in."""
    n = data.draw(st.integers(0, 12))
    words = st.one_of(
        st.none(), st.sampled_from(["a", "b", "A ", "1", "0", "yes", "S1", "S2", "", "2020-01-01", "x\u200b"])
    )
    number = st.one_of(st.just(np.nan), st.sampled_from([0, 1, -999, 1e-40, 3e38]), st.floats(-5, 500, width=32))
    kinds = data.draw(st.lists(st.booleans(), min_size=1, max_size=6))
    names = st.sampled_from(["id", "label", "a", "b", "", "TP53", "2-Sep", "name", "12.5", "patient"])
    columns = [data.draw(st.lists(words if text else number, min_size=n, max_size=n)) for text in kinds]
    titles = tuple(data.draw(names) for _ in kinds)
    at = [j for j, text in enumerate(kinds) if not text]
    values = np.array([columns[j] for j in at], np.float32).T.reshape(n, len(at))
    texts = {j: TextColumn.of(columns[j]) for j, text in enumerate(kinds) if text}
    t = Table("t", titles, values, np.array(at, int), texts, np.arange(2, n + 2, dtype=np.int32))
    before = values.copy()
    report = validate(t)
    if report.errors:
        with pytest.raises(InputError):
            to_dataset(t, report, "x")
    else:
        dataset = to_dataset(t, report, "x")
        assert dataset.X.shape == (report.n_samples, report.n_features)
    np.testing.assert_array_equal(t.numbers, before)


def test_columns_set_aside_are_kept_beside_the_patients_unless_they_may_identify_them():
    n = 30
    columns = cohort(
        n,
        age=np.arange(n) + 40.0,
        sex=[("female", "male")[i % 2] for i in range(n)],
        surname=[f"Smith{i}" for i in range(n)],
        remark=[f"seen on day {i}" for i in range(n)],
        born=[f"19{50 + i}-01-02" for i in range(n)],
    )
    roles = replace(validate(table(columns)).roles, set_aside=("age", "sex", "surname", "remark", "born"))
    report = validate(table(columns), roles)
    dataset = to_dataset(table(columns), report, "t")
    assert dict(dataset.clinical).keys() == {"age", "sex"}
    assert dict(dataset.clinical)["age"][:2] == ("40", "41")
    assert dict(dataset.take([3, 0]).clinical)["sex"] == ("male", "female")
    assert not {"age", "sex"} & set(dataset.feature_names), "nothing is learned from them"
