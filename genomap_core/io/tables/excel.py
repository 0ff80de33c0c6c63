"""Excel workbooks (.xlsx) -> Table, in the child process: openpyxl with defusedxml, values only, no link followed."""

from __future__ import annotations

import datetime
import re
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import parse

from genomap_core.data.message import Message, plural, some, spreadsheet_column
from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.table import Source, Table
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.tables.dialect import messages_on_titles, rows_above_header
from genomap_core.io.tables.records import table_of_records
from genomap_core.io.zips import check_members, open_zip

_OLE = b"\xd0\xcf\x11\xe0"
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook: its ``title``, whether it is ``hidden``, and the archive's ``member`` that holds it."""

    title: str
    hidden: bool
    member: str


@dataclass(frozen=True, slots=True)
class _Scan:
    """What a sheet's XML says besides its values. ``far``: the cell farthest from A1."""

    cells: int
    rows: int
    columns: int
    far: str
    hidden_rows: int
    hidden_columns: bool
    merged: int
    uncalculated: int


def check_excel(path: Path, limits: FileLimits) -> tuple[Message, ...]:
    """Header checks: encryption, sizes, macros, document type definitions; what to say about links."""
    with path.open("rb") as file:
        if file.read(4) == _OLE:
            raise InputError(_about_ole(path))
    with open_zip(path) as archive:
        check_members(archive, limits)
        names = archive.namelist()
        if any("vbaProject" in name for name in names):
            raise RefusedError("The workbook holds macros (.xlsm), which are never run: save it as .xlsx.")
        for name in names:
            if name.endswith((".xml", ".rels")):
                _refuse_dtd(archive, name)
    links = sum(name.startswith("xl/externalLinks/external") for name in names)
    text = f"The workbook has {plural(links, 'link')} to other workbooks: not followed, stored results are used."
    return (Message("warn", "external-link", text, remedy="Check cells that refer to them."),) if links else ()


def _about_ole(path: Path) -> str:
    data = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in data or "EncryptionInfo".encode("utf-16-le") in data:
        return "The workbook is password-protected: save it without a password."
    return "The workbook has the old .xls format: open it in Excel and save it as .xlsx."


def _refuse_dtd(archive: zipfile.ZipFile, name: str) -> None:
    try:
        with archive.open(name) as member:
            head = member.read(1 << 16)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        raise InputError(f"The workbook is damaged: its part {name} can't be unpacked. Save it again.") from error
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise RefusedError(f"The workbook's part {name} has a DTD, with which files can be read or memory filled.")


def read_excel(
    path: Path, *, name: str, sheet: str | None = None, limits: FileLimits = DEFAULT, **recipe: Any
) -> Table:
    """Read one sheet: the one asked for, else the visible one that holds most."""
    given = Recipe.from_options(recipe)
    said = list(check_excel(path, limits))
    path = _transitional(path)
    with open_zip(path) as archive:
        sheets = list_sheets(archive)
        chosen, scan = _choose(archive, sheets, sheet)
    said += _messages_on_sheets(sheets, chosen) + _messages_on_scan(scan, chosen)
    if scan.rows * scan.columns > limits.cells or scan.columns > limits.columns or scan.rows > limits.rows:
        raise InputError(
            f"Sheet {chosen.title!r} reaches to cell {scan.far}: {scan.rows:,} rows x {scan.columns:,} columns for "
            f"{scan.cells:,} cells. Delete the stray cell {scan.far} (Ctrl+End shows it) and save again."
        )
    records, text_numbers = _read_cells(path, chosen)
    if not any(any(record) for record in records):
        raise InputError(f"Sheet {chosen.title!r} is empty.")
    above = rows_above_header(records) if given.header is None else given.header - 1
    if above >= len(records):
        raise InputError(f"Sheet {chosen.title!r} has no row {above + 1} that could be the header.")
    if above < 0:
        records, above = [[""] * len(records[0]), *records], 0
    said += messages_on_titles(above, above + 1) if given.header is None else []
    if text_numbers:
        text = f"{plural(text_numbers, 'number')} stored as text in sheet {chosen.title!r} read as numbers."
        said.append(
            Message("warn", "numbers-as-text", text, remedy="In Excel: select the cells and convert to number.")
        )
    source = Source("excel", sheet=chosen.title, sheets=tuple(s.title for s in sheets))
    first = above + (1 if given.header == 0 else 2)
    rows = range(first, first + len(records) - above - 1)
    return table_of_records(name, records[above], records[above + 1 :], rows, said, source, given)


_STRICT = {
    b"http://purl.oclc.org/ooxml/spreadsheetml/main": b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    b"http://purl.oclc.org/ooxml/officeDocument/relationships": (
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    ),
}


def _transitional(path: Path) -> Path:
    """The workbook itself; one of Excel's kind "Strict Open XML" rewritten under the usual names, beside the answer."""
    with open_zip(path) as archive:
        if "xl/workbook.xml" not in archive.namelist() or b"purl.oclc.org" not in archive.read("xl/workbook.xml"):
            return path
        other = Path(tempfile.mkdtemp(dir=".")) / "transitional.xlsx"
        with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as written:
            for name in archive.namelist():
                part = archive.read(name)
                for strict, usual in _STRICT.items() if name.endswith((".xml", ".rels")) else ():
                    part = part.replace(strict, usual)
                written.writestr(name, part)
    return other


