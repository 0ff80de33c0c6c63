"""Whose image a file is: the id of a row that its name, or the folder it lies in, is or holds. No guessing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_LONGEST = 12
"""Parts of a name that may form an id together."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Who owns what.

    ``owner``: file -> id; ``lost``: files whose name holds no id, or several; ``bent``: files that fit only when
    zeros in front of numbers and capitals are disregarded.
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
    does, numbers are compared without the zeros in front (which spreadsheets take away) and words without their case,
    as far as this stays unambiguous.
    """
    known = {sample: sample for sample in ids}
    plain: dict[str, str | None] = {}
    for sample in ids:
        plain[_plain(sample)] = None if _plain(sample) in plain else sample
    loose = {name: sample for name, sample in plain.items() if sample is not None}
    owner: dict[str, str] = {}
    lost, bent = [], []
    for file, names in files.items():
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


def _plain(name: str) -> str:
    """Small letters, numbers without zeros in front."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.strip().lower())
