"""Our own tables are read as they were written: by pandas, by R's conventions and by this program."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.io.tables.export import NOTICE, csv_table
from genomap_core.io.tables.read import read_table

IDS = [f"#S{i}" if i % 3 == 0 else f"S, {i}" if i % 3 == 1 else f'the "{i}"th' for i in range(24)]
GENES = ["# of nodes", "HLA-A", "a;b", "x|y", "Zürich", "TP53"]


@pytest.fixture(scope="module")
def written():
    """Values, labels and the file."""
    X = np.random.default_rng(0).normal(8, 2, (24, len(GENES))).round(3)
    labels = ["case" if i % 2 else "control" for i in range(24)]
    rows = ((name, *map(float, row), label) for name, row, label in zip(IDS, X, labels, strict=True))
    return X, labels, csv_table(("sample_id", *GENES, "label"), rows)


def test_pandas_reads_it_with_its_defaults(written):
    X, labels, content = written
    assert NOTICE.encode() not in content
    frame = pd.read_csv(io.BytesIO(content), index_col=0)
    assert list(frame.index) == IDS
    assert list(frame.columns) == [*GENES, "label"]
    np.testing.assert_allclose(frame[GENES], X, rtol=1e-5)
    assert list(frame["label"]) == labels


def test_this_program_reads_it_as_it_was(written):
    X, labels, content = written
    table = read_table(content, "own.csv")
    report = validate(table)
    dataset = to_dataset(table, report, "own")
    assert list(dataset.sample_ids) == IDS
    assert list(dataset.feature_names) == GENES
    np.testing.assert_allclose(dataset.X, X, rtol=1e-5)
    assert [dataset.classes[k] for k in dataset.y] == labels


def as_r_writes(frame: pd.DataFrame, delimiter: str, corner: bool, all_quoted: bool) -> bytes:
    """``write.csv`` (a nameless corner, words quoted, quotes doubled) and ``write.table(sep, quote)`` (no corner)."""

    def cell(value: object) -> str:
        text = "NA" if value is None or value != value else str(value)
        return text if not isinstance(value, str) or (not all_quoted and delimiter not in text) else quoted(text)

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [delimiter.join([*(['""'] if corner else []), *map(quoted, frame.columns)])]
    lines += [
        delimiter.join([quoted(str(name)), *map(cell, row)])
        for name, row in zip(frame.index, frame.itertuples(index=False))
    ]
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("corner", [True, False], ids=["write.csv", "write.table"])
@pytest.mark.parametrize("delimiter", [",", "\t", " "])
def test_what_r_makes_of_it_is_read_as_it_was(written, delimiter, corner):
    _, labels, content = written
    frame = pd.read_csv(io.BytesIO(content), index_col=0)
    frame.iloc[3, 2] = np.nan
    table = read_table(as_r_writes(frame, delimiter, corner, True), "r.txt")
    dataset = to_dataset(table, validate(table), "r")
    assert list(dataset.sample_ids) == IDS
    assert list(dataset.feature_names) == GENES
    np.testing.assert_allclose(dataset.X, frame[GENES].to_numpy(float), rtol=1e-5)
    assert [dataset.classes[k] for k in dataset.y] == labels


def test_every_cell_is_one_cell(written):
    rows = list(csv.reader(io.StringIO(written[2].decode(), newline="")))
    assert {len(row) for row in rows} == {len(GENES) + 2}
