"""How a delimited text file is written: lines to skip, delimiter, decimal sign, header. Decided on its first lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from genomap_core.data.message import Message, plural, shown
from genomap_core.data.schema.recipe import FOUND, Recipe
from genomap_core.data.schema.words import GENE_COLUMN_NAMES, ID_NAMES, key
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


def find_dialect(data: bytes, recipe: Recipe = FOUND) -> Dialect:
    """Read the beginning of UTF-8 text. Raises :class:`InputError` when it has no content, or no such header line."""
    start, first, comments = _skip_comments(data) if recipe.header in (None, 0) else _skip_lines(data, recipe.header)
    stop, comments_below = _trim_end(data, start)
    if start >= stop:
        raise InputError("The file is empty: it has no text.")
    delimiter, start, first = _declared_delimiter(data, start, first)
    lines = _first_lines(data, start, stop)
    delimiter = recipe.delimiter or delimiter or _find_delimiter(lines)
    records, ends = _records(lines, delimiter)
    if recipe.header == 0:
        header: tuple[str, ...] = ("",) * max(map(len, records))
        found = find_decimal(records, delimiter)
        return Dialect(delimiter, recipe.decimal or found, header, start, first, stop, tuple(records), ())
    above = rows_above_header(records) if recipe.header is None else 0
    header, sample = records[above], records[above + 1 :]
    said = [
        *_messages_on_comments(len(comments) + comments_below, comments),
        *messages_on_titles(above, first + ends[above] - 1),
    ]
    header, told = _fitted(header, sample, delimiter)
    for _ in range(ends[above]):
        start = data.find(b"\n", start, stop) + 1 or stop
    decimal = recipe.decimal or _OTHER.get(recipe.thousands or "") or find_decimal(sample, delimiter)
    return Dialect(delimiter, decimal, header, start, first + ends[above], stop, tuple(sample), (*said, *told))


def _fitted(
    header: tuple[str, ...], sample: Sequence[Sequence[str]], delimiter: str
) -> tuple[tuple[str, ...], list[Message]]:
    """The header as long as the rows: row names without a title, and delimiters at the ends of lines."""
    width = Counter(map(len, sample)).most_common(1)[0][0] if sample else len(header)
    rows = [record for record in sample if len(record) == width]
    if not rows or len(rows) < len(sample) or width < 2:
        return header, []
    said: list[Message] = []
    empty_end = not any(record[-1].strip() for record in rows)
    names = header[:-1] if not header[-1].strip() and len(header) > 1 else header
    if empty_end and len(header) in (width - 2, width - 1, width):
        if len(names) == width - 1:
            text = f"Every row ends with a delimiter ({delimiter!r}): the empty last field is left out."
            return (*names, ""), [Message("warn", "trailing-delimiter", text)] if len(header) < width else []
        if len(names) == width - 2:
            said.append(Message("warn", "trailing-delimiter", f"Lines end with a delimiter ({delimiter!r}): left out."))
            return ("", *names, ""), [*said, _ROW_NAMES]
        return header, []
    if len(header) == width - 1:
        return ("", *header), [_ROW_NAMES]
    if len(header) == width + 1 and len(names) == width:
        text = f"The header ends with a delimiter ({delimiter!r}) that the rows lack: its empty last name is left out."
        return names, [Message("warn", "trailing-delimiter", text)]
    if len(header) == width and len(names) == width - 1 and header[0].strip() and not _names_rows(header[0]):
        text = f"The header ends with a delimiter ({delimiter!r}), so either the first or the last column has no name."
        remedy = f"Name all columns; if {header[0]!r} is the second, put a delimiter before it."
        return header, [Message("error", "shifted-header", text, remedy=remedy)]
    return header, []


_OTHER = {".": ",", ",": "."}
"""The decimal sign where a thousands sign is given."""

_ROW_NAMES = Message("ok", "row-names", "The header lacks a name for the first column: it holds row names, as in R.")


def _names_rows(title: str) -> bool:
    """Whether a title is one of columns that name rows."""
    return key(title) in ID_NAMES or key(title) in GENE_COLUMN_NAMES


def _skip_lines(data: bytes, line: int) -> tuple[int, int, list[str]]:
    """Byte and number of a line."""
    start = 0
    for _ in range(line - 1):
        start = data.find(b"\n", start) + 1
        if start == 0:
            raise InputError(f"There is no line {line} that could be the header.")
    return start, line, []


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
    following, *after = (line.decode("utf-8", "replace") for line in below.split(b"\n")[:2])
    if following.startswith("#") or not following.strip():
        return False
    delimiter = max("\t,;", key=text.count)
    if not text.count(delimiter) or abs(text.count(delimiter) - following.count(delimiter)) > 1:
        return False
    return bool(_numbers_in(following, delimiter)) or not (after and _numbers_in(after[0], delimiter))


def _numbers_in(line: str, delimiter: str) -> int:
    return sum(bool(_NUMBER_CELL.fullmatch(cell.strip().strip('"'))) for cell in line.split(delimiter)[1:])


_NUMBER_CELL = re.compile(r"[+-]?\d[\d.,']*(e[+-]?\d+)?", re.I)


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
    """The delimiter that cuts the most lines, the header among them, into the same number (> 1) of whole cells.

    Signs inside cells (``TP53|7157``, ``A*02:01;A*03:01``) may stand in all lines as often as the delimiter does; cells
    cut at them hold the delimiter itself, and are rarely numbers.
    """
    if text.count('"') % 2 == 0:
        text = re.sub(r'"[^"]*"', "q", text)  # line ends within quotes too
    lines = [re.sub(r'"[^"]*"', "q", line).strip("\r") for line in text.split("\n") if line.strip()][:50]
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        counts = Counter(line.strip().count(delimiter) if delimiter == " " else line.count(delimiter) for line in lines)
        count, agreeing = max(((c, k) for c, k in counts.items() if c), key=lambda ck: (ck[1], ck[0]), default=(0, 0))
        if not count:
            continue
        fields = [field for line in lines[1:20] if delimiter in line for field in line[:4000].split(delimiter)[:200]]
        whole = sum(not re.search(rf"[{_OTHERS[delimiter]}]", f) or bool(_NUMBER.fullmatch(f.strip())) for f in fields)
        score = agreeing / len(lines) + 0.5 * whole / max(len(fields), 1)
        if score > best_score + 0.05:
            best, best_score = delimiter, score
    return best


_OTHERS = {delimiter: re.escape("".join(d for d in "\t;|," if d != delimiter)) for delimiter in DELIMITERS}
_NUMBER = re.compile(r"[+-]?(\d{1,3}([,. ']\d{3})+([.,]\d+)?|\d+[.,]\d+)\s*%?")
"""A cell with commas in it that is a number is whole."""


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
        line = max(reader.line_num, 1)
        raise InputError(f"The text can't be cut into columns at line {line}: {error}. Check its quotes.") from error
    cut = len(records) > 2 and text.count('"') % 2
    return (records[:-1], ends[:-1]) if cut else (records or [("",)], ends or [1])


def rows_above_header(records: Sequence[Sequence[str]]) -> int:
    """How many title rows there are: they have far fewer filled fields than the rows below."""
    usual = Counter(len(record) for record in records[len(records) // 2 :]).most_common(1)[0][0]
    filled = [sum(bool(field.strip()) for field in record) for record in records[:20]]
    for above, count in enumerate(filled):
        if count >= min(2, usual) and count >= 0.5 * usual:
            if count < 0.75 * usual:  # a line such as "Date,2021-03-04" above four columns, if a fuller header follows
                fuller = range(above + 1, min(len(filled), len(records) - 1))
                above = next((k for k in fuller if filled[k] >= usual - 1 and _are_titles(records, k)), above)
            return above if above + 1 < len(records) else 0
    return 0


def _are_titles(records: Sequence[Sequence[str]], at: int) -> bool:
    """Whether a record holds no number, and the next one does."""

    def numbers(record: Sequence[str]) -> int:
        return sum(bool(_NUMBER_CELL.fullmatch(field.strip())) for field in record)

    return not numbers(records[at]) and numbers(records[at + 1]) > 0


def _messages_on_comments(count: int, comments: list[str]) -> list[Message]:
    first = f", the first of them {shown(comments[0])!r}" if comments else ""
    return [Message("warn", "comment-lines", f"{plural(count, 'comment line')} skipped{first}.")] if count else []


def messages_on_titles(above: int, row: int) -> list[Message]:
    """What to say about title rows; ``row`` is the header's."""
    text = f"{plural(above, 'row')} above the header skipped: the header is row {row}."
    return [Message("warn", "title-rows", text, row=row, remedy="Check the column names.")] if above else []


