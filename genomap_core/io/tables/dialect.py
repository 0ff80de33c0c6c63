"""How a delimited text file is written: lines to skip, delimiter, decimal sign, header. Decided on its first lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from genomap_core.data.message import Message, plural, shown
from genomap_core.errors import InputError

DELIMITERS = "\t;|, "
"""In order of preference when several fit: decimal commas and blanks inside names imitate the later ones."""

_SAMPLE_BYTES = 2 << 20
_SAMPLE_LINES = 200


@dataclass(frozen=True, slots=True)
class Dialect:
    """``header``: the column names. ``start``, ``line``: byte and line where the rows begin. ``stop``: where they end.

    ``sample``: the first rows as cells, for deciding what each column holds.
    """

    delimiter: str
    decimal: str
    header: tuple[str, ...]
    start: int
    line: int
    stop: int
    sample: tuple[tuple[str, ...], ...]
    messages: tuple[Message, ...]


def find_dialect(data: bytes) -> Dialect:
    """Read the beginning of UTF-8 text. Raises :class:`InputError` when it has no content."""
    start, first, comments = _skip_comments(data)
    stop, comments_below = _trim_end(data, start)
    if start >= stop:
        raise InputError("The file is empty: it has no text.")
    delimiter, start, first = _declared_delimiter(data, start, first)
    lines = _first_lines(data, start, stop)
    delimiter = delimiter or _find_delimiter(lines)
    records, ends = _records(lines, delimiter)
    above = rows_above_header(records)
    header, sample = records[above], records[above + 1 :]
    said = [
        *_messages_on_comments(len(comments) + comments_below, comments),
        *messages_on_titles(above, first + (ends[above - 1] if above else 0)),
    ]
    if sample and all(len(record) == len(header) + 1 for record in sample):
        header = ("", *header)
        text = "The header has no name for the first column: it holds the row names, as R writes them."
        said.append(Message("ok", "row-names", text))
    for _ in range(ends[above]):
        start = data.find(b"\n", start, stop) + 1 or stop
    decimal = find_decimal(sample, delimiter)
    return Dialect(delimiter, decimal, header, start, first + ends[above], stop, tuple(sample), tuple(said))


def _skip_comments(data: bytes) -> tuple[int, int, list[str]]:
    """Byte and line where the table begins, and the comment lines above it (those with ``!``, ``#``, ``%``)."""
    start, line = 0, 1
    comments: list[str] = []
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        text = data[start : min(end, start + 2000)].decode("utf-8", "replace").strip()
        if text and text[0] not in "!#%":
            break
        if text and text[0] == "#" and _is_header(text, data[end : end + 2000]):
            return start, line, comments
        if text:
            comments.append(text)
        start, line = end, line + 1
    return start, line, comments


def _is_header(text: str, below: bytes) -> bool:
    """Whether a ``#`` line names the columns of the line below it."""
    following = below.split(b"\n")[0].decode("utf-8", "replace")
    fields = [text.count(d) for d in "\t,;"]
    return max(fields) > 0 and not following.startswith("#") and fields == [following.count(d) for d in "\t,;"]


def _trim_end(data: bytes, start: int) -> tuple[int, int]:
    """Where the last row ends, without blank and ``!`` lines below it; and how many of the latter there were."""
    stop, skipped = len(data), 0
    while stop > start:
        while stop > start and data[stop - 1] in b" \t\r\n":
            stop -= 1
        line = data.rfind(b"\n", start, stop) + 1
        if line <= start or data[line : line + 1] != b"!":
            break
        stop, skipped = line, skipped + 1
    end = data.find(b"\n", stop)
    return (end + 1 if end >= 0 else len(data)) if stop > start else start, skipped


def _declared_delimiter(data: bytes, start: int, line: int) -> tuple[str, int, int]:
    """Excel's ``sep=;`` line."""
    found = re.match(rb'"?sep=(.)"?\r?\n', data[start : start + 12])
    return (found.group(1).decode("latin-1"), start + found.end(), line + 1) if found else ("", start, line)


def _first_lines(data: bytes, start: int, stop: int) -> str:
    """At most 200 lines and about 2 MB, but at least three lines."""
    end, lines = start, 0
    while end < stop and lines < _SAMPLE_LINES and (lines < 3 or end - start < _SAMPLE_BYTES):
        end, lines = data.find(b"\n", end, stop) + 1 or stop, lines + 1
    return data[start:end].decode("utf-8", "replace")


def _find_delimiter(text: str) -> str:
    """The delimiter that cuts the most lines into the same number (> 1) of fields."""
    lines = [re.sub(r'"[^"]*"', "q", line).strip("\r") for line in text.split("\n") if line.strip()][:50]
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        counts = Counter(line.strip().count(delimiter) if delimiter == " " else line.count(delimiter) for line in lines)
        count, agreeing = max(((c, k) for c, k in counts.items() if c), key=lambda ck: (ck[1], ck[0]), default=(0, 0))
        score = agreeing / len(lines)
        if count and score > best_score + 0.05:
            best, best_score = delimiter, score
    return best


def _records(text: str, delimiter: str) -> tuple[list[tuple[str, ...]], list[int]]:
    """The sample as fields, and the number of lines up to the end of each; one cut inside a quote is left out."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True)
    reader = csv.reader(lines, delimiter=delimiter)
    records: list[tuple[str, ...]] = []
    ends: list[int] = []
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                records.append(tuple(fields))
                ends.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"The text can't be cut into columns: {error}. Check its quotes.") from error
    cut = len(records) > 2 and text.count('"') % 2
    return (records[:-1], ends[:-1]) if cut else (records or [("",)], ends or [1])


def rows_above_header(records: Sequence[Sequence[str]]) -> int:
    """How many title rows there are: they have far fewer filled fields than the rows below."""
    usual = Counter(len(record) for record in records[len(records) // 2 :]).most_common(1)[0][0]
    for above, record in enumerate(records[:20]):
        filled = sum(bool(field.strip()) for field in record)
        if filled >= min(2, usual) and filled >= 0.5 * usual:
            return above if above + 1 < len(records) else 0
    return 0


def _messages_on_comments(count: int, comments: list[str]) -> list[Message]:
    first = f", the first of them {shown(comments[0])!r}" if comments else ""
    return [Message("warn", "comment-lines", f"{plural(count, 'comment line')} skipped{first}.")] if count else []


def messages_on_titles(above: int, row: int) -> list[Message]:
    """What to say about title rows; ``row`` is the header's."""
    text = f"{plural(above, 'row')} above the header skipped: the header is row {row}."
    return [Message("warn", "title-rows", text, row=row, remedy="Check the column names.")] if above else []


_COMMA, _POINT = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.I), re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?", re.I)


def find_decimal(sample: Sequence[Sequence[str]], delimiter: str = "") -> str:
    """Comma or point, whichever writes more of the cells; with a comma as delimiter only when most cells are quoted."""
    cells = [field for record in sample[:50] for field in record[:200]]
    commas = sum(bool(_COMMA.fullmatch(c.strip())) for c in cells)
    points = sum(bool(_POINT.fullmatch(c.strip())) for c in cells)
    return "," if commas > points and (delimiter != "," or commas > 0.3 * len(cells)) else "."
