"""Delimited text in pieces: bytes -> rows of cells. Three ways, the fastest one that fits the piece.

Arrow's CSV reader builds one array a column and a block, which on 20,000 columns costs more than reading the numbers
(17 s and 1.7 GB for 126 MB with its defaults). A piece without quotes needs no more than the places of its delimiters,
so it is cut with NumPy and converted by Arrow in one go; a piece with quotes goes through Arrow's CSV reader; one with
ragged or blank lines through Python's, which can tell every line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv


@dataclass(frozen=True, slots=True)
class Piece:
    """``data[start:stop]``: whole lines; the first is line ``line`` of the file, and there are ``lines`` line ends."""

    start: int
    stop: int
    line: int
    lines: int


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """``k`` rows of ``m`` cells.

    ``cells``: the ``k * m`` cells, row by row. ``lines``: ``(k,)`` the line each begins on. ``ragged``: line and number
    of fields of rows left out. ``blank``: lines without content, left out.
    """

    cells: pa.StringArray
    lines: np.ndarray
    ragged: tuple[tuple[int, int], ...] = ()
    blank: tuple[int, ...] = ()


def cut(data: bytes, start: int, stop: int, line: int, size: int) -> Iterator[Piece]:
    """Pieces of about ``size`` bytes that end at line ends outside quotes."""
    quoted = data.find(b'"', start, stop) >= 0
    while start < stop:
        end = _line_end(data, min(start + size, stop), stop)
        if quoted:
            quotes = data.count(b'"', start, end)
            while quotes % 2 and end < stop:
                further = _line_end(data, end + 1, stop)
                quotes += data.count(b'"', end, further)
                end = further
        lines = data.count(b"\n", start, end)
        yield Piece(start, end, line, lines)
        start, line = end, line + lines


def _line_end(data: bytes, near: int, stop: int) -> int:
    return stop if near >= stop else (data.find(b"\n", near - 1, stop) + 1 or stop)


def read_rows(data: bytes, piece: Piece, delimiter: str, width: int) -> Rows:
    """The rows of a piece that have ``width`` fields, as UTF-8 text."""
    block = data[piece.start : piece.stop]
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if not block.endswith(b"\n"):
        block += b"\n"
    lines = np.arange(piece.line, piece.line + block.count(b"\n"), dtype=np.int32)
    cells = _by_arrow(block, delimiter, width, len(lines)) if b'"' in block else _by_places(block, delimiter, width)
    if cells is not None:
        return Rows(cells, lines)
    return _by_python(block, delimiter, width, piece.line)


def _by_places(block: bytes, delimiter: str, width: int) -> pa.StringArray | None:
    """Cells between delimiters, no quotes; None when a line has more or fewer fields."""
    raw, mark = np.frombuffer(block, np.uint8), ord(delimiter)
    at = np.flatnonzero((raw == mark) | (raw == 10))
    if len(at) % width or (raw[at].reshape(-1, width)[:, -1] != 10).any() or len(at) // width != block.count(b"\n"):
        return None
    offsets = np.zeros(len(at) + 1, np.int32)
    np.subtract(at, np.arange(len(at)), out=offsets[1:], casting="unsafe")
    text = block.translate(None, bytes([mark, 10]))
    return pa.StringArray.from_buffers(len(at), pa.py_buffer(offsets), pa.py_buffer(text))


def _by_arrow(block: bytes, delimiter: str, width: int, lines: int) -> pa.StringArray | None:
    """Quoted text; None when Arrow finds ragged rows or a row spreads over lines."""
    names = [str(j) for j in range(width)]
    try:
        table = pacsv.read_csv(
            pa.BufferReader(block),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), check_utf8=False),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != lines:
        return None
    by_column = pa.concat_arrays([chunk for column in table.columns for chunk in column.chunks])
    return by_column.take(pa.array(np.arange(lines * width).reshape(width, lines).T.ravel()))


def _by_python(block: bytes, delimiter: str, width: int, line: int) -> Rows:
    """Any text; tells lines with a wrong number of fields, and blank ones."""
    reader = csv.reader(io.StringIO(block.decode("utf-8", "replace"), newline=""), delimiter=delimiter)
    cells: list[str] = []
    lines: list[int] = []
    ragged: list[tuple[int, int]] = []
    blank: list[int] = []
    begin = line
    for fields in reader:
        if len(fields) < 2 and not "".join(fields).strip() and width > 1:
            blank.append(begin)
        elif len(fields) != width:
            ragged.append((begin, len(fields)))
        else:
            cells += fields
            lines.append(begin)
        begin = line + reader.line_num
    return Rows(pa.array(cells, pa.string()), np.array(lines, np.int32), tuple(ragged), tuple(blank))
