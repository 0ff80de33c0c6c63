"""Records that are given back: whole studies come back as they were, anything else is refused or dropped."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up_study import PROTOCOL, planted, study

from genomap_core.benchmark.catalogue import Entry
from genomap_core.benchmark.reading import StudyRecords, to_csv, to_parquet
from genomap_core.benchmark.records import COLUMNS, failed
from genomap_core.benchmark.summary import summarise
from genomap_core.benchmark.uploaded import read_upload
from genomap_core.errors import InputError
from genomap_core.reports.benchmark import render_report

EVIL = '<img src="https://evil.example/x.png" onerror="alert(1)">'


@pytest.fixture(scope="module")
def whole() -> StudyRecords:
    records = planted(PROTOCOL)
    records[3] = failed(records[3].run, "oom", f"too much {EVIL}", memory_limit_mb=10.0, time_limit_s=1.0)
    return study(records)


def changed(whole: StudyRecords, **columns: Any) -> bytes:
    return to_parquet(replace(whole, table=whole.table.assign(**columns)))


def test_a_study_comes_back_as_it_was(whole: StudyRecords) -> None:
    found = read_upload(to_parquet(whole))
    pd.testing.assert_frame_equal(found.table, whole.table, rtol=1e-6)
    assert found.header["models"] == whole.header["models"]
    assert found.entry("arcene")["origin"] == whole.entry("arcene")["origin"]
    ranks = {m.model: m.mean_rank for m in summarise(found).models}
    assert ranks == {m.model: m.mean_rank for m in summarise(whole).models}
    assert render_report(found).count("<svg") == render_report(whole).count("<svg")


def test_records_as_csv_hold_every_run_and_no_formula(whole: StudyRecords) -> None:
    table = whole.table.assign(message="=HYPERLINK(1)")
    header, *rows = to_csv(replace(whole, table=table)).decode().splitlines()
    assert header.split(",") == list(COLUMNS)
    assert len(rows) == len(whole.table)
    assert all("'=HYPERLINK" in row for row in rows)


def arrow_bytes(frame: pd.DataFrame, metadata: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(metadata), out)
    return out.getvalue()


def test_other_files_are_refused_with_what_they_are(whole: StudyRecords) -> None:
    good = to_parquet(whole)
    for content, said in (
        (b"", "empty"),
        (pickle.dumps([1]), "pickle"),
        (b"a,b\n1,2\n", "text"),
        (good[: len(good) // 2], "damaged"),
        (good[:1000] + bytes(200) + good[1200:], "can.t be read|out of range|is no|not whole"),
        (arrow_bytes(pd.DataFrame({"x": [1.0]})), "no records of a study"),
        (arrow_bytes(whole.table), "description is missing"),
        (arrow_bytes(whole.table.iloc[:0], {"genomap_study": "{}"}), "no records"),
        (arrow_bytes(whole.table, {"genomap_study": "[1"}), "description is damaged"),
    ):
        with pytest.raises(InputError, match=said) as told:
            read_upload(content, "mine.parquet")
        assert str(told.value).startswith("mine.parquet: ")
        assert "Give a file that" in str(told.value)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"dataset": EVIL}, "`dataset` is no name"),
        ({"model": "../x"}, "`model` is no name"),
        ({"condition": "dark"}, "Unknown condition"),
        ({"status": "fine"}, "`status` is none of"),
        ({"accuracy": 1.5}, "`accuracy` is out of range"),
        ({"accuracy": np.inf}, "infinite"),
        ({"accuracy": "high"}, "text instead of numbers"),
        ({"message": 1.0}, "numbers instead of text"),
        ({"seed": 0.5}, "not whole"),
        ({"seed": 0, "fold": 0}, "a second time"),
        ({"fold": -1}, "`fold` is no number"),
        ({"n_train": np.nan}, "`n_train` of a run is missing"),
        ({"versions": "[]"}, "`versions` is no JSON object"),
        ({"message": "x" * 5000}, "more than 4,000 bytes"),
    ],
)
def test_a_value_that_can_not_be_is_named(whole: StudyRecords, columns: dict[str, Any], said: str) -> None:
    table = whole.table.astype(dict.fromkeys(columns, object)).assign(**columns)
    content = arrow_bytes(table, {"genomap_study": json.dumps(whole.header)})
    with pytest.raises(InputError, match=said):
        read_upload(content)


@pytest.mark.parametrize(("rows", "said"), [(30_000, "more than 64 MB of text"), (450_000, "MB")])
def test_text_that_is_small_in_the_file_and_large_in_memory_is_refused(rows: int, said: str) -> None:
    words = pa.array(["x" * 3900]).dictionary_encode()
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), words.dictionary)
    out = io.BytesIO()
    pq.write_table(pa.table({"message": column, "label": column}), out)
    assert len(out.getvalue()) < 2_000_000
    with pytest.raises(InputError, match=said):
        read_upload(out.getvalue())


def test_nothing_of_a_hostile_description_is_believed(whole: StudyRecords) -> None:
    sets: dict[str, Any] = {"arcene": {"title": EVIL, "source": "file", "groups": "(", "known": [1, "x"], "odd": {}}}
    header = {"models": ["forest", 7, {"a": 1}, "nobody"], "sets": {**sets, "colon_alon": "text"}, "folds": []}
    found = read_upload(arrow_bytes(whole.table, {"genomap_study": json.dumps(header)}))
    assert found.header["models"] == ["forest", "genomap", "genomap_random", "logistic"]
    assert found.entry("arcene") == asdict(Entry("arcene", EVIL, known=("x",)))
    assert found.entry("colon_alon") == asdict(Entry("colon_alon", "colon_alon"))
    assert EVIL not in render_report(found)
