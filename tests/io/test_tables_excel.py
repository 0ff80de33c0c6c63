"""Excel workbooks: the right sheet, values as stored, everything hidden or mangled said; dangerous parts refused."""

import datetime
import io
import zipfile

import numpy as np
import openpyxl
import pytest

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.tables.excel import read_excel
from genomap_core.io.tables.read import read_table


def workbook(good, change=lambda book: None):
    """The good table as a workbook with real numbers, changed by a function."""
    book = openpyxl.Workbook()
    sheet = book.active
    for i, line in enumerate(good.strip().split("\n")):
        cells = line.split(",")
        sheet.append(cells if i == 0 else [cells[0], *map(float, cells[1:-1]), cells[-1]])
    change(book)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def read(data, tmp_path, **options):
    """In this process: the child's part alone."""
    path = tmp_path / "t.xlsx"
    path.write_bytes(data)
    return read_excel(path, name="t.xlsx", **options)


def rewritten(data, change):
    """The workbook with its members' bytes changed; a member may be added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        members = {name: source.read(name) for name in source.namelist()}
        change(members)
        for name, content in members.items():
            target.writestr(name, content)
    return out.getvalue()


def test_a_workbook_is_read_through_the_child(good, values):
    table = read_table(workbook(good), "t.xlsx")
    np.testing.assert_array_equal(table.numbers, values.astype(np.float32))
    assert table.texts[7].words == ("normal", "tumor")
    assert table.messages == ()


def test_the_sheet_that_holds_most_is_taken_and_others_are_told(good, tmp_path):
    def change(book):
        book.active.title = "data"
        book.create_sheet("notes", 0).append(["see the next sheet"])
        book.create_sheet("old").sheet_state = "hidden"

    data = workbook(good, change)
    table = read(data, tmp_path)
    assert table.source.sheet == "data"
    (said,) = [m for m in table.messages if m.code == "sheets"]
    assert "'notes'" in said.text
    assert "'old' (hidden)" in said.text
    with pytest.raises(InputError, match="no sheet 'x'"):
        read(data, tmp_path, sheet="x")


def test_numbers_stored_as_text_are_read_and_said(good, values, tmp_path):
    def change(book):
        for row in book.active.iter_rows(min_row=2, min_col=2, max_col=3):
            for cell in row:
                cell.value = str(cell.value)

    table = read(workbook(good, change), tmp_path)
    np.testing.assert_array_equal(table.numbers, values.astype(np.float32))
    assert [m.code for m in table.messages] == ["numbers-as-text"]


def test_dates_in_the_header_come_as_dates(good, tmp_path):
    table = read(workbook(good, lambda book: book.active.__setitem__("B1", datetime.datetime(2024, 9, 2))), tmp_path)
    assert table.columns[1] == "2024-09-02"


def test_hidden_cells_merged_cells_and_formulas_without_result_are_said(good, tmp_path):
    def change(book):
        sheet = book.active
        sheet.row_dimensions[5].hidden = True
        sheet.column_dimensions["D"].hidden = True
        sheet["C6"] = "=B6*2"

    table = read(workbook(good, change), tmp_path)
    assert {m.code for m in table.messages} == {"hidden-cells", "formula"}
    assert np.isnan(table.numbers[4, 1])


def test_rows_keep_their_number_below_a_title(good, tmp_path):
    def change(book):
        book.active.insert_rows(1, 2)
        book.active["A1"] = "Study 7"

    table = read(workbook(good, change), tmp_path)
    assert table.rows[0] == 4
    assert any(m.row == 3 for m in table.messages if m.code == "title-rows")


def test_a_stray_cell_far_away_is_named_before_memory_is_taken(good, tmp_path):
    data = workbook(good, lambda book: book.active.__setitem__("XFD1048576", 1))
    with pytest.raises(InputError, match="XFD1048576"):
        read(data, tmp_path)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda m: m.update({"xl/vbaProject.bin": b"x"}), "macros"),
        (lambda m: m.update({"xl/workbook.xml": b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + m["xl/workbook.xml"]}), "DTD"),
        (lambda m: m.update({"xl/media/a.bin": bytes(4 << 20)}), "limit"),
        (lambda m: m.update({"../evil.xml": b"x"}), r"\.\."),
    ],
)
def test_dangerous_workbooks_are_refused(good, tmp_path, change, word):
    with pytest.raises(RefusedError, match=word):
        read(rewritten(workbook(good), change), tmp_path)


def test_links_to_other_workbooks_are_told_and_not_followed(good, tmp_path):
    data = rewritten(workbook(good), lambda m: m.update({"xl/externalLinks/externalLink1.xml": b"<x/>"}))
    assert [m.code for m in read(data, tmp_path).messages] == ["external-link"]


def test_damaged_encrypted_and_old_workbooks_say_so(good, tmp_path):
    with pytest.raises(InputError, match="damaged"):
        read(workbook(good)[:2000], tmp_path)
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    with pytest.raises(InputError, match="password"):
        read(ole + "EncryptedPackage".encode("utf-16-le"), tmp_path)
    with pytest.raises(InputError, match=r"save it as \.xlsx"):
        read(ole + "Workbook".encode("utf-16-le"), tmp_path)
