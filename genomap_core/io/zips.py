"""Checks of ZIP files from their directory alone, before a byte is unpacked."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath

from genomap_core.data.message import Message, some
from genomap_core.data.personal import may_name_a_person
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits

_NESTED = (".zip", ".gz", ".7z", ".rar", ".tar", ".bz2", ".xz")
_JUNK = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._)", re.I)
_NOT_PORTABLE = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)|[<>:\"|?*\x00-\x1f]", re.I)


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open; a damaged file is an :class:`InputError`. Backslashes in names (of Windows programs) become ``/``."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(
            "The file is damaged: its directory of members can't be read. Save or download it again."
        ) from error
    for member in archive.infolist():
        if "\\" in member.filename:
            member.filename = member.filename.replace("\\", "/")
            archive.NameToInfo.setdefault(member.filename, member)
    return archive


def names_of(source: Path | bytes) -> list[str]:
    """Names in a ZIP file, with ``/`` between folders; none of a damaged one."""
    try:
        with zipfile.ZipFile(source if isinstance(source, Path) else io.BytesIO(source)) as archive:
            return [name.replace("\\", "/") for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def check_members(archive: zipfile.ZipFile, limits: FileLimits) -> None:
    """Refuse names that escape the folder, links, and what unpacks beyond the limits."""
    members = archive.infolist()
    if len(members) > limits.members:
        raise RefusedError(f"The archive has {len(members):,} members, over the limit of {limits.members:,}.")
    if bad := [member.filename for member in members if escapes(member.filename)]:
        raise RefusedError(
            f"Names of members lead out of the folder (.. or absolute): {', '.join(map(repr, bad[:5]))}."
        )
    if links := [member.filename for member in members if stat.S_ISLNK(member.external_attr >> 16)]:
        raise RefusedError(
            f"Members are links to other files, which are never followed: {', '.join(map(repr, links[:5]))}."
        )
    for member in members:
        check_ratio(member.filename, member.file_size, member.compress_size, limits)
    total = sum(member.file_size for member in members)
    if total > limits.unpacked:
        raise RefusedError(
            f"The archive unpacks to {total >> 20:,} MB, over the limit of {limits.unpacked >> 20:,} MB."
        )
    if locked := [member.filename for member in members if member.flag_bits & 1]:
        raise InputError(f"The archive is password-protected ({len(locked)} members): save it without a password.")


def check_ratio(name: str, unpacked: int, packed: int, limits: FileLimits) -> None:
    """Refuse a member that unpacks to far more than its size."""
    if unpacked > limits.unpacked or (unpacked > 1 << 20 and unpacked > limits.ratio * max(packed, 1)):
        raise RefusedError(
            f"{name!r} unpacks from {packed >> 10:,} kB to {unpacked >> 20:,} MB, over the limit of "
            f"{limits.ratio} times its size and {limits.unpacked >> 20:,} MB."
        )


def escapes(name: str) -> bool:
    """Whether a member's name could be written outside the folder."""
    return (
        name.startswith(("/", "\\"))
        or bool(re.match(r"[A-Za-z]:", name))
        or ".." in re.split(r"[\\/]", name)
        or "\\" in name
        or "\0" in name
    )


def is_junk(name: str) -> bool:
    """Whether it is a file that systems leave behind in archives and folders."""
    return bool(_JUNK.search(name))


def is_portable(name: str) -> bool:
    """Whether every system can write a file of this name."""
    plain = PurePosixPath(name).name
    return not _NOT_PORTABLE.search(plain) and plain == plain.strip()


def read_member(archive: zipfile.ZipFile, member: str, most: int | None = None) -> bytes:
    """A member's bytes, or its first ``most``: no more than it declares, and with the right check sum."""
    try:
        with archive.open(member) as file:
            return file.read(archive.getinfo(member).file_size + 1 if most is None else most)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        shown = "an image" if may_name_a_person(member) else repr(member)
        raise InputError(f"The archive is damaged: member {shown} can't be unpacked or fails its check sum.") from error


def usable_names(names: list[str], packed: tuple[str, ...] = (".nii.gz",)) -> list[str]:
    """Names without what systems leave behind. Nested archives are refused but for those that end in ``packed``."""
    plain = [name for name in names if not is_junk(name)]
    if nested := [name for name in plain if name.lower().endswith(_NESTED) and not name.lower().endswith(packed)]:
        raise RefusedError(f"The archive holds archives ({some(map(repr, nested))}): unpack them first.")
    if twice := [name for name, count in Counter(plain).items() if count > 1]:
        raise InputError(f"Members occur twice: {some(map(repr, twice))}.")
    if bad := [name for name in plain if not is_portable(name)]:
        raise InputError(f"Names of members are not usable on all systems: {some(map(repr, bad))}.")
    return plain


def refuse_tar(path: Path, *, name: str, limits: FileLimits = DEFAULT) -> tuple[Message, ...]:
    """Tar archives are not accepted; say so, and whether this one would have written outside its folder."""
    import tarfile

    try:
        with tarfile.open(path, "r:") as archive:
            members = [member for member, _ in zip(archive, range(1000))]
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise RefusedError("Tar archives are not accepted: give a ZIP archive.") from error
    bad = [member.name for member in members if escapes(member.name)]
    links = [member.name for member in members if member.issym() or member.islnk()]
    why = f" This one has names that lead out of the folder (..): {some(map(repr, bad))}." if bad else ""
    why += f" This one has links: {some(map(repr, links))}." if links else ""
    raise RefusedError(f"Tar archives are not accepted: give a ZIP archive.{why}")
