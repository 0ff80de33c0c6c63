"""Checks of an archive with a table and the images of its samples. Runs in the child; nothing is unpacked to disk."""

from __future__ import annotations

import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from genomap_core.data.message import Message, plural, some
from genomap_core.data.personal import may_name_a_person
from genomap_core.data.schema.build import split
from genomap_core.data.schema.validate import validate
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.matching import find_owners
from genomap_core.io.images.raster import check_picture
from genomap_core.io.images.read import read_volume
from genomap_core.io.kinds import IMAGE_ENDINGS, IMAGE_SUFFIXES
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.tables.delimited import read_delimited
from genomap_core.io.zips import check_members, escapes, open_zip, read_member, usable_names

TABLES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True)
class Contents:
    """The members by what they are; ``ignored``: neither table nor image; ``junk``: what systems leave behind."""

    tables: tuple[str, ...]
    images: tuple[str, ...]
    ignored: tuple[str, ...]
    junk: int


def check_archive(path: Path, *, name: str, limits: FileLimits = DEFAULT) -> tuple[Message, ...]:
    """All messages on one ZIP file. Raises where it can't or must not be read."""
    with open_zip(path) as archive:
        check_members(archive, limits)
        contents = sort_members(archive)
        table_name = _the_table(contents)
        said = _messages_on_members(contents)
        ids, table_said = _read_ids(read_member(archive, table_name), table_name, limits)
        sizes: Counter[tuple[int, int]] = Counter()
        for member in contents.images:
            shape, image_said = _look(archive, member, limits)
            said += image_said
            sizes[shape] += 1
        pairs, pair_said = match(contents.images, ids)
    said += [*table_said, *pair_said]
    if len(sizes) > 1:
        listed = some(f"{w} x {h} ({count})" for (w, h), count in sizes.most_common())
        said.append(
            Message("warn", "image-sizes", f"The images differ in size: {listed}; they are resized to one size.")
        )
    content = (
        f"{plural(len(ids), 'sample')} in the table, {plural(len(contents.images), 'image')}, {plural(pairs, 'pair')}."
    )
    return (Message("ok", "content", content), *said)


def sort_members(archive: zipfile.ZipFile) -> Contents:
    """Tables, images, and the rest; nested archives are refused, names that no system takes are errors."""
    names = [member.filename for member in archive.infolist() if not member.is_dir()]
    plain = usable_names(names)
    kind = {name: PurePosixPath(name.lower().removesuffix(".gz")).suffix for name in plain}
    return Contents(
        tuple(name for name in plain if kind[name] in TABLES),
        tuple(name for name in plain if kind[name] in IMAGE_ENDINGS),
        tuple(name for name in plain if kind[name] not in TABLES and kind[name] not in IMAGE_ENDINGS),
        len(names) - len(plain),
    )


def _the_table(contents: Contents) -> str:
    if not contents.tables:
        raise InputError(f"The archive has no table: put one file ending in {', '.join(TABLES)} beside the images.")
    if len(contents.tables) > 1:
        raise InputError(f"The archive has several tables: {some(contents.tables)}. Leave one of them in it.")
    return contents.tables[0]


def _messages_on_members(contents: Contents) -> list[Message]:
    said: list[Message] = []
    if contents.junk:
        said.append(Message("ok", "junk", f"{plural(contents.junk, 'file')} that systems leave in archives ignored."))
    if contents.ignored:
        text = f"{plural(len(contents.ignored), 'member')} of other kinds ignored: {some(contents.ignored)}."
        said.append(Message("warn", "ignored-members", text, remedy="Remove them from the archive."))
    if any(may_name_a_person(PurePosixPath(name).stem) for name in contents.images):
        text = "Names of image files may identify persons: they are not shown, stored or exported."
        said.append(Message("warn", "identifying", text, remedy="Name the images by sample id."))
    return said


def _read_ids(data: bytes, member: str, limits: FileLimits) -> tuple[list[str], list[Message]]:
    """The sample ids of the table, and what its report says beyond "ok"."""
    table = read_delimited(data, member, limits)
    report = validate(table)
    cohort = split(table, report.roles).cohort
    ids = [] if cohort.id is None else [value or "" for value in cohort.id.values()]
    minor = ("few-samples", "small-class")
    said = [m for m in report.messages if m.severity != "ok" and m.code not in minor]
    if not ids:
        text = f"The table {member!r} has no column with sample ids: images can't be matched with its rows."
        said.append(Message("error", "no-ids", text, remedy="Add a column sample_id."))
    return ids, said


def _look(archive: zipfile.ZipFile, member: str, limits: FileLimits) -> tuple[tuple[int, int], list[Message]]:
    data = read_member(archive, member)
    shown = "An image" if may_name_a_person(member) else member
    try:
        if PurePosixPath(member).suffix.lower() in IMAGE_SUFFIXES:
            facts = check_picture(data, member, limits)
            shape, found = (facts.width, facts.height), facts.messages
        else:
            volume = read_volume(data, member, limits)
            shape, found = volume.voxels.shape[2:0:-1], volume.messages
    except RefusedError as error:
        raise RefusedError(f"{shown}: {error}") from error
    except InputError as error:
        return (0, 0), [Message("error", "image", f"{shown}: {error}", remedy="Replace or remove it.")]
    said = [Message(m.severity, m.code, f"{shown}: {m.text}", remedy=m.remedy) for m in found]
    return (shape[0], shape[1]), [m for m in said if m.code != "constant-image"]


def match(images: tuple[str, ...], ids: list[str]) -> tuple[int, list[Message]]:
    """How many images belong to a sample: their name is its id, or holds it between signs."""
    found = find_owners({image: (PurePosixPath(image).stem, *PurePosixPath(image).parts[:-1]) for image in images}, ids)
    said: list[Message] = []
    if alone := found.without(ids):
        text = f"{plural(len(alone), 'sample')} without an image left out: {some(alone, 10)}."
        said.append(Message("warn", "no-image", text, remedy="Add the images, named by sample id."))
    if found.lost:
        lost = [PurePosixPath(image).stem for image in found.lost]
        names = some("(not shown)" if may_name_a_person(stem) else stem for stem in lost)
        text = f"{plural(len(lost), 'image')} without a row in the table left out: {names}."
        said.append(Message("warn", "no-row", text, remedy="Add rows with their ids, or rename the images."))
    pictures = [
        image for image in found.owner if PurePosixPath(image).suffix.lower() in IMAGE_SUFFIXES
    ]  # files of a series belong together
    counts = Counter(found.owner[image] for image in pictures)
    if several := [sample for sample, count in counts.items() if count > 1]:
        text = f"{plural(len(several), 'sample')} have several images, the first by name is used: {some(several, 10)}."
        said.append(Message("warn", "several-images", text, remedy="Leave one, or name its channel in a manifest."))
    return len(set(found.owner.values())), said


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
