"""The files of a cohort, in a ZIP archive or a folder: names first, checked, then the bytes one by one."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.io.zips import check_members, open_zip, read_member, usable_names

_PACKED = (".nii.gz", ".hdr.gz", ".img.gz", ".dcm.gz", ".csv.gz", ".tsv.gz", ".txt.gz", ".mtx.gz")


class Members(Protocol):
    """Named files, in the order of their names."""

    @property
    def names(self) -> list[str]:
        """All but what systems leave behind"""

    @property
    def junk(self) -> int:
        """How many of those there are"""

    def read(self, name: str) -> bytes:
        """All bytes of a file."""

    def head(self, name: str) -> bytes:
        """The first 64 kB."""

    def size(self, name: str) -> int:
        """In bytes, unpacked."""

    def path(self, name: str, folder: Path) -> Path:
        """Where the file lies; of an archive a copy in ``folder``, written piece by piece."""


@dataclass(frozen=True)
class ZipMembers:
    """Members of an open archive."""

    archive: zipfile.ZipFile
    names: list[str]
    junk: int

    def read(self, name: str) -> bytes:
        return read_member(self.archive, name)

    def head(self, name: str) -> bytes:
        return read_member(self.archive, name, 1 << 16)

    def size(self, name: str) -> int:
        return self.archive.getinfo(name).file_size

    def path(self, name: str, folder: Path) -> Path:
        target = folder / f"member{PurePosixPath(name).suffix}"
        with self.archive.open(name) as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        return target


@dataclass(frozen=True)
class FolderMembers:
    """Files below a folder."""

    root: Path
    names: list[str]
    junk: int

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def head(self, name: str) -> bytes:
        with (self.root / name).open("rb") as file:
            return file.read(1 << 16)

    def size(self, name: str) -> int:
        return (self.root / name).stat().st_size

    def path(self, name: str, folder: Path) -> Path:
        return self.root / name


@contextmanager
def open_members(path: Path, limits: FileLimits) -> Iterator[Members]:
    """Open a ZIP archive or a folder.

    Raises
    ------
    RefusedError
        Names that lead elsewhere, links, archives inside, or more files or bytes than the limits allow.
    InputError
        The archive is damaged or locked.
    """
    if path.is_dir():
        yield _folder(path, limits)
        return
    with open_zip(path) as archive:
        check_members(archive, limits)
        names = [member.filename for member in archive.infolist() if not member.is_dir()]
        plain = sorted(usable_names(names, _PACKED))
        yield ZipMembers(archive, plain, len(names) - len(plain))


def _folder(root: Path, limits: FileLimits) -> FolderMembers:
    names: list[str] = []
    total = 0
    for folder, _, files in os.walk(root):
        for file in files:
            path = Path(folder) / file
            if path.is_symlink() or not path.is_file():
                continue
            names.append(path.relative_to(root).as_posix())
            total += path.stat().st_size
            if len(names) > limits.members or total > limits.unpacked:
                raise RefusedError(
                    f"The folder holds more than {limits.members:,} files or {limits.unpacked >> 30:,} GB: choose the "
                    "cohort's own folder, or fewer patients."
                )
    if not names:
        raise InputError("The folder holds no files: choose the folder with the images and the table.")
    plain = sorted(usable_names(names, _PACKED))
    return FolderMembers(root, plain, len(names) - len(plain))
