"""Genes in rows are recognised and turned round; places in messages stay those of the file."""

import numpy as np
import pytest

from genomap_core.data.schema.orientation import judge_orientation
from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.io.tables.read import read_table

VALUES = np.round(np.random.default_rng(0).normal(8, 2, (10, 12)), 3)
GENES = ["TP53", "BRCA1", "EGFR", "MYC", "KRAS", "PTEN", "GAPDH", "ACTB", "CD19", "VIM", "RB1", "AKT1"]
SAMPLES = [f"GSM{i}" for i in range(10)]


def turned(extra_rows=(), header="gene", genes=GENES, samples=SAMPLES, description=False):
    """CSV text with genes in rows."""
    more = ["Description"] if description else []
    lines = [",".join([header, *more, *samples])]
    lines += [",".join(row) for row in extra_rows]
    for gene, row in zip(genes, VALUES.T):
        lines.append(",".join([gene, *(["a protein"] if description else []), *map(str, row)]))
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "text",
    [
        turned(),
        turned(header="x"),
        turned(header="ID_REF", genes=[f"{i}_at" for i in range(12)]),
        turned(header="Name", description=True),
    ],
)
def test_genes_in_rows_are_turned_round(text):
    table = read_table(text, "t.csv")
    report = validate(table)
    dataset = to_dataset(table, report, "t")
    assert report.roles.orientation == "genes_in_rows"
    assert "genes-in-rows" in {m.code for m in report.messages if m.severity == "warn"}
    np.testing.assert_allclose(dataset.X, VALUES, rtol=1e-6)
    assert dataset.X.flags.c_contiguous
    assert dataset.sample_ids == tuple(SAMPLES)
    assert dataset.feature_names[0] in ("TP53", "0_at")


def test_a_row_of_labels_becomes_the_target():
    labels = ["tumor" if i % 3 else "normal" for i in range(10)]
    table = read_table(turned([["diagnosis", *labels]]), "t.csv")
    report = validate(table)
    dataset = to_dataset(table, report, "t")
    assert report.roles.target == "diagnosis"
    assert [dataset.classes[k] for k in dataset.y] == labels
    assert dataset.n_features == 12


def test_problems_keep_their_place_in_the_file():
    text = turned(genes=[*GENES[:-1], "TP53"]).decode().split("\n")
    text[3] = text[3].replace(text[3].split(",")[2], "bad")
    report = validate(read_table("\n".join(text).encode(), "t.csv"))
    odd = next(m for m in report.messages if m.code == "not-a-number")
    assert (odd.column, odd.row, odd.value) == ("GSM1", 4, "bad")
    twice = next(m for m in report.messages if m.code == "duplicate-feature")
    assert "rows 2, 13" in twice.text


@pytest.mark.parametrize(
    ("columns", "ids"),
    [
        (GENES, [f"S{i}" for i in range(12)]),
        (["age", "bmi", "glucose"], [f"P{i}" for i in range(12)]),
        ([f"f{j}" for j in range(5)], [f"gene_{i}" for i in range(3)]),
    ],
)
def test_samples_in_rows_stay_so(columns, ids):
    lines = ["patient," + ",".join(columns)]
    lines += [f"{name}," + ",".join(str(VALUES[i % 10, j]) for j in range(len(columns))) for i, name in enumerate(ids)]
    found = judge_orientation(read_table("\n".join(lines).encode(), "t.csv"))
    assert not found.turned
    assert not found.doubtful or ids[0].startswith("gene_")


def test_a_label_column_speaks_for_samples_in_rows():
    lines = ["gene,a,b,label"] + [f"{g},1,2,x" for g in GENES]
    assert not judge_orientation(read_table("\n".join(lines).encode(), "t.csv")).turned
