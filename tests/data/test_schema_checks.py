"""Single checks: what each must find, and what it must leave alone."""

import numpy as np
import pytest
import scipy.sparse as sp

from genomap_core.data.schema.check import clean_labels, date_gene, same_label
from genomap_core.data.schema.encode import encode
from genomap_core.data.schema.statistics import column_stats, equal_columns, equal_rows, sample_values
from genomap_core.data.schema.validate import validate
from genomap_core.data.schema.words import is_phi_name
from genomap_core.data.table import TextColumn
from genomap_core.io.tables.read import read_table

RNG = np.random.default_rng(2)


def report(columns, n=30):
    """Validate CSV text made of columns; ``sample_id`` is put in front."""
    names = ["sample_id", *columns]
    lines = [",".join(names)]
    lines += [",".join([f"S{i}", *(str(c[i]) for c in columns.values())]) for i in range(n)]
    return validate(read_table("\n".join(lines).encode(), "t.csv"))


def found(columns, code, n=30):
    return [m for m in report(columns, n).messages if m.code == code]


def features(p=6, n=30):
    return {f"g{j}": np.round(RNG.normal(9, 2, n), 3) for j in range(p)}


LABEL = {"label": ["a", "b", "b"] * 10}


# --- labels


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Tumor", "tumor ", True),
        ("non-responder", "Non Responder", True),
        ("grade_1", "Grade 1", True),
        ("ER+", "ER-", False),
        ("c-1", "c1", False),
        ("<50", ">50", False),
        ("1 2", "12", False),
    ],
)
def test_spellings_of_one_label_are_told_from_other_labels(one, other, same):
    assert (same_label(one) == same_label(other)) == same


def test_variants_are_merged_into_the_most_frequent_spelling_and_only_if_wanted():
    given = TextColumn.of(["Tumor", "tumor ", "tumor", "tumor", "normal", None])
    assert clean_labels(given, True).values() == ["tumor"] * 4 + ["normal", None]
    assert clean_labels(given, False).values() == ["Tumor", "tumor", "tumor", "tumor", "normal", None]


@pytest.mark.parametrize(
    ("labels", "code", "severity"),
    [
        (["a"] * 30, "one-class", "error"),
        ([f"id{i}" for i in range(30)], "unique-label", "error"),
        ([f"{i * 1.37:.2f}" for i in range(25)] + ["1.37"] * 5, "label-is-measurement", "error"),
        (["rare"] + ["a", "b", "b"] * 9 + ["a", "b"], "single-sample-class", "error"),
        (["rare"] * 3 + ["a", "b", "b"] * 9, "small-class", "warn"),
        (["0", "1", "1"] * 10, "number-labels", "warn"),
        (["tumour"] * 20 + ["tumor"] + ["normal"] * 9, "label-typo", "warn"),
        (["Tumor"] * 5 + ["tumor"] * 10 + ["normal"] * 15, "label-variants", "warn"),
    ],
)
def test_labels_that_no_model_can_use_as_they_are(labels, code, severity):
    (said,) = found(features() | {"label": labels}, code)
    assert said.severity == severity
    assert said.column == "label"


def test_a_feature_that_copies_the_label_or_sorts_it_without_mistake_is_a_leak():
    label = np.array(["a", "b", "b"] * 10)
    leaks = {
        "dx_code": np.where(label == "a", 1, 0),
        "score": np.where(label == "a", 5, 0) + np.linspace(0, 1, 30).round(3),
    }
    said = found(features() | leaks | {"stage": np.where(label == "a", "early", "late")} | LABEL, "leak")
    assert {m.column for m in said} == {"dx_code", "score", "stage"}
    assert "equals the label" in next(m for m in said if m.column == "dx_code").text


def test_chance_alone_is_no_leak():
    """Of 3,000 random features some sort 4 + 4 samples perfectly: 3,000 * 2 / 70 are expected."""
    columns = {f"g{j}": RNG.normal(size=8).round(4) for j in range(3000)} | {"label": ["a", "b"] * 4}
    assert found(columns, "leak", n=8) == []


# --- values


def test_constant_and_equal_features_and_equal_samples_are_found():
    columns = features(8)
    columns["g3"] = np.full(30, 5.0)
    columns["g6"] = columns["g1"]
    columns = {name: np.where(np.arange(30) == 9, c[4], c) for name, c in columns.items()}
    messages = {m.code: m for m in report(columns | LABEL).messages}
    assert "g3" in messages["constant-feature"].text
    assert "g6 = g1" in messages["equal-features"].text
    assert "row 11 = row 6" in messages["equal-samples"].text


