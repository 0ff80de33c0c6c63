"""A ZIP file is judged by its directory, before a byte of it is unpacked."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.io.zips import check_members, check_ratio, escapes, is_portable, open_zip

LIMITS = FileLimits(unpacked=10 << 20, ratio=200, members=50)


def archive_of(*members: tuple[str | zipfile.ZipInfo, bytes]) -> zipfile.ZipFile:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return zipfile.ZipFile(out)


def test_plain_members_pass() -> None:
    check_members(archive_of(("table.csv", b"a,b"), ("images/S1.png", b"x" * 5000)), LIMITS)


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "C:/x", "c:x", "..", "a\\..\\x", "\\\\server\\x", "./../x", "a/.."]
)
def test_names_that_lead_out_are_refused_and_named(name: str) -> None:
    info = zipfile.ZipInfo("x")
    info.filename = name
    with pytest.raises(RefusedError, match="lead out"):
        check_members(archive_of((info, b"")), LIMITS)


@pytest.mark.parametrize("name", ["a..b", "...", "a/b.csv", "..a", "über.csv", "a b.csv"])
def test_dots_that_lead_nowhere_pass(name: str) -> None:
    assert not escapes(name)


@given(st.text(st.sampled_from("./\\aC:"), max_size=8))
def test_what_passes_stays_inside_wherever_it_is_written(name: str) -> None:
    if name and not escapes(name):
        base = Path("/base/folder")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        assert ".." not in parts
        assert (base / name).parts[: len(base.parts)] == base.parts


def test_links_are_refused() -> None:
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(RefusedError, match="links"):
        check_members(archive_of((info, b"/etc/passwd")), LIMITS)


def test_members_their_sum_and_their_ratio_are_limited() -> None:
    with pytest.raises(RefusedError, match="60 members, over the limit of 50"):
        check_members(archive_of(*((f"{i}.png", b"") for i in range(60))), LIMITS)
    with pytest.raises(RefusedError, match="200 times its size"):
        check_members(archive_of(("zeros", bytes(9 << 20))), LIMITS)
    halves = [(f"{i}", bytes(range(256)) * 4 * 6000) for i in range(2)]
    with pytest.raises(RefusedError, match="over the limit of 10 MB"):
        check_members(archive_of(*halves), FileLimits(unpacked=10 << 20, ratio=10**6))


def test_small_members_may_be_dense() -> None:
    check_ratio("x", 1 << 20, 10, LIMITS)
    with pytest.raises(RefusedError):
        check_ratio("x", (1 << 20) + 1, 10, LIMITS)


def test_locked_archives_are_told() -> None:
    archive = archive_of(("a", b"x"))
    archive.infolist()[0].flag_bits |= 1
    with pytest.raises(InputError, match="password-protected"):
        check_members(archive, LIMITS)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(10), b"text"])
def test_a_damaged_archive_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        open_zip(path)


@pytest.mark.parametrize(
    ("name", "portable"),
    [("a.png", True), ("CON", False), ("con.png", False), ("a/lpt1.txt", False), ("console.png", True), ("a ", False),
     ("a:b", False), ("a\x00b", False), ("x/y z.png", True)],
)  # fmt: skip
def test_names_that_a_system_can_not_write(name: str, portable: bool) -> None:
    assert is_portable(name) == portable
