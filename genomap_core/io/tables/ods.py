"""OpenDocument spreadsheets (.ods) -> Table, in the child process: the parts of the format that values need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from defusedxml.ElementTree import iterparse

from genomap_core.data.message import Message, some
from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.table import Source, Table
from genomap_core.errors import InputError
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits, check_size
from genomap_core.io.tables.dialect import messages_on_titles, rows_above_header
from genomap_core.io.tables.records import table_of_records
from genomap_core.io.zips import check_members, open_zip

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_VALUES = {
    "float": "value",
    "percentage": "value",
    "currency": "value",
    "date": "date-value",
    "boolean": "boolean-value",
}


def read_ods(path: Path, *, name: str, sheet: str | None = None, limits: FileLimits = DEFAULT, **recipe: Any) -> Table:
    """Read one sheet: the one asked for, else the one that holds most."""
    with open_zip(path) as archive:
        check_members(archive, limits)
        if "content.xml" not in archive.namelist():
            raise InputError("The OpenDocument file has no content.xml: save it again.")
        with archive.open("content.xml") as file:
            sheets = _sheets(file, limits)
    full = {title: sum(bool(cell) for row in rows for cell in row) for title, rows in sheets.items()}
    if not any(full.values()):
        raise InputError("The spreadsheet is empty.")
    if sheet is not None and sheet not in sheets:
        raise InputError(f"There is no sheet {sheet!r}; there are {some(sheets, 20)}.")
    chosen = sheet or max(full, key=full.__getitem__)
    rows = sheets[chosen]
    width = max(map(len, rows))
    records = [row + [""] * (width - len(row)) for row in rows]
    above = rows_above_header(records)
    said: list[Message] = [*messages_on_titles(above, above + 1)]
    if len(sheets) > 1 and sheet is None:
        text = f"Sheet {chosen!r} is read; there are also {some([t for t in sheets if t != chosen], 10)}."
        said.append(
            Message("warn", "sheets", text, value=chosen, remedy="Choose another sheet if this is not the table.")
        )
    source = Source("ods", sheet=chosen, sheets=tuple(sheets))
    numbers = range(above + 2, len(records) + 1)
    return table_of_records(
        name, records[above], records[above + 1 :], numbers, said, source, Recipe.from_options(recipe)
    )


def _sheets(file: Any, limits: FileLimits) -> dict[str, list[list[str]]]:
    """Cells as text by sheet. Repeated cells and rows count only where they hold something or others follow."""
    sheets: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for event, element in iterparse(file, events=("start", "end")):
        if event == "start":
            if element.tag == f"{_TABLE}table":
                rows = sheets.setdefault(element.get(f"{_TABLE}name", f"Sheet{len(sheets) + 1}"), [])
            continue
        if element.tag == f"{_TABLE}table-row":
            row = _row(element, limits)
            times = int(element.get(f"{_TABLE}number-rows-repeated", "1"))
            if row or times <= limits.rows:
                rows += [row] * (times if row else min(times, 1000))
            check_size(len(rows), max(map(len, rows[-1:]), default=1), limits)
            element.clear()
    for held in sheets.values():
        while held and not any(held[-1]):
            held.pop()
    return sheets


def _row(element: Any, limits: FileLimits) -> list[str]:
    row: list[str] = []
    for cell in element:
        if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            continue
        kind = cell.get(f"{_OFFICE}value-type", "")
        text = cell.get(f"{_OFFICE}{_VALUES[kind]}", "") if kind in _VALUES else _words(cell)
        times = int(cell.get(f"{_TABLE}number-columns-repeated", "1"))
        if text and len(row) + times > limits.columns:
            check_size(1, len(row) + times, limits)
        row += [text] * min(times, limits.columns)
    while row and not row[-1]:
        row.pop()
    return row


def _words(cell: Any) -> str:
    return "\n".join("".join(p.itertext()) for p in cell.iter(f"{_TEXT}p"))
