"""Delimited text -> Table: the numbers in one float32 array, text columns as codes, odd cells with their place.

Arrow's CSV reader builds one array a column and a block, which on 20,000 columns costs more than reading the numbers
(17 s and 1.7 GB for 126 MB with its defaults). A piece without quotes needs no more than the places of its delimiters,
so it is cut with NumPy and converted by Arrow in one go; a piece with quotes goes through Arrow's CSV reader; one with
ragged or blank lines through Python's, which can tell every line.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from genomap_core.data.message import Message, limited, plural, some
from genomap_core.data.schema.recipe import FOUND, Recipe
from genomap_core.data.schema.words import LIKELY_MISSING_WORDS, MISSING_WORDS, is_role_name
from genomap_core.data.table import OddCell, Source, Table, TextColumn
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits, check_size
from genomap_core.io.tables.dialect import Dialect, find_dialect, is_proven
from genomap_core.io.tables.encoding import to_utf8
from genomap_core.io.tables.settle import messages_on_grouped, settle_numbers


def tidy(table: Table) -> Table:
    """Leave out rows that are empty all along, and empty columns without a name (the first may be nameless)."""
    full = _filled_rows(table)
    said: list[Message] = []
    if not full.all():
        rows = table.rows[~full].tolist()
        said.append(
            Message("warn", "empty-rows", f"{plural(len(rows), 'empty row')} left out: {some(rows)}.", row=rows[0])
        )
        table = _with_rows(table, np.flatnonzero(full))
    keep = np.array([j == 0 or bool(table.columns[j]) or not _is_empty(table, j) for j in range(table.n_columns)])
    if not keep.all():
        text = f"{plural(int((~keep).sum()), 'column')} without a name and without content left out."
        said.append(Message("ok", "empty-columns", text))
        table = _with_columns(table, np.flatnonzero(keep))
    return replace(table, messages=(*table.messages, *said))


def _filled_rows(table: Table) -> np.ndarray:
    full = np.zeros(table.n_rows, bool)
    for column in table.texts.values():
        full |= column.codes >= 0
    full[[cell.row for cell in table.odd]] = True
    for row in np.flatnonzero(~full).tolist():
        full[row] = not np.isnan(table.numbers[row]).all()
    return full


def _is_empty(table: Table, position: int) -> bool:
    if any(cell.position == position for cell in table.odd):
        return False
    column = table.texts.get(position)
    return bool(np.isnan(table.number_column(position)).all()) if column is None else not column.words


def _with_rows(table: Table, rows: np.ndarray) -> Table:
    new = {int(row): i for i, row in enumerate(rows)}
    return replace(
        table,
        numbers=table.numbers[rows],
        texts={j: TextColumn(column.codes[rows], column.words) for j, column in table.texts.items()},
        rows=table.rows[rows],
        odd=tuple(OddCell(new[c.row], c.position, c.text) for c in table.odd),
    )


def _with_columns(table: Table, positions: np.ndarray) -> Table:
    new = {int(j): i for i, j in enumerate(positions)}
    kept = np.isin(table.number_at, positions)
    return replace(
        table,
        columns=tuple(table.columns[j] for j in positions),
        numbers=table.numbers[:, kept],
        number_at=np.array([new[j] for j in table.number_at[kept].tolist()], np.int64),
        texts={new[j]: column for j, column in table.texts.items() if j in new},
        odd=tuple(OddCell(c.row, new[c.position], c.text) for c in table.odd if c.position in new),
        annotations=frozenset(new[j] for j in table.annotations if j in new),
    )


def without_columns(table: Table, positions: list[int]) -> Table:
    """The table without these columns."""
    return _with_columns(table, np.array([j for j in range(table.n_columns) if j not in positions], np.int64))


NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_MARKS = pa.array(sorted({v for w in MISSING_WORDS for v in (w, w.upper(), w.capitalize())} | {"NaN", "<NA>"}))


@dataclass(frozen=True, eq=False)
class Cells:
    """Converted cells.

    ``values``: ``(n,)`` float32, NaN where missing or odd. ``odd``: indices of cells that hold no finite number, with
    their texts. ``likely``: ``(index, word)`` of cells read as missing though their mark is not a usual one.
    """

    values: np.ndarray
    odd: list[tuple[int, str]] = field(default_factory=list)
    likely: list[tuple[int, str]] = field(default_factory=list)


def to_numbers(cells: pa.StringArray, decimal: str = ".") -> Cells:
    """Read ``n`` cells as numbers with this decimal sign; null cells stay missing.

    Numbers too large for float32 (3.4e38) and infinite ones are odd: nothing becomes infinite silently.
    """
    if decimal == ",":
        return _decimal_comma(cells)
    values = _cast(cells)
    odd: list[tuple[int, str]] = []
    likely: list[tuple[int, str]] = []
    if values is None:
        cells, odd, likely = _without_words(cells)
        values = _cast(cells)
        if values is None:  # pragma: no cover - the pattern above lets pass what Arrow reads
            raise ValueError("cells that look like numbers can't be read")
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        values = values.copy()
        values[infinite] = np.nan
        odd = odd + [(i, cells[i].as_py()) for i in infinite.tolist()]
    return Cells(values, sorted(odd), likely)


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether one cell holds a finite number."""
    try:
        value = float(text if decimal == "." else text.replace(".", "x").replace(",", "."))
    except ValueError:
        return False
    return np.isfinite(value) and "_" not in text


