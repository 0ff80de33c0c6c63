"""What stands beside the features and is none, tables without samples, and values on another scale."""

import time

import numpy as np
import pytest

from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.io.tables.read import read_table

RNG = np.random.default_rng(8)
N = 30
GENES = "MXRA8 TNFRSF18 SCNN1D ACAP3 PUSL1 DVL1 CCNL2 MRPL20 VWA1 SSU72 MIB2 CDK11A NADK GNB1 SKI PEX10 HES5 IL6 TP53 KRAS MYC VIM".split()  # noqa: SIM905, E501
X = RNG.normal(8, 1.5, (N, len(GENES))).round(3)
IDS = [f"L{i:02d}" for i in range(N)]


def read(header, rows, name="t.csv"):
    made = "\n".join([",".join(map(str, header)), *(",".join(map(str, row)) for row in rows)]) + "\n"
    table = read_table(made.encode(), name)
    return table, validate(table)


def beside(columns, label=True):
    """A table of genes with these columns in front of them."""
    header = ["sample", *columns, *GENES, *(["label"] if label else [])]
    rows = [
        [IDS[i], *(values[i] for values in columns.values()), *X[i], *(["AB"[i % 2]] if label else [])]
        for i in range(N)
    ]
    return read(header, rows)


def codes(report):
    return {m.code for m in report.messages}


@pytest.mark.parametrize(
    "columns",
    [
        {"grade": [i % 4 + 1 for i in range(N)]},
        {"clone": ["+1" if i % 2 else "-2" for i in range(N)]},
        {"batch": [i % 3 for i in range(N)], "age": RNG.integers(20, 80, N).tolist()},
        {"total_counts": X.sum(axis=1).round(3).tolist()},
        {f"class_{word}": [int(i % 3 == k) for i in range(N)] for k, word in enumerate("ABC")},
    ],
)
def test_columns_named_and_filled_unlike_the_genes_beside_them_are_no_genes(columns):
    table, report = beside(columns)
    assert to_dataset(table, report, "t").feature_names == tuple(GENES)
    assert codes(report) & {"unlike-features", "label-in-pieces"}
    assert set(report.roles.set_aside) == set(columns)


def test_the_only_column_that_sorts_the_samples_is_proposed_as_the_label_and_may_be_a_feature():
    table, report = beside({"grade": [i % 4 + 1 for i in range(N)]}, label=False)
    assert report.roles.target == "grade"
    assert "label-guessed" in codes(report)
    import dataclasses

    kept = validate(table, dataclasses.replace(report.roles, target=None))
    assert to_dataset(table, kept, "t").feature_names == ("grade", *GENES)


def test_a_column_of_another_name_with_values_as_the_genes_stays_and_is_told():
    table, report = beside({"signal_strength": RNG.normal(8, 1, N).round(3).tolist()})
    assert "signal_strength" in to_dataset(table, report, "t").feature_names
    assert "named-unlike" in codes(report)


def test_rows_of_a_few_whole_numbers_above_the_genes_are_no_genes():
    samples = [f"GSM{1000 + i}" for i in range(N)]
    rows = [["Gruppe", *(i % 2 + 1 for i in range(N))], *([gene, *X[:, j]] for j, gene in enumerate(GENES))]
    table, report = read(["gene", *samples], rows)
    assert report.roles.target == "Gruppe"
    assert to_dataset(table, report, "t").feature_names == tuple(GENES)


@pytest.mark.parametrize("form", ["{0}.{1}", "{1}.{0}"])
def test_of_several_measures_of_a_sample_one_is_read_and_the_others_are_told(form):
    kinds = ("Signal", "Detection Pval", "Avg_NBEADS")
    samples = [f"s{i}" for i in range(6)]
    values = {"Signal": X[:6].T, "Detection Pval": X[:6].T / 1000, "Avg_NBEADS": (X[:6].T * 3).round()}
    header = ["PROBE_ID", *(form.format(s, kind) for s in samples for kind in kinds)]
    rows = [[f"ILMN_{j}", *(values[kind][j, i] for i in range(6) for kind in kinds)] for j in range(len(GENES))]
    table, report = read(header, rows)
    dataset = to_dataset(table, report, "t")
    assert list(dataset.sample_ids) == [form.format(s, "Signal") for s in samples]
    np.testing.assert_allclose(dataset.X, X[:6], rtol=1e-5)
    assert "measures" in codes(report)