def list_sheets(archive: zipfile.ZipFile) -> list[Sheet]:
    """The worksheets in the workbook's order; chart sheets are not among them."""
    with archive.open("xl/_rels/workbook.xml.rels") as file:
        targets = {relation.get("Id"): relation.get("Target", "") for relation in parse(file).getroot()}
    with archive.open("xl/workbook.xml") as file:
        entries = parse(file).getroot().iter(f"{_MAIN}sheet")
    sheets = []
    for entry in entries:
        target = targets.get(entry.get(_RELATION), "")
        member = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if "worksheets/" in member and member in archive.namelist():
            sheets.append(Sheet(entry.get("name", ""), entry.get("state", "visible") != "visible", member))
    if not sheets:
        raise InputError("The workbook has no worksheet.")
    return sheets


def _choose(archive: zipfile.ZipFile, sheets: list[Sheet], title: str | None) -> tuple[Sheet, _Scan]:
    if title is not None:
        found = [sheet for sheet in sheets if sheet.title == title]
        if not found:
            raise InputError(f"There is no sheet {title!r}; there are {some((s.title for s in sheets), 20)}.")
        return found[0], _scan(archive, found[0])
    visible = [sheet for sheet in sheets if not sheet.hidden] or sheets
    scans = [_scan(archive, sheet) for sheet in visible]
    best = max(range(len(visible)), key=lambda i: scans[i].cells)
    return visible[best], scans[best]


def _chunks(archive: zipfile.ZipFile, member: str) -> Iterator[bytes]:
    """The XML in pieces that end behind a ``>``."""
    rest = b""
    try:
        with archive.open(member) as file:
            while block := file.read(1 << 20):
                block = rest + block
                end = block.rfind(b"</row>") + 6 if b"</row>" in block else block.rfind(b">") + 1
                yield block[:end]
                rest = block[end:]
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise InputError(f"The workbook is damaged: its part {member} can't be unpacked. Save it again.") from error
    yield rest


def _scan(archive: zipfile.ZipFile, sheet: Sheet) -> _Scan:
    """One pass over a sheet's XML as bytes: where its cells end, and what values alone don't tell."""
    cells = hidden_rows = merged = uncalculated = rows = columns = 0
    hidden_columns = False
    for block in _chunks(archive, sheet.member):
        places = re.findall(rb'<(?:\w+:)?c (?:\w+="[^"]*" )*?r="([A-Z]{1,3})(\d{1,7})"', block)
        cells += len(places)
        if places:
            rows = max(rows, max(int(row) for _, row in places))
            columns = max(columns, max(map(_column_number, {column for column, _ in places})))
        hidden_rows += len(re.findall(rb'<(?:\w+:)?row [^>]*hidden="(?:1|true)"', block))
        hidden_columns |= bool(re.search(rb'<(?:\w+:)?col [^>]*hidden="(?:1|true)"', block))
        merged += len(re.findall(rb"<(?:\w+:)?mergeCell ", block))
        uncalculated += len(re.findall(rb"(?:</f>|<f[^>]*/>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>", block))
    far = f"{spreadsheet_column(max(columns - 1, 0))}{rows}"
    return _Scan(cells, rows, columns, far, hidden_rows, hidden_columns, merged, uncalculated)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def _messages_on_sheets(sheets: list[Sheet], chosen: Sheet) -> list[Message]:
    if len(sheets) == 1:
        return []
    others = [f"{s.title!r}" + (" (hidden)" if s.hidden else "") for s in sheets if s != chosen]
    text = f"Sheet {chosen.title!r} is read; there are also {some(others, 10)}."
    return [
        Message("warn", "sheets", text, value=chosen.title, remedy="Choose another sheet if this is not the table.")
    ]


def _messages_on_scan(scan: _Scan, sheet: Sheet) -> list[Message]:
    said: list[Message] = []
    if scan.hidden_rows or scan.hidden_columns:
        what = [plural(scan.hidden_rows, "hidden row")] * bool(scan.hidden_rows) + [
            "hidden columns"
        ] * scan.hidden_columns
        text = f"Sheet {sheet.title!r} has {' and '.join(what)}: they are included."
        said.append(Message("warn", "hidden-cells", text, remedy="Delete them in Excel if they do not belong."))
    if scan.merged:
        text = (
            f"Sheet {sheet.title!r} has {plural(scan.merged, 'merged range')}: only the upper left cell has the value."
        )
        said.append(Message("warn", "merged-cells", text, remedy="Undo the merging in Excel."))
    if scan.uncalculated:
        text = f"{plural(scan.uncalculated, 'formula')} without a stored result read as missing."
        said.append(
            Message("warn", "formula", text, remedy="Open the workbook in Excel, let it calculate, and save it.")
        )
    return said


def _read_cells(path: Path, sheet: Sheet) -> tuple[list[list[str]], int]:
    """All cells as text, every row as long as the longest; and how many numbers were stored as text."""
    import openpyxl
    from openpyxl.xml import DEFUSEDXML

    if not DEFUSEDXML:
        raise RefusedError("Excel files are read only with defusedxml installed: pip install defusedxml.")
    records: list[list[str]] = []
    text_numbers = 0
    with path.open("rb") as file:  # a file, not its path: openpyxl judges paths by their ending
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for values in book[sheet.title].iter_rows(values_only=True):
            text_numbers += sum(_is_number_text(value) for value in values) if records else 0
            records.append([_text(value) for value in values])
    width = max((len(record) for record in records), default=0)
    return [record + [""] * (width - len(record)) for record in records], text_numbers


def _is_number_text(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\s*[+-]?(\d+\.\d*|\.\d+|\d+[eE][+-]?\d+)\s*", value))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ")
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else str(value)
