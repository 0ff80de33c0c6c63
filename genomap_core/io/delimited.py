"""Delimited text -> Table: the numbers in one float32 array, text columns as codes, odd cells with their place."""

from __future__ import annotations

import csv
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from genomap_core.data.message import Message, limited, plural, some
from genomap_core.data.table import OddCell, Source, Table
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.blocks import Piece, cut, read_rows
from genomap_core.io.cells import to_numbers
from genomap_core.io.columns import (
    clean_header,
    find_text_columns,
    mostly_words,
    said_on_likely,
    said_on_tiny,
    text_column,
)
from genomap_core.io.dialect import Dialect, find_dialect
from genomap_core.io.encoding import to_utf8
from genomap_core.io.limits import DEFAULT, Limits, check_size
from genomap_core.io.tidy import tidy

_PIECE_BYTES = 2 << 20
_ODD_LIMIT = 100_000


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """What one piece gave: ``k`` rows, whose numbers stand from row ``at`` of the array on."""

    at: int
    lines: np.ndarray
    texts: dict[int, pa.Array]
    odd: list[tuple[int, int, str]]
    likely: list[tuple[int, int, str]]
    ragged: tuple[tuple[int, int], ...]
    blank: tuple[int, ...]


def read_delimited(data: bytes, name: str, limits: Limits = DEFAULT) -> Table:
    """Read CSV, TSV and their relatives: any delimiter, encoding, decimal sign and line end.

    Needs the bytes, the float32 array and some 30 MB a thread. Raises :class:`InputError` for text without a table,
    :class:`RefusedError` beyond a limit; problems inside the table are messages.
    """
    text, encoding, said = to_utf8(data)
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):  # line ends of old Macs, or mixed ones
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    dialect = find_dialect(text)
    if dialect.delimiter == " " and b"  " in text:
        text = re.sub(rb"(?m)^ +| +(?=[ \n])", b"", text)
        dialect = find_dialect(text)
    header, trimmed = clean_header(dialect.header)
    pieces = list(cut(text, dialect.start, dialect.stop, dialect.line, _PIECE_BYTES))
    check_size(sum(piece.lines for piece in pieces), len(header), limits)
    words = find_text_columns(header, dialect.sample, dialect.decimal)
    numbers, parts = _read(text, pieces, dialect, words)
    odd = [(part.at + row, j) for part in parts for row, j, _ in part.odd]
    if late := mostly_words(odd, len(numbers), numbers.shape[1]):
        words |= late
        numbers, parts = _read(text, pieces, dialect, words)
    if len(words) > limits.text_columns:
        raise RefusedError(
            f"{len(words):,} columns hold text, over the limit of {limits.text_columns:,}: give numbers."
        )
    said = (
        *said,
        *dialect.messages,
        *_said_on_decimal(dialect),
        *trimmed,
        *said_on_tiny(header, dialect.sample),
        *_said_on_structure(text, pieces, parts, len(header)),
    )
    source = Source("csv", encoding, dialect.delimiter, dialect.decimal)
    return _assemble(name, header, words, numbers, parts, said, source)


def _read(text: bytes, pieces: list[Piece], dialect: Dialect, words: set[int]) -> tuple[np.ndarray, list[_Part]]:
    """All pieces, several at a time. ``(rows, q)`` float32 with the rows that were left out removed."""
    number_at = np.array([j for j in range(len(dialect.header)) if j not in words], np.int64)
    sizes = [piece.lines + (not text.endswith(b"\n", piece.start, piece.stop)) for piece in pieces]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    numbers = np.empty((starts[-1], len(number_at)), np.float32)
    read = partial(_read_piece, text, dialect, number_at, numbers)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        parts = list(pool.map(read, pieces, starts.tolist()))
    if sum(len(part.lines) for part in parts) == len(numbers):
        return numbers, parts
    kept, at = [], 0
    for part in parts:
        kept.append(_Part(at, part.lines, part.texts, part.odd, part.likely, part.ragged, part.blank))
        numbers[at : at + len(part.lines)] = numbers[part.at : part.at + len(part.lines)]
        at += len(part.lines)
    return numbers[:at], kept