def test_groups_written_as_0_and_1_make_nobody_a_duplicate():
    """Every other patient shares the groups of another one; a copied row among measured values is still found."""
    group = np.arange(30) % 6
    columns = {f"group {k}": (group == k).astype(int) for k in range(6)}
    assert found(columns | LABEL, "equal-samples") == []
    assert len(found({k: np.r_[c[:29], c[3]] for k, c in features(8).items()} | LABEL, "equal-samples")) == 1


@pytest.mark.parametrize(
    ("mark", "told"), [(-999, True), (9999, True), (-99, True), (999, True), (12.5, False), (-9.5, False)]
)
def test_sentinels_far_outside_are_told(mark, told):
    columns = features()
    columns["g2"][[4, 7]] = mark
    said = found(columns | LABEL, "sentinel")
    assert bool(said) == told
    if told:
        assert (said[0].column, said[0].row, said[0].value) == ("g2", 6, f"{mark}")


def test_a_value_of_999_within_the_range_is_no_sentinel():
    columns = features() | {"g0": np.r_[np.arange(960, 989), 999]}
    assert found(columns | LABEL, "sentinel") == []


def test_zeros_apart_are_told_in_clinical_tables_only():
    glucose = {"glucose": np.r_[0, 0, RNG.integers(70, 180, 28)]}
    assert found(glucose | LABEL, "zeros-apart")
    assert not found(features(60) | glucose | LABEL, "zeros-apart")
    assert not found({"children": RNG.integers(0, 6, 30)} | LABEL, "zeros-apart")


@pytest.mark.parametrize("name", ["log1p", "log2", "log10"])
def test_logarithms_of_counts_are_recognised(name):
    counts = RNG.poisson(6, (30, 8))
    take = {"log1p": np.log1p, "log2": lambda c: np.log2(1 + c), "log10": lambda c: np.log10(1 + c)}[name]
    columns = {f"g{j}": take(counts[:, j]).round(4) for j in range(8)}
    (said,) = found(columns | LABEL, "log-scale")
    assert said.severity == "warn"
    assert {"log1p": "log(1", "log2": "log2(1", "log10": "log10(1"}[name] in said.text


def test_intensities_over_four_orders_of_magnitude_are_told_as_linear():
    columns = {f"g{j}": np.exp(RNG.normal(5, 2, 30)).round(3) for j in range(60)}
    (said,) = found(columns | LABEL, "log-taken")
    assert said.severity == "warn"


# --- names and identifiers


@pytest.mark.parametrize(
    ("name", "gene"),
    [("2-Sep", "SEPT2"), ("Mar-01", "MARCH1"), ("1-Dec", "DEC1"), ("2024-09-02", "SEPT2"), ("TP53", ""), ("SEPT2", "")],
)
def test_excel_dates_name_the_gene_they_were(name, gene):
    assert date_gene(name) == gene


def test_a_header_of_numbers_is_data_unless_it_is_an_axis_or_codes():
    assert found({"36.686": features()["g0"], "52.7": features()["g1"], "a": ["a", "b", "b"] * 10}, "header-is-data")
    assert not found({f"{x:.1f}": features()["g0"] for x in np.arange(100, 110, 0.5)} | LABEL, "header-is-data")
    assert not found({str(x): features()["g0"] for x in (21652, 25725, 144, 21)} | LABEL, "header-is-data")


@pytest.mark.parametrize("text", ["1e999", "1e999,g\n1,2\n3,4\n", "1e999,-1e999,2\n1,2,3\n4,5,6\n"])
def test_a_header_of_numbers_beyond_all_numbers_is_answered(text):
    """Found by fuzzing: no whole number is as large as the first name."""
    assert validate(read_table(text.encode(), "t.csv")).messages


@pytest.mark.parametrize(
    ("name", "identifies"),
    [
        ("patient_name", True),
        ("DOB", True),
        ("Patient DOB", True),
        ("home-address", True),
        ("e-mail", True),
        ("MRN", True),
        ("HLA-DOB", False),
        ("HLA-DOB_E432_R", False),
        ("gene_name", False),
        ("addressing", False),
        ("TP53", False),
    ],
)
def test_names_of_direct_identifiers(name, identifies):
    assert is_phi_name(name) == identifies


