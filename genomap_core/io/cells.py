"""Cells of text -> float32. Every cell that is neither a number nor a usual mark of a missing value is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genomap_core.data.schema_words import LIKELY_MISSING_WORDS, MISSING_WORDS

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