def _read_piece(
    text: bytes, dialect: Dialect, number_at: np.ndarray, numbers: np.ndarray, piece: Piece, at: int
) -> _Part:
    """Read one piece into its rows of ``numbers``."""
    width = len(dialect.header)
    try:
        rows = read_rows(text, piece, dialect.delimiter, width)
    except csv.Error as error:
        raise InputError(
            f"The lines from {piece.line} on can't be cut into cells: {error}. Check their quotes."
        ) from error
    count = len(rows.lines)
    is_number = np.zeros(width, bool)
    is_number[number_at] = True
    valid = pa.py_buffer(np.packbits(np.tile(is_number, count), bitorder="little"))
    cells = pa.Array.from_buffers(pa.string(), len(rows.cells), [valid, *rows.cells.buffers()[1:]])
    found = to_numbers(cells, dialect.decimal)
    np.take(found.values.reshape(count, width), number_at, axis=1, out=numbers[at : at + count], mode="clip")
    texts = {j: rows.cells.take(pa.array(np.arange(count) * width + j)) for j in np.flatnonzero(~is_number).tolist()}
    odd, likely = ([(*divmod(i, width), word) for i, word in cells] for cells in (found.odd, found.likely))
    return _Part(at, rows.lines, texts, odd, likely, rows.ragged, rows.blank)


def _assemble(
    name: str,
    header: tuple[str, ...],
    words: set[int],
    numbers: np.ndarray,
    parts: list[_Part],
    said: tuple[Message, ...],
    source: Source,
) -> Table:
    number_at = np.array([j for j in range(len(header)) if j not in words], np.int64)
    texts = {j: text_column(pa.chunked_array([part.texts[j] for part in parts], pa.string())) for j in sorted(words)}
    lines = np.concatenate([part.lines for part in parts] or [np.zeros(0, np.int32)])
    odd = tuple(OddCell(part.at + row, j, word) for part in parts for row, j, word in part.odd)
    likely = [
        (header[j] or f"column {j + 1}", word, int(part.lines[row])) for part in parts for row, j, word in part.likely
    ]
    said = (*said, *said_on_likely(likely))
    return tidy(Table(name, header, numbers, number_at, texts, lines, odd[:_ODD_LIMIT], frozenset(), said, source))


def _said_on_decimal(dialect: Dialect) -> tuple[Message, ...]:
    if dialect.decimal != ",":
        return ()
    cells = [cell for record in dialect.sample[:20] for cell in record if "," in cell]
    if cells and all(re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", cell.strip()) for cell in cells):
        text = f"Commas in numbers such as {cells[0]!r} may be decimal commas or thousands separators."
        return (
            Message("error", "ambiguous-comma", text, value=cells[0], remedy="Write numbers with a decimal point."),
        )
    text = f"Numbers are written with a decimal comma (delimiter {dialect.delimiter!r}) and were read so."
    return (Message("warn", "decimal-comma", text, remedy="Check one value against the file."),)


def _said_on_structure(text: bytes, pieces: list[Piece], parts: list[_Part], width: int) -> list[Message]:
    """Lines left out: ragged ones are errors, blank ones a warning; and a quote that is never closed."""
    ragged = [place for part in parts for place in part.ragged]
    remedy = "Check the line for a missing or additional delimiter or quote."
    said = [
        Message(
            "error",
            "ragged-row",
            f"Line {line} has {plural(count, 'field')}, the header has {width}.",
            row=line,
            remedy=remedy,
        )
        for line, count in ragged
    ]
    said = limited(said, 10)
    if ragged and pieces and text.count(b'"', pieces[-1].start, pieces[-1].stop) % 2:
        line = ragged[-1][0]
        said.append(
            Message(
                "error",
                "open-quote",
                f"A quote opened in line {line} is never closed: the rest of the file is taken for one cell.",
                row=line,
                remedy="Close or remove the quote.",
            )
        )
    if blank := [line for part in parts for line in part.blank]:
        lines = f"{plural(len(blank), 'blank line')} left out: {some(blank)}."
        said.append(Message("warn", "blank-lines", lines, row=blank[0]))
    return said