def is_missing(text: str) -> bool:
    """Whether one cell is a usual mark of a missing value."""
    return text.strip().lower() in MISSING_WORDS


def _cast(cells: pa.StringArray) -> np.ndarray | None:
    try:
        return pc.cast(cells, pa.float32()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None


def _without_words(cells: pa.StringArray) -> tuple[pa.StringArray, list[tuple[int, str]], list[tuple[int, str]]]:
    """The cells with all but numbers set to null; the odd ones, and those marked as missing in an unusual way."""
    cells = pc.utf8_trim_whitespace(cells)
    cells = _null_where(cells, pc.is_in(cells, value_set=_MARKS))
    if _cast(cells) is not None:
        return cells, [], []
    word = pc.fill_null(pc.invert(pc.match_substring_regex(cells, NUMBER)), False)
    at = np.flatnonzero(word.to_numpy(zero_copy_only=False))
    texts = cells.take(pa.array(at)).to_pylist()
    told = [(i, t) for i, t in zip(at.tolist(), texts) if t.lower() not in MISSING_WORDS and t.lower() not in _NAN]
    odd = [(i, t) for i, t in told if t.lower() not in LIKELY_MISSING_WORDS]
    likely = [(i, t) for i, t in told if t.lower() in LIKELY_MISSING_WORDS]
    return _null_where(cells, word), odd, likely


_NAN = frozenset({"nan", "-nan", "+nan"})


def _null_where(cells: pa.StringArray, mask: pa.BooleanArray) -> pa.StringArray:
    return pc.if_else(pc.fill_null(mask, True), pa.scalar(None, cells.type), cells)


def _decimal_comma(cells: pa.StringArray) -> Cells:
    """A point in a decimal comma file may be a thousands separator: such a cell is odd, never guessed."""
    pointed = pc.fill_null(pc.match_substring_regex(cells, r"\d\.\d"), False)
    points = np.flatnonzero(pointed.to_numpy(zero_copy_only=False))
    texts = cells.take(pa.array(points)).to_pylist()
    swapped = to_numbers(pc.replace_substring(_null_where(cells, pointed), ",", "."))
    odd = [(i, t.replace(".", ",")) for i, t in swapped.odd] + list(zip(points.tolist(), texts))
    return Cells(swapped.values, sorted(odd), swapped.likely)


def count_words(found: list[tuple[str, str]], name: Callable[[str], str] = str) -> dict[str, Counter[str]]:
    """``(column, word)`` pairs -> how often each word occurs, by column."""
    counts: dict[str, Counter[str]] = {}
    for column, word in found:
        counts.setdefault(name(column), Counter())[word] += 1
    return counts


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


WORDS_SHARE = 0.2
"""A column with more words than this share of its cells is text; with fewer, its words are odd cells of numbers."""

ACROSS_SHARE = 0.6
"""A row with words in more than this share of the number columns is a header or label row, and says nothing on them."""

_HEADER_ROWS = 3
"""So many rows of words may stand above or among the numbers."""

_SAMPLE_CELLS = 50_000
_TEXT_MISSING = MISSING_WORDS - {"none", "nil", "."}


def find_text_columns(header: Sequence[str], sample: Sequence[Sequence[str]], decimal: str) -> set[int]:
    """Positions of the columns to keep as text: the first, those named like an id or label, and those that hold words.

    Whole numbers from 2^24, with leading zeros or with more than 15 digits, are ids when at most 20 columns hold them:
    float32 would merge neighbours.
    """
    words = {0} | {j for j, title in enumerate(header) if is_role_name(title)}
    rows = [record for record in sample if len(record) == len(header)]
    rows = rows[: max(_SAMPLE_CELLS // len(header), 5)]
    if not rows:
        return words
    shape = len(rows), len(header)
    cells = pa.array(list(chain.from_iterable(rows)), pa.string())
    found = to_numbers(cells, decimal)
    values = found.values.reshape(shape)
    odd = np.zeros(shape, bool)
    odd.ravel()[[i for i, _ in found.odd]] = True
    keep = odd.mean(axis=1) <= ACROSS_SHARE
    if (~keep).sum() > max(_HEADER_ROWS, 0.1 * len(keep)) or not keep.any():
        keep = np.ones(len(rows), bool)  # so many are no second header: the table holds words
    filled = (odd | ~np.isnan(values))[keep].sum(axis=0)
    words |= _positions(odd[keep].sum(axis=0) > WORDS_SHARE * filled)
    with np.errstate(invalid="ignore"):
        large = (np.abs(values) >= 2**24) & (values % 1 == 0)
    ids = _positions((large | _codes(cells).reshape(shape)).mean(axis=0) > 0.5)
    return words | (ids if len(ids) <= 20 else set())


def _codes(cells: pa.StringArray) -> np.ndarray:
    """``(n,)`` whether a cell is a code that only looks like a number: leading zeros, or more than 15 digits."""
    doubtful = pc.or_(pc.starts_with(cells, "0"), pc.greater(pc.binary_length(cells), 15))
    at = np.flatnonzero(doubtful.to_numpy(zero_copy_only=False))
    codes = np.zeros(len(cells), bool)
    matched = pc.match_substring_regex(cells.take(pa.array(at)), r"^\s*(0\d{2,}|\d{16,})\s*$")
    codes[at] = matched.to_numpy(zero_copy_only=False)
    return codes


def mostly_words(odd: Iterable[tuple[int, int]], n_rows: int, n_numbers: int) -> set[int]:
    """Positions of number columns whose odd cells ``(row, position)`` turned out too many for a column of numbers."""
    places = np.array(list(odd), np.int64).reshape(-1, 2)
    rows, inverse, counts = np.unique(places[:, 0], return_inverse=True, return_counts=True)
    across = counts > max(ACROSS_SHARE * n_numbers, 1)
    if len(rows) and across.sum() <= max(_HEADER_ROWS, 0.1 * n_rows):
        places = places[~across[inverse]]
    columns, counts = np.unique(places[:, 1], return_counts=True)
    return set(columns[counts > max(WORDS_SHARE * n_rows, 1)].tolist())


def text_column(cells: pa.ChunkedArray, missing: Sequence[str] | None = None) -> TextColumn:
    """Cells as codes; the usual marks of a missing value (or those of ``missing``) are missing, all else stays."""
    encoded = pc.dictionary_encode(cells.combine_chunks())
    marks = _TEXT_MISSING if missing is None else frozenset(("", *missing))
    plain = encoded.dictionary.to_pylist()
    words = [None if word is None or word.strip().lower() in marks else word for word in plain]
    codes = encoded.indices.fill_null(-1).to_numpy().astype(np.int32)
    column = TextColumn(codes, tuple(map(str, words))).recoded(words)
    used = [k for k, word in enumerate(words) if word is None and plain[k] and plain[k].strip()]
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    return replace(column, marks=tuple((plain[k].strip(), int(counts[k])) for k in used))


def clean_header(header: Sequence[str]) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    """The names without blanks and line breaks around and inside them, and what was changed."""
    clean = tuple(" ".join(name.split()) if name != name.strip() or "\n" in name else name for name in header)
    changed = [new for old, new in zip(header, clean) if old != new]
    text = f"Blanks or line breaks removed from {plural(len(changed), 'column name')}: {some(changed)}."
    return clean, (Message("ok", "names-trimmed", text),) if changed else ()


def messages_on_likely(likely: Sequence[tuple[str, str, int]]) -> tuple[Message, ...]:
    """On ``(column, word, row)`` read as missing though the mark is unusual: every word with its count by column."""
    counts: dict[tuple[str, str], int] = {}
    for column, word, _ in likely:
        counts[word, column] = counts.get((word, column), 0) + 1
    if not counts:
        return ()
    listed = some((f"{word!r} in {column} ({count})" for (word, column), count in counts.items()), 30)
    column, word, row = likely[0]
    return (
        Message(
            "warn",
            "missing-marks",
            f"Unusual marks were read as missing: {listed}.",
            column,
            row,
            word,
            "If one of them is a value, replace it by a number.",
        ),
    )


def messages_on_tiny(header: Sequence[str], sample: Sequence[Sequence[str]]) -> tuple[Message, ...]:
    """On columns with a scale that float32 can't hold (its smallest number is 1e-38): they read as zeros."""
    rows = [record for record in sample[: max(_SAMPLE_CELLS // len(header), 5)] if len(record) == len(header)]
    small = [0] * len(header)
    for record in rows:
        for j, cell in enumerate(record):
            if "-" in cell[-5:-1] and _TINY.search(cell):
                small[j] += 1
    tiny = [j for j, count in enumerate(small) if count > 0.5 * len(rows)]
    if not tiny:
        return ()
    text = f"The scale of {plural(len(tiny), 'column')} is too small: values such as {rows[0][tiny[0]]} became 0"
    names = f"{text} ({some(header[j] for j in tiny)})."
    return (Message("warn", "tiny-scale", names, header[tiny[0]], remedy="Multiply the columns by a power of ten."),)


_TINY = re.compile(r"[eE]-(3[89]|[4-9]\d|\d{3,})\s*$")


def _positions(mask: np.ndarray) -> set[int]:
    return set(np.flatnonzero(mask).tolist())


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


def read_delimited(data: bytes, name: str, limits: FileLimits = DEFAULT, recipe: Recipe = FOUND) -> Table:
    """Read CSV, TSV and their relatives: any delimiter, encoding, decimal sign and line end.

    Needs the bytes, the float32 array and some 30 MB a thread. Raises :class:`InputError` for text without a table,
    :class:`RefusedError` beyond a limit; problems inside the table are messages.
    """
    text, encoding, said = to_utf8(data, recipe.encoding)
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):  # line ends of old Macs, or mixed ones
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    dialect = find_dialect(text, recipe)
    if dialect.delimiter == " " and b"  " in text:
        text = re.sub(rb"(?m)^ +| +(?=[ \n])", b"", text)
        dialect = find_dialect(text, recipe)
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
        *_messages_on_decimal(dialect),
        *trimmed,
        *messages_on_tiny(header, dialect.sample),
        *_messages_on_structure(text, pieces, parts, len(header)),
    )
    source = Source("csv", encoding, dialect.delimiter, dialect.decimal)
    table = _assemble(name, header, words, numbers, parts, said, source, recipe)
    proven = dialect.decimal if is_proven(dialect.sample, dialect.decimal) else ""
    table = settle_numbers(table, recipe, proven)
    if proven or recipe.decimal or recipe.thousands is not None or dialect.decimal == ",":
        return table
    return replace(table, messages=(*table.messages, *messages_on_grouped(table)))


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
    recipe: Recipe,
) -> Table:
    number_at = np.array([j for j in range(len(header)) if j not in words], np.int64)
    texts = {
        j: text_column(pa.chunked_array([part.texts[j] for part in parts], pa.string()), recipe.missing)
        for j in sorted(words)
    }
    lines = np.concatenate([part.lines for part in parts] or [np.zeros(0, np.int32)])
    odd = tuple(OddCell(part.at + row, j, word) for part in parts for row, j, word in part.odd)
    likely = [
        (header[j] or f"column {j + 1}", word, int(part.lines[row])) for part in parts for row, j, word in part.likely
    ]
    said = (*said, *messages_on_likely(likely))
    return tidy(Table(name, header, numbers, number_at, texts, lines, odd[:_ODD_LIMIT], frozenset(), said, source))


def _messages_on_decimal(dialect: Dialect) -> tuple[Message, ...]:
    if dialect.decimal != ",":
        return ()
    text = f"Numbers are written with a decimal comma (delimiter {dialect.delimiter!r}) and were read so."
    return (Message("warn", "decimal-comma", text, remedy="Check one value against the file."),)


def _messages_on_structure(text: bytes, pieces: list[Piece], parts: list[_Part], width: int) -> list[Message]:
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
