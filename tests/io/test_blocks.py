"""The three ways of cutting text into cells agree."""

import csv
import io

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.io.tables.delimited import Piece, _by_arrow, _by_places, _by_python, cut, read_rows

CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters='\r\n",\0;\ufeff', exclude_categories=["Cs"]), max_size=6
)


def tables(cells=CELLS):
    return st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=8)
    )


@settings(deadline=None)
@given(tables())
def test_all_ways_read_plain_text_alike(rows):
    block = "".join(",".join(row) + "\n" for row in rows).encode()
    width = len(rows[0])
    expected = [cell for row in rows for cell in row]
    places = _by_places(block, ",", width)
    assert places is not None
    places.validate(full=True)
    assert places.to_pylist() == expected
    assert _by_arrow(block, ",", width, len(rows)).to_pylist() == expected
    assert _by_python(block, ",", width, 1).cells.to_pylist() == expected


@settings(deadline=None)
@given(
    tables(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\0\ufeff", exclude_categories=["Cs"]), max_size=6)
    )
)
def test_quoted_text_comes_back_with_quotes_delimiters_and_line_breaks_inside(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = text.getvalue().encode()
    found: list[str] = []
    for piece in cut(data, 0, len(data), 1, 10):
        found += read_rows(data, piece, ",", len(rows[0])).cells.to_pylist()
    assert found == [cell for row in rows for cell in row]


@settings(deadline=None)
@given(tables(), st.integers(1, 60))
def test_pieces_cover_the_text_and_know_their_lines(rows, size):
    data = "".join(",".join(row) + "\n" for row in rows).encode()
    pieces = list(cut(data, 0, len(data), 2, size))
    assert b"".join(data[p.start : p.stop] for p in pieces) == data
    for piece in pieces:
        assert piece.line == 2 + data.count(b"\n", 0, piece.start)
        assert piece.lines == data.count(b"\n", piece.start, piece.stop)


def test_ragged_and_blank_lines_are_told_with_their_lines():
    data = b"a,1,2\nb,3\n\n   \nc,4,5,6\nd,7,8"
    rows = read_rows(data, Piece(0, len(data), 10, data.count(b"\n")), ",", 3)
    assert rows.cells.to_pylist() == ["a", "1", "2", "d", "7", "8"]
    assert rows.lines.tolist() == [10, 15]
    assert rows.ragged == ((11, 2), (14, 4))
    assert rows.blank == (12, 13)


def test_carriage_returns_do_not_stick_to_the_last_cell():
    data = b"a,1\r\nb,2\r\n"
    assert read_rows(data, Piece(0, len(data), 1, 2), ",", 2).cells.to_pylist() == ["a", "1", "b", "2"]


def test_lines_of_a_row_that_spreads_over_two_are_counted():
    data = b'"a\nb",1\nc,2\n'
    rows = read_rows(data, Piece(0, len(data), 2, 3), ",", 2)
    np.testing.assert_array_equal(rows.lines, [2, 4])
    assert isinstance(rows.cells, pa.StringArray)