def test_identifying_columns_are_set_aside_and_their_values_never_shown():
    people = {
        "patient_name": [f"Doe{i}" for i in range(30)],
        "contact": [f"john{i}@example.org" for i in range(30)],
        "who": ["Doe^John", "ROE^JANE", "POE^ANN"] * 10,
        "zip": [f"{80000 + i}" for i in range(30)],
        "born": ["1970-01-02", "1981-05-06", "1990-11-30"] * 10,
    }
    result = report(features() | people | LABEL)
    assert set(people) <= set(result.roles.set_aside)
    assert result.n_features == 6
    text = " ".join(map(repr, result.messages))
    assert not any(secret in text for secret in ("Doe0", "john", "ROE", "80001", "1970"))


def test_a_column_of_identifiers_chosen_as_id_is_not_quoted():
    from genomap_core.data.schema.roles import Roles

    lines = ["mrn,a,b,label"] + [f"MRN{i // 2},{i * 1.5},{i % 7},{'xy'[i % 2]}" for i in range(20)]
    result = validate(read_table("\n".join(lines).encode(), "t.csv"), Roles(id="mrn", target="label"))
    assert result.errors
    assert "MRN1" not in " ".join(map(repr, result.messages))


def test_a_gene_called_dob_stays_a_feature():
    assert report(features() | {"DOB": features()["g0"]} | LABEL).n_features == 7


# --- words as features


@pytest.mark.parametrize(
    ("words", "names", "values"),
    [
        (["TRUE", "no", "T", "0", None], ("x",), [[1], [0], [1], [0], [np.nan]]),
        (["F", "M", "f", "M", "M"], ("x=M",), [[0], [1], [0], [1], [1]]),
        (["II", "I", "III", "I", None], ("x",), [[1], [0], [2], [0], [np.nan]]),
        (["1.5", "2", "n.d.", None, "3"], ("x",), [[1.5], [2], [np.nan], [np.nan], [3]]),
        (["a", "b", "c", "a", "b", "c"], ("x=a", "x=b", "x=c"), np.tile(np.eye(3), (2, 1))),
    ],
)
def test_words_become_numbers_by_their_kind(words, names, values):
    features, _ = encode("x", TextColumn.of(words))
    assert features is not None
    assert features[0] == names
    np.testing.assert_array_equal(features[1], np.array(values, np.float32))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([f"note {i}" for i in range(30)], "free-text"),
        (["same"] * 9, "constant-text"),
        (["1", "2", "3", "x"] + ["4"] * 30, "not-a-number"),
    ],
)
def test_words_of_no_use_are_set_aside_with_the_reason(words, code):
    features, said = encode("x", TextColumn.of(words))
    assert features is None
    assert said.code == code


# --- statistics of large arrays


@pytest.mark.parametrize("kind", ["rows", "columns", "sparse"])
def test_statistics_agree_with_numpy_in_any_memory_order(kind):
    X = np.where(RNG.random((300, 70)) < 0.6, 0, RNG.normal(size=(300, 70)).round(2)).astype(np.float32)
    X[RNG.random(X.shape) < 0.05] = np.nan
    X[:, 3] = np.nan
    X[:, 5] = 7
    X[:, 9], X[:, 11] = X[:, 8], np.arange(300)
    X[40] = X[2]
    given = {"rows": X, "columns": np.asfortranarray(X), "sparse": sp.csr_matrix(X)}[kind]
    stats = column_stats(given)
    if kind != "sparse":
        np.testing.assert_array_equal(stats.low, np.fmin.reduce(X, axis=0))
        np.testing.assert_array_equal(stats.high, np.fmax.reduce(X, axis=0))
        np.testing.assert_array_equal(stats.whole, [((c == np.rint(c)) | np.isnan(c)).all() for c in X.T])
    np.testing.assert_array_equal(stats.missing, np.isnan(X).sum(axis=0))
    among = np.array([j for j in range(70) if j not in (3, 5)])
    if kind != "sparse":  # NaN differs from NaN in a sparse comparison
        assert equal_columns(given, among) == [(8, 9)]
        assert equal_rows(given) == [(2, 40)]
    assert not np.isnan(sample_values(given)).any()


def test_zero_and_minus_zero_are_equal_values():
    X = RNG.normal(size=(20, 3)).astype(np.float32)
    X[4, 0], X[:, 2] = 0, X[:, 0]
    X[4, 2] = -0.0
    X[4, 0] = 0.0
    assert equal_columns(X, np.arange(3)) == [(0, 2)]
