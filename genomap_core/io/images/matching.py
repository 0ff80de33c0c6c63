"""Which sample a file belongs to: by its name or its folder's, or by a manifest. No guessing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from genomap_core.data.message import Message, plural
from genomap_core.data.personal import may_name_a_person
from genomap_core.data.schema.check import clean_id
from genomap_core.data.schema.words import key
from genomap_core.data.table import Table
from genomap_core.io.kinds import IMAGE_ENDINGS

_LONGEST = 12
"""Parts of a name that may form an id together."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Who owns what.

    ``owner``: file -> id; ``lost``: files whose name holds no id, or several; ``bent``: files that fit only when
    zeros in front of numbers, capitals and endings of files are disregarded.
    """

    owner: dict[str, str]
    lost: tuple[str, ...]
    bent: tuple[str, ...] = field(default=())

    def without(self, ids: Sequence[str]) -> list[str]:
        """The ids that own nothing."""
        owning = set(self.owner.values())
        return [sample for sample in ids if sample not in owning]


def find_owners(files: Mapping[str, Sequence[str]], ids: Sequence[str]) -> Owners:
    """Match files, each known by one or more names (its stem first, then its folders), with ids.

    A name counts if it is an id, or holds exactly one between signs; all names that count must agree. Only where none
    does, numbers are compared without the zeros in front (which spreadsheets take away), words without their case, and
    ids without the folder and the ending of a file, as far as this stays unambiguous. Letters with accents are the same
    whether they are written as one sign or, as a Mac does in names of files, as two.
    """
    known = {_composed(sample): sample for sample in ids}
    plain: dict[str, str | None] = {}
    for sample in ids:
        plain[_plain(sample)] = None if _plain(sample) in plain else sample
    loose = {name: sample for name, sample in plain.items() if sample is not None}
    owner: dict[str, str] = {}
    lost, bent = [], []
    for file, written in files.items():
        names = [_composed(name) for name in written]
        found = {s for name in names if (s := _holds(name, known)) is not None}
        if not found:
            found = {s for name in names if (s := _holds(name, loose, _plain)) is not None}
            bent += [file] * (len(found) == 1)
        if len(found) == 1:
            owner[file] = found.pop()
        else:
            lost.append(file)
    return Owners(owner, tuple(lost), tuple(bent))


def _holds(name: str, known: Mapping[str, str], spell=str) -> str | None:  # type: ignore[no-untyped-def]
    """The one id in a name: the name itself, else a run of its parts; an id inside a longer one does not count."""
    if (whole := spell(name)) in known:
        return known[whole]
    places = [m.span() for m in re.finditer(r"[^\W_]+", name)]
    found: list[tuple[int, int, str]] = []
    for a in range(len(places)):
        for b in range(a, min(len(places), a + _LONGEST)):
            start, end = places[a][0], places[b][1]
            if (sample := known.get(spell(name[start:end]))) is not None:
                found.append((start, end, sample))
    longest = [f for f in found if not any(g != f and g[0] <= f[0] and f[1] <= g[1] for g in found)]
    owners = {sample for _, _, sample in longest}
    return owners.pop() if len(owners) == 1 else None


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _plain(name: str) -> str:
    """Small letters, numbers without zeros in front, no folder and no ending of an image file."""
    found = _composed(name).strip().lower().removesuffix(".gz")
    found = found.replace("\\", "/").rpartition("/")[2] or found
    ending = next((e for e in IMAGE_ENDINGS if found.endswith(e)), "")
    return re.sub(r"(?<!\d)0+(?=\d)", "", found.removesuffix(ending))


_PATIENT = ("patient", "patientid", "sampleid", "sample", "subject", "subjectid", "id", "case", "caseid")
_FILE = ("file", "filename", "image", "imagefile", "path", "filepath", "imagepath")
_CHANNEL = ("channel", "sequence", "stain", "modality")
_LABEL = ("label", "class", "target", "diagnosis", "group")
_SPLIT = ("split", "fold", "set", "partition")


@dataclass(frozen=True, eq=False)
class Manifest:
    """Rows of a manifest: ``(patient, file, channel)``, the channel empty where there is no such column."""

    rows: tuple[tuple[str, str, str], ...]
    labels: dict[str, str]
    messages: tuple[Message, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        """In the order of their first rows."""
        return tuple(dict.fromkeys(channel for _, _, channel in self.rows))

    def assign(self, units: Sequence[tuple[str, Sequence[str]]]) -> tuple[dict[str, tuple[str, str]], list[Message]]:
        """Unit's label -> (patient, channel), for units known by their label and their files.

        A row names a file or a folder: with its folders, or without where that is unambiguous.
        """
        exact: dict[str, str] = {}
        short: dict[str, str | None] = {}
        for label, files in units:
            for written in {label, *files}:
                name = _composed(written)
                exact[name] = label
                plain = PurePosixPath(name).name
                short[plain] = label if short.get(plain, label) == label else None
        found: dict[str, tuple[str, str]] = {}
        absent, torn = [], 0
        for patient, file, channel in self.rows:
            path = _composed(file).replace("\\", "/").strip("/").removeprefix("./")
            owner = exact.get(path) or short.get(PurePosixPath(path).name)
            if owner is None:
                absent.append("(not shown)" if may_name_a_person(path) else path)
                continue
            torn += found.setdefault(owner, (patient, channel)) != (patient, channel)
        return found, _said(absent, torn)


def _said(absent: Sequence[str], torn: int) -> list[Message]:
    said = []
    if absent:
        text = f"{plural(len(absent), 'file')} of the manifest not found, the first is {absent[0]!r}."
        said.append(Message("warn", "manifest-file", text, remedy="Add the files, or correct their names."))
    if torn:
        text = f"{plural(torn, 'row')} of the manifest give an image to a second patient or channel: not used."
        said.append(Message("warn", "manifest-double", text, remedy="Leave one row for each image."))
    return said


def read_manifest(table: Table) -> Manifest | None:
    """The table as a manifest; None where it has no column of patients or none of files."""
    at: dict[str, int] = {}
    for position in range(min(table.n_columns, 50)):
        at.setdefault(key(table.columns[position]), position)

    def column(names: Sequence[str]) -> list[str] | None:
        position = next((at[name] for name in names if name in at), None)
        return None if position is None else [clean_id(v or "") for v in table.text_column(position).values()]

    patients, files = column(_PATIENT), column(_FILE)
    if patients is None or files is None or not any("." in f or "/" in f for f in files):
        return None
    channels, labels = column(_CHANNEL), column(_LABEL)
    said = []
    if column(_SPLIT) is not None:
        text = "The column with the split is not used: folds are made here, patients never part."
        said.append(Message("ok", "manifest-split", text))
    rows = tuple((p, f, c) for p, f, c in zip(patients, files, channels or [""] * len(files)) if p and f)
    known = {} if labels is None else {p: word for p, word in zip(patients, labels) if p and word}
    return Manifest(rows, known, tuple(said))