def test_measurements_before_and_after_are_no_measures_of_samples():
    names = ["crp_pre", "crp_post", "ldh_pre", "ldh_post"]
    values = np.column_stack([RNG.normal(9, 2, (N, 2)), RNG.normal(300, 40, (N, 2))]).round(2)
    table, report = read(["id", *names], [[IDS[i], *values[i]] for i in range(N)])
    assert to_dataset(table, report, "t").feature_names == tuple(names)


def test_results_of_a_comparison_and_long_tables_hold_no_samples():
    header = ["ID", "logFC", "AveExpr", "t", "P.Value", "adj.P.Val", "B"]
    rows = [[f"{200000 + i}_at", *RNG.normal(0, 1, 3).round(3), *RNG.random(2).round(4), 1.5] for i in range(N)]
    assert "results-only" in codes(read(header, rows)[1])
    rows = [[f"A{i}", assay, round(5 + RNG.random(), 3)] for i in range(8) for assay in ("IL6", "TNF", "CXCL9", "IL8")]
    assert "long-table" in codes(read(["SampleID", "Assay", "NPX"], rows)[1])
    rows = [[f"P{i}", visit, round(5 + RNG.random(), 3)] for i in range(8) for visit in ("v1", "v2", "v3", "v4")]
    assert "long-table" not in codes(read(["patient", "visit", "crp"], rows)[1])


@pytest.mark.parametrize(
    ("name", "low", "high", "slip"), [("temp", 36, 39, 366), ("pH", 7.3, 7.5, 74.1), ("height", 150, 190, 1.75)]
)
def test_a_decimal_sign_in_the_wrong_place_is_told(name, low, high, slip):
    values = RNG.uniform(low, high, N).round(2)
    values[6] = slip
    _, report = read(["id", name, "crp"], [[IDS[i], values[i], round(RNG.gamma(2, 9), 1)] for i in range(N)])
    assert [m.value for m in report.messages if m.code == "slipped"] == [f"{slip:.6g}"]


def test_a_sample_without_the_logarithm_of_the_others_is_told():
    values = X.copy()
    values[4] = (2 ** values[4]).round(2)
    _, report = read(["sample", *GENES], [[IDS[i], *values[i]] for i in range(N)])
    assert [m.row for m in report.messages if m.code == "sample-scale"] == [6]
    assert "sample-scale" not in codes(beside({})[1])


@pytest.mark.parametrize("title", ["record_id", "Patient No.", "Fall-Nr"])
def test_numbers_of_subjects_with_several_rows_are_a_group(title):
    header = ["sample", title, "crp", "ldh", "label"]
    rows = [[IDS[i], 1000 + i // 2, *X[i, :2], "AB"[i // 2 % 2]] for i in range(N)]
    _, report = read(header, rows)
    assert (report.roles.group, report.n_features) == (title, 2)
    _, report = read(header[1:], [row[1:] for row in rows])
    assert report.roles.group == title


def test_whole_numbers_that_could_be_a_label_are_named():
    _, report = read(["id", "crp", "ldh", "relapse"], [[IDS[i], *X[i, :2], i % 2] for i in range(N)])
    assert [m.column for m in report.messages if m.code == "label-unclear"] == ["relapse"]


def test_a_header_that_is_the_first_gene_is_told_with_samples_in_columns():
    rows = [[f"ENSG{j:011d}", *RNG.poisson(50, 6)] for j in range(40)]
    assert "header-is-data" in codes(read(rows[0], rows[1:])[1])


def test_twenty_thousand_columns_are_judged_in_a_moment():
    names = [f"ENSG{j:011d}" for j in range(20_000)]
    rows = [[f"S{i}", *np.round(RNG.normal(8, 1, 20_000), 1).tolist()] for i in range(12)]
    table, _ = read(["sample", "batch", *names], [[row[0], i % 3, *row[1:]] for i, row in enumerate(rows)])
    start = time.process_time()
    report = validate(table)
    assert time.process_time() - start < 4  # a step for every pair of columns takes a quarter of a minute
    assert report.roles.set_aside == ("batch",) or report.roles.target == "batch"
