"""Delimited text arrives as written: every dialect, every odd cell with its place, nothing repaired in silence."""

import gzip
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.io.tables.read import read_table

NUMBERS = st.floats(-1e6, 1e6, width=32).map(lambda x: float(np.float32(x)))


def rows_of(table):
    return {table.title(j): table.texts[j].values() for j in table.texts}


@settings(deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda p: st.lists(st.lists(NUMBERS, min_size=p, max_size=p), min_size=2, max_size=9)),
    st.sampled_from([("\t", "."), (";", ","), (",", "."), ("|", ","), (" ", ".")]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_any_dialect_gives_the_numbers_that_were_written(values, dialect, encoding, newline, quoted):
    delimiter, decimal = dialect
    mark = '"' if quoted else ""
    lines = [delimiter.join(f"{mark}{c}{mark}" for c in ("sample_id", *(f"f{j}" for j in range(len(values[0])))))]
    for i, row in enumerate(values):
        cells = (f"S{i}", *(format(v, ".9f").replace(".", decimal) for v in row))
        lines.append(delimiter.join(f"{mark}{c}{mark}" for c in cells))
    table = read_table((newline.join(lines) + newline).encode(encoding), "t.csv")
    expected = [[float(format(v, ".9f")) for v in row] for row in values]
    np.testing.assert_allclose(table.numbers, np.array(expected, np.float32), rtol=1e-6)
    assert table.columns[0] == "sample_id"
    assert table.texts[0].values() == [f"S{i}" for i in range(len(values))]


@pytest.mark.parametrize("as_what", ["bytes", "path", "file"])
def test_bytes_path_and_open_file_are_alike(good, values, as_what, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(good)
    source = {"bytes": good.encode(), "path": path, "file": io.BytesIO(good.encode())}[as_what]
    table = read_table(source, "t.csv")
    np.testing.assert_array_equal(table.numbers, values.astype(np.float32))
    assert table.texts[7].words == ("normal", "tumor")
    assert table.rows.tolist() == list(range(2, 26))


def test_many_pieces_read_like_one(monkeypatch, good, values):
    from genomap_core.io.tables import delimited

    monkeypatch.setattr(delimited, "_PIECE_BYTES", 64)
    spoiled = good.replace("S007", "\nS007").replace("tumor", '"tumor"', 3)
    table = read_table(spoiled.encode(), "t.csv")
    np.testing.assert_array_equal(table.numbers, values.astype(np.float32))
    assert table.texts[0].values() == [f"S{i:03d}" for i in range(24)]
    assert table.rows.tolist() == [*range(2, 9), *range(10, 27)]
    assert [m.code for m in table.messages] == ["blank-lines"]


def test_an_odd_cell_is_kept_with_its_place_and_reads_as_missing(good):
    lines = good.split("\n")
    lines[5] = lines[5].replace(lines[5].split(",")[3], "high")
    table = read_table("\n".join(lines).encode(), "t.csv")
    (cell,) = table.odd
    assert table.place(cell.row, cell.position) == ("EGFR", 6)
    assert cell.text == "high"
    assert np.isnan(table.numbers[4, 2])


def test_a_column_that_turns_to_words_late_is_text(values):
    lines = ["id,a,b"] + [f"s{i},{i}.5,{i if i < 300 else 'w' + str(i % 3)}" for i in range(600)]
    table = read_table("\n".join(lines).encode(), "t.csv")
    assert sorted(table.texts) == [0, 2]
    assert table.odd == ()
    assert table.texts[2].values()[299:302] == ["299", "w0", "w1"]


def test_ids_stay_text():
    text = "id,n,code\n" + "".join(f"{i:05d},{i}.5,{9007199254740993 + i}\n" for i in range(12))
    table = read_table(text.encode(), "t.csv")
    assert table.texts[0].values()[1] == "00001"
    assert table.texts[2].words == tuple(str(9007199254740993 + i) for i in range(12))


def test_marks_of_missing_values_are_read_and_the_unusual_ones_told(good):
    text = good.replace("S000,", "S000,NA;", 1)
    lines = good.split("\n")
    cells = lines[3].split(",")
    cells[1], cells[2], cells[3] = "NA", "n.d.", ""
    lines[3] = ",".join(cells)
    table = read_table("\n".join(lines).encode(), "t.csv")
    assert np.isnan(table.numbers[2, :3]).all()
    assert table.odd == ()
    (said,) = table.messages
    assert said.severity == "warn"
    assert "'n.d.' in BRCA1 (1)" in said.text
    assert text != good


def test_ragged_rows_are_left_out_and_named(good):
    lines = good.split("\n")
    lines[4] += ",7"
    lines[9] = "S008,1,2"
    table = read_table("\n".join(lines).encode(), "t.csv")
    assert table.n_rows == 22
    assert [(m.code, m.row) for m in table.messages] == [("ragged-row", 5), ("ragged-row", 10)]
    assert "3 fields, the header has 8" in table.messages[1].text


def test_a_quote_that_is_never_closed_is_named_with_its_line(good):
    table = read_table(good.replace("S005", '"S005').encode(), "t.csv")
    assert ("open-quote", 7) in [(m.code, m.row) for m in table.messages]


def test_empty_margins_of_spreadsheet_exports_are_left_out_and_said(good, values):
    lines = [line + ",," if line else "" for line in good.split("\n")]
    text = "Study 7,,,,,,,,,\n" + "\n".join(lines) + ",,,,,,,,,\n"
    table = read_table(text.encode(), "t.csv")
    np.testing.assert_array_equal(table.numbers, values.astype(np.float32))
    assert {m.code for m in table.messages} == {"title-rows", "empty-rows", "empty-columns"}


def test_gzip_is_unpacked(good, values):
    table = read_table(gzip.compress(good.encode()), "t.csv.gz")
    assert table.source.compressed
    np.testing.assert_array_equal(table.numbers, values.astype(np.float32))


def test_a_cut_gzip_is_an_error_and_a_bomb_is_refused(good):
    with pytest.raises(InputError, match=r"t\.csv\.gz: .*truncated"):
        read_table(gzip.compress(good.encode())[:-30], "t.csv.gz")
    bomb = gzip.compress(b"0," * (40 << 20))
    with pytest.raises(RefusedError, match="limit"):
        read_table(bomb, "t.csv.gz")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b'{"a": [1, 2]}', "JSON"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"", "empty"),
        (bytes(range(256)) * 8, "binary"),
    ],
)
def test_other_files_named_csv_are_called_by_what_they_are(content, word):
    with pytest.raises(InputError, match=word):
        read_table(content, "t.csv")


def test_a_pickle_is_refused():
    with pytest.raises(RefusedError, match="pickle"):
        read_table(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00", "t.csv")


def test_tables_beyond_the_limits_are_refused_before_they_are_read(good):
    with pytest.raises(RefusedError, match="over the limit of 10 rows"):
        read_table(good.encode(), "t.csv", limits=FileLimits(rows=10))
    with pytest.raises(RefusedError, match="MB"):
        read_table(good.encode(), "t.csv", limits=FileLimits(file=100))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_no_bytes_end_in_anything_but_a_table_or_our_error(data):
    try:
        table = read_table(data, "t.csv", limits=FileLimits(file=1000))
    except InputError:
        return
    assert table.numbers.shape == (table.n_rows, len(table.number_at))


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from('ab12.,;\t"\n\r #!-NA='), max_size=120))
def test_no_text_ends_in_anything_but_a_table_or_our_error(text):
    from genomap_core.data.schema.validate import validate

    try:
        table = read_table(text.encode(), "t.csv")
    except InputError:
        return
    assert validate(table).verdict in ("ok", "warn", "error")
