"""Delimiter, decimal sign, header and what stands above it are found."""

import pytest

from genomap_core.errors import InputError
from genomap_core.io.tables.dialect import find_dialect


def find(text: str):
    return find_dialect(text.encode())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
def test_the_delimiter_is_found(delimiter):
    dialect = find(delimiter.join(["id", "a", "b"]) + "\n" + delimiter.join(["s1", "1.5", "2"]) + "\n")
    assert dialect.delimiter == delimiter
    assert dialect.header == ("id", "a", "b")
    assert dialect.decimal == "."


def test_decimal_commas_do_not_pass_for_delimiters():
    dialect = find("id;a;b\ns1;1,5;2,25\ns2;3,5;4,0\n")
    assert (dialect.delimiter, dialect.decimal) == (";", ",")


def test_quoted_decimal_commas_in_a_comma_file():
    assert find('id,a,b\ns1,"1,5","2,2"\ns2,"3,5","4,1"\n').decimal == ","


def test_one_cell_with_thousands_does_not_change_the_decimal_sign():
    assert find('id,a,b\ns1,"1,234",2.5\ns2,3.5,4.1\ns3,1,2\n').decimal == "."


def test_the_line_that_excel_writes_for_the_delimiter_is_honoured():
    dialect = find("sep=;\nid;a\ns1;1,0\n")
    assert (dialect.delimiter, dialect.header, dialect.line) == (";", ("id", "a"), 3)


def test_comment_and_title_lines_are_skipped_counted_and_said():
    dialect = find("!Series\tx\n!begin\nStudy 7\t\t\nid\ta\tb\ns1\t1\t2\ns2\t3\t4\n!end\n")
    assert dialect.header == ("id", "a", "b")
    assert dialect.line == 5
    assert [m.code for m in dialect.messages] == ["comment-lines", "title-rows"]
    assert "3 comment lines" in dialect.messages[0].text
    assert dialect.messages[1].row == 4


def test_a_header_behind_a_number_sign_is_a_header():
    assert find("#id,a\ns1,1\n").header == ("#id", "a")


def test_row_names_as_r_writes_them():
    dialect = find('"a" "b"\n"s1" 1 2\n"s2" 3 4\n')
    assert dialect.header == ("", "a", "b")


@pytest.mark.parametrize("text", ["", " \n\t\n", "\n\n"])
def test_no_text_is_an_error(text):
    with pytest.raises(InputError, match="empty"):
        find(text)


def test_rows_begin_behind_a_header_with_line_breaks():
    dialect = find('"id","a\nb"\ns1,1\n')
    assert dialect.header == ("id", "a\nb")
    assert dialect.line == 3
    assert dialect.sample == (("s1", "1"),)
