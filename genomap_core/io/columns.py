"""Which columns of a text table hold words, and columns of words as codes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genomap_core.data.message import Message, plural, some
from genomap_core.data.schema_words import MISSING_WORDS, is_role_name
from genomap_core.data.table import TextColumn
from genomap_core.io.cells import to_numbers

WORDS_SHARE = 0.2
"""A column with more words than this share of its cells is text; with fewer, its words are odd cells of numbers."""

ACROSS_SHARE = 0.6
"""A row with words in more than this share of the number columns is a header or label row, and says nothing on them."""

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
    keep = odd.mean(axis=1) <= ACROSS_SHARE if (odd.mean(axis=1) <= ACROSS_SHARE).any() else np.ones(len(rows), bool)
    filled = (odd | ~np.isnan(values))[keep].sum(axis=0)
    words |= _positions(odd[keep].sum(axis=0) > WORDS_SHARE * filled)
    with np.errstate(invalid="ignore"):
        large = (values >= 2**24) & (values % 1 == 0)
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
    places = places[counts[inverse] <= max(ACROSS_SHARE * n_numbers, 1)] if len(rows) else places
    columns, counts = np.unique(places[:, 1], return_counts=True)
    return set(columns[counts > max(WORDS_SHARE * n_rows, 1)].tolist())


def text_column(cells: pa.ChunkedArray) -> TextColumn:
    """Cells as codes; the usual marks of a missing value are missing, all else stays as written."""
    encoded = pc.dictionary_encode(cells.combine_chunks())
    words = [
        None if word is None or word.strip().lower() in _TEXT_MISSING else word
        for word in encoded.dictionary.to_pylist()
    ]
    return TextColumn(encoded.indices.fill_null(-1).to_numpy().astype(np.int32), tuple(map(str, words))).recoded(words)


def clean_header(header: Sequence[str]) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    """The names without blanks and line breaks around and inside them, and what was changed."""
    clean = tuple(" ".join(name.split()) if name != name.strip() or "\n" in name else name for name in header)
    changed = [new for old, new in zip(header, clean) if old != new]
    text = f"Blanks or line breaks removed from {plural(len(changed), 'column name')}: {some(changed)}."
    return clean, (Message("ok", "names-trimmed", text),) if changed else ()


def said_on_likely(likely: Sequence[tuple[str, str, int]]) -> tuple[Message, ...]:
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


def said_on_tiny(header: Sequence[str], sample: Sequence[Sequence[str]]) -> tuple[Message, ...]:
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
