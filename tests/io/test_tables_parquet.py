"""Parquet: numbers of every type, words, dates, an index; nested and damaged files are errors."""

import datetime
import decimal
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.io.tables.parquet import read_parquet
from genomap_core.io.tables.read import read_table


def write(table, tmp_path, **options):
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, **options)
    return path


def test_a_data_frame_with_its_index_is_read_through_the_child(values):
    frame = pd.DataFrame(
        values.astype("f4"), columns=list("abcdef"), index=pd.Index([f"S{i}" for i in range(24)], name="sample_id")
    )
    frame["target"] = ["x", "y"] * 12
    data = io.BytesIO()
    frame.to_parquet(data)
    table = read_table(data.getvalue(), "t.parquet")
    assert table.columns == ("sample_id", *"abcdef", "target")
    np.testing.assert_array_equal(table.numbers, values.astype("f4"))
    assert table.texts[0].values() == [f"S{i}" for i in range(24)]


def test_every_kind_of_number_becomes_float32(tmp_path):
    columns = {
        "i": pa.array([1, None, 3], pa.int64()),
        "b": pa.array([True, False, None]),
        "d": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal("-2.5")]),
        "f": pa.array([1.5, float("inf"), None]),
        "h": pa.array([0.5, 1, 2], pa.float32()),
        "n": pa.nulls(3),
    }
    table = read_parquet(write(pa.table(columns), tmp_path), name="t")
    nan = np.nan
    expected = [[1, 1, 1.5, 1.5, 0.5, nan], [nan, 0, nan, nan, 1, nan], [3, nan, -2.5, nan, 2, nan]]
    np.testing.assert_array_equal(table.numbers, np.array(expected, np.float32))
    assert [(c.row, c.position, c.text) for c in table.odd] == [(1, 3, "inf")]


def test_words_categories_dates_and_labels_that_are_numbers_are_text(tmp_path):
    columns = {
        "w": pa.array(["a", None, "b"]),
        "c": pa.array(["x", "y", "x"]).dictionary_encode(),
        "t": pa.array([datetime.datetime(1970, 1, 2), None, datetime.datetime(1980, 5, 6, 7)]),
        "label": pa.array([0, 1, 1]),
        "x": pa.array([1.0, 2.0, 3.0]),
    }
    table = read_parquet(write(pa.table(columns), tmp_path), name="t")
    assert [table.texts[j].values() for j in range(4)] == [
        ["a", None, "b"],
        ["x", "y", "x"],
        ["1970-01-02 00:00:00", None, "1980-05-06 07:00:00"],
        ["0", "1", "1"],
    ]


def test_nested_columns_are_named(tmp_path):
    with pytest.raises(InputError, match="v \\(list"):
        read_parquet(write(pa.table({"v": [[1.0], [2.0]]}), tmp_path), name="t")


def test_damage_is_an_error_and_never_wrong_numbers(tmp_path):
    path = write(pa.table({"x": np.random.default_rng(0).normal(size=5000)}), tmp_path, write_page_checksum=True)
    whole = path.read_bytes()
    for at in (200, 5000, 20000, len(whole) - 40):
        path.write_bytes(whole[:at] + b"\xff" * 30 + whole[at + 30 :])
        with pytest.raises(InputError, match="damaged"):
            read_parquet(path, name="t")


def test_declared_sizes_are_checked_before_reading(tmp_path):
    path = write(pa.table({"x": np.zeros(1000, np.float32)}), tmp_path)
    with pytest.raises(RefusedError, match="over the limit"):
        read_parquet(path, name="t", limits=FileLimits(rows=999))
