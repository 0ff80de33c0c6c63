"""Checks of single cells: words and infinite values among numbers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import numpy as np

from genomap_core.data.message import Message, capital, limited, plural, shown, some
from genomap_core.data.schema_cohort import Cohort
from genomap_core.data.schema_stats import ColumnStats
from genomap_core.data.table import OddCell

_LISTED = 50
_ACROSS_SHARE = 0.6


def check_cells(cohort: Cohort) -> list[Message]:
    """Every cell of a feature that holds no finite number; a row of words all across counts as one finding."""
    features = set(cohort.origin.tolist())
    cells = [cell for cell in cohort.table.odd if cell.position in features]
    if cohort.roles.not_numbers == "missing":
        return _as_missing(cohort, cells)
    by_row: dict[int, list[OddCell]] = defaultdict(list)
    for cell in cells:
        by_row[cell.row].append(cell)
    across = {row for row, found in by_row.items() if len(found) > max(_ACROSS_SHARE * len(features), 1)}
    said = [_row_of_words(cohort, row, by_row[row]) for row in sorted(across)]
    said += [_odd(cohort, cell) for cell in cells if cell.row not in across]
    return limited(said, _LISTED)


def check_missing(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    """How much is missing in all, and which samples and features are mostly or wholly missing."""
    n, q = cohort.values.shape
    missing = stats.missing
    if n == 0 or q == 0 or not missing.any():
        return []
    share = missing.sum() / (n * q)
    said = [Message("ok", "missing", f"{plural(int(missing.sum()), 'value')} of {n * q:,} missing ({share:.2%}).")]
    if empty := np.flatnonzero(stats.empty).tolist():
        text = f"{plural(len(empty), 'sample')} without a single value left out: {some(cohort.row(i) for i in empty)}."
        said.append(Message("warn", "empty-sample", text, None, cohort.row_number(empty[0]), None, "Delete the rows."))
    absent = [cohort.names[k] for k in np.flatnonzero(missing == n).tolist()]
    needed = frozenset(cohort.roles.needed)
    if kept := [name for name in absent if name in needed]:
        text = f"{plural(len(kept), 'feature')} that the model needs without a single value: {some(map(shown, kept))}."
        remedy = "It answers as for the median of its training samples."
        said.append(Message("warn", "needed-feature", text, kept[0], remedy=remedy))
    if names := [name for name in absent if name not in needed]:
        text = f"{plural(len(names), 'feature')} without a single value left out: {some(map(shown, names))}."
        said.append(Message("warn", "empty-feature", text, names[0], remedy="Remove the columns from the file."))
    half = [cohort.names[k] for k in np.flatnonzero((missing > 0.5 * n) & (missing < n)).tolist()]
    if half:
        text = f"More than half of the values are missing in {plural(len(half), 'feature')}: {some(map(shown, half))}."
        said.append(Message("warn", "mostly-missing", text, half[0], remedy="Consider setting them aside."))
    return said


def _as_missing(cohort: Cohort, cells: list[OddCell]) -> list[Message]:
    if not cells:
        return []
    words = some(f"{shown(word)!r} ({count})" for word, count in Counter(cell.text for cell in cells).most_common())
    text = f"{plural(len(cells), 'cell')} without a finite number read as missing: {words}."
    return [Message("warn", "not-numbers-missing", text)]


def _row_of_words(cohort: Cohort, row: int, cells: list[OddCell]) -> Message:
    words = some(dict.fromkeys(repr(shown(cell.text)) for cell in cells), 3)
    what = f"holds text in {len(cells)} number columns ({words}): a second header row or a note"
    text = f"{capital(cohort.row(row))} {what}."
    return Message("error", "row-of-text", text, None, cohort.row_number(row), cells[0].text, "Delete the row.")


def _odd(cohort: Cohort, cell: OddCell) -> Message:
    column, row = cohort.table.place(cell.row, cell.position)
    text, code, remedy = _reason(cell.text)
    said = f"Column {column}, row {row} holds {shown(cell.text)!r}: {text}."
    return Message("error", code, said, column, row, shown(cell.text, 80), remedy)


def _reason(word: str) -> tuple[str, str, str]:
    """What is wrong with a cell, a code for it, and the remedy."""
    missing = "or choose to treat such cells as missing"
    if re.fullmatch(r"(?i)[+-]?inf(inity)?", word):
        return "an infinite value", "infinite", f"Replace it, {missing}."
    if re.fullmatch(r"(?a)[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", word):
        return "a number beyond 3.4e38, the largest that fits", "too-large", f"Check the value, {missing}."
    if re.fullmatch(r"[+-]?\d{1,3}([,.'\s]\d{3})+([.,]\d+)?", word):
        return "a number with thousands separators", "thousands-separator", "Write it without separators."
    if re.fullmatch(r"[+-]?\d+,\d+", word):
        return "a decimal comma among decimal points", "decimal-comma", "Write all numbers with the same decimal sign."
    if re.search(r"(?a)\d", word) and re.search(r"[%$€£¥<>~]|[a-zA-Zµ]+(/[a-zA-Z]+)?$", word):
        return (
            "a number with a sign or unit",
            "unit",
            f"Write the bare number and put the unit into the column's name, {missing}.",
        )
    return "not a number", "not-a-number", f"Replace it by a number or leave the cell empty, {missing}."
