"""Files that are written whole or not at all."""

import os
import stat

import pytest

from genomap_core.files import USUAL, WRITING, replacing, write_atomically, write_once


def rights(path):
    return stat.S_IMODE(path.stat().st_mode)


def half_written(path):
    with replacing(path) as beside:
        beside.write_bytes(b"half of the n")
        (path.parent / "the other half").read_bytes()


def test_the_old_content_stays_when_writing_fails(tmp_path):
    path = tmp_path / "model.bin"
    write_atomically(path, b"old")
    with pytest.raises(FileNotFoundError):
        half_written(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["model.bin"]


def test_until_the_end_the_name_holds_the_old_content(tmp_path):
    path = tmp_path / "model.bin"
    write_atomically(path, b"old")
    with replacing(path) as beside:
        beside.write_bytes(b"new")
        assert beside.name.startswith(WRITING)
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_rights_are_the_owners_alone_or_those_of_the_system(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "private", b"")
        write_atomically(tmp_path / "usual", b"", USUAL)
    finally:
        os.umask(before)
    assert rights(tmp_path / "private") == 0o600
    assert rights(tmp_path / "usual") == 0o640


def test_what_is_written_once_is_not_written_again(tmp_path):
    assert write_once(tmp_path / "row.json", b"first")
    assert not write_once(tmp_path / "row.json", b"second")
    assert (tmp_path / "row.json").read_bytes() == b"first"
    assert len(list(tmp_path.iterdir())) == 1