_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})*,\d+(e[+-]?\d+)?|[+-]?\d+,\d+(e[+-]?\d+)?", re.I)
_POINT = re.compile(r"[+-]?\d{1,3}(,\d{3})*\.\d+(e[+-]?\d+)?|[+-]?\d*\.\d+(e[+-]?\d+)?", re.I)
_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
"""One sign that may mark decimals or group thousands."""


def find_decimal(sample: Sequence[Sequence[str]], delimiter: str = "") -> str:
    """Comma or point, whichever writes more of the cells; with a comma as delimiter only when most cells are quoted.

    Cells that prove their sign come first: ``1,203`` may be a grouped thousand, ``80,9`` can't.
    """
    cells = [field.strip() for record in sample[:50] for field in record[:200]]
    proven = [cell for cell in cells if not _GROUP.fullmatch(cell)]
    for among in (proven, cells):
        commas = sum(bool(_COMMA.fullmatch(cell)) for cell in among)
        points = sum(bool(_POINT.fullmatch(cell)) for cell in among)
        if commas != points:
            break
    if among is cells and commas > points and not any(cell[0:1] == "-" for cell in cells):
        return "."  # nothing proves that a comma is no thousands sign: each column is asked about
    return "," if commas > points and (delimiter != "," or commas > 0.3 * len(cells)) else "."


def is_proven(sample: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether a cell shows that this is the file's decimal sign."""
    pattern = _COMMA if decimal == "," else _POINT
    cells = (field.strip() for record in sample[:50] for field in record[:200])
    return any(pattern.fullmatch(cell) and not _GROUP.fullmatch(cell) for cell in cells)
