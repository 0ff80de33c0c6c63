"""Encodings are proved or guessed and said; damage is told with its line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.io.tables.encoding import to_utf8

TEXT = "sample_id,TP53\nMüller,1.5\nÅse,2\n"


@pytest.mark.parametrize(
    ("encoding", "severity"),
    [("utf-8", None), ("utf-8-sig", None), ("utf-16", "warn"), ("utf-32", "warn"), ("cp1252", "warn")],
)
def test_known_encodings_give_the_same_text(encoding, severity):
    text, _, said = to_utf8(TEXT.encode(encoding))
    assert text.decode() == TEXT
    assert [m.severity for m in said] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("words", "encoding"),
    [("患者编号", "gb18030"), ("患者カルテ番号", "shift_jis"), ("Проба крови", "cp1251"), ("Größe in µm", "cp1252")],
)
def test_legacy_encodings_are_guessed_and_said(words, encoding):
    table = "id,x\n" + "".join(f"{words}{i},{i}\n" for i in range(5))
    text, found, said = to_utf8(table.encode(encoding))
    assert (text.decode(), found) == (table, encoding)
    assert said[0].code == "encoding-guessed"
    assert encoding in said[0].text


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0\ufeff\ufffe")))
def test_utf8_is_never_changed(text):
    data = text.encode()
    found, encoding, said = to_utf8(data)
    assert (found, encoding, said) == (data, "utf-8", ())


def test_one_damaged_byte_is_an_error_with_its_line():
    data = "a,b\nö,1\n".encode() + b"S\xff1,2\n"
    _, _, said = to_utf8(data)
    assert [(m.severity, m.row) for m in said] == [("error", 3)]


def test_a_character_cut_at_the_border_of_two_pieces_is_no_damage():
    data = b"x" * ((1 << 20) - 1) + "ö".encode() + b"\n"
    assert to_utf8(data)[2] == ()


def test_nul_bytes_are_an_error_with_their_line():
    _, _, said = to_utf8(b"a,b\n" * 200 + b"S\x001,2\n")
    assert [(m.severity, m.row) for m in said] == [("error", 201)]
