"""Which data sets there are, where each comes from, and what is known of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from genomap_core.data.counts import SCALES
from genomap_core.errors import InputError

DEFAULT = Path(__file__).with_name("catalogue.toml")
SOURCES = ("file", "sklearn", "openml", "cohort")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "samples": int,
    "features": int,
    "classes": int,
    "folds": int,
    "openml": int,
    "known": list,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One data set of a catalogue.

    Parameters
    ----------
    name
        In records and commands: a-z, 0-9 and ``_``.
    source
        ``file`` (``file``.parquet or .csv in the data folder), ``sklearn`` (one of its bundled sets), ``openml`` or
        ``cohort`` (``file``.npz, stored by the app).
    target
        The column with the classes.
    groups
        A pattern; its first group, found in the sample id, names what must never part in a split.
    group_column
        A column that does so; it is no feature.
    samples, features, classes
        As expected; None where it is not known before reading.
    folds
        Instead of the protocol's number, where the smallest class has fewer members.
    counts
        The scale of counts of reads, one of :data:`~genomap_core.data.counts.SCALES`; empty for all other values.
    known
        Words such as ``ceiling``, ``near_chance`` and ``label_derived``; others are explained in ``note``.
    """

    name: str
    title: str
    source: str = "file"
    file: str = ""
    openml: int | None = None
    target: str = "target"
    groups: str = ""
    group_column: str = ""
    samples: int | None = None
    features: int | None = None
    classes: int | None = None
    folds: int | None = None
    counts: str = ""
    kind: str = ""
    origin: str = ""
    taken_from: str = ""
    licence: str = "not stated"
    known: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InputError(f"{self.name}: `source` must be one of {', '.join(SOURCES)}, got {self.source!r}.")
        if self.source == "openml" and self.openml is None:
            raise InputError(f"{self.name}: `openml` must be the number of the data set on OpenML.")
        if self.counts and self.counts not in SCALES:
            raise InputError(f"{self.name}: `counts` must be one of {', '.join(SCALES)}, got {self.counts!r}.")
        if self.groups:
            try:
                n_groups = re.compile(self.groups).groups
            except re.error as error:
                raise InputError(f"{self.name}: `groups` is no regular expression: {error}.") from error
            if n_groups < 1:
                raise InputError(f"{self.name}: `groups` must hold a group (...), such as '^(.*)_[^_]*$'.")

    @property
    def stem(self) -> str:
        """Name of the file without its ending, or of scikit-learn's loader."""
        return self.file or self.name


def load_catalogue(path: str | Path = DEFAULT) -> dict[str, Entry]:
    """Name -> entry, in the order of the file.

    Raises
    ------
    InputError
        The file is missing or no TOML, or an entry has an unknown key or a wrong type; the message names it.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The catalogue {path} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The catalogue {path} is no TOML: {error}.") from error
    sets = content.get("sets")
    if not isinstance(sets, dict) or not sets:
        raise InputError(f"The catalogue {path} names no data set: begin each with a line [sets.NAME].")
    return {name: _entry(name, values, path) for name, values in sets.items()}


def _entry(name: str, values: Any, path: Path) -> Entry:
    known_keys = {f.name for f in fields(Entry)} - {"name"}
    if not isinstance(values, dict) or (unknown := set(values) - known_keys):
        bad = "" if not isinstance(values, dict) else f" Unknown: {', '.join(sorted(unknown))}."
        raise InputError(f"{path.name}, [sets.{name}]: known keys are {', '.join(sorted(known_keys))}.{bad}")
    for key, value in values.items():
        want = _TYPES.get(key, str)
        if not isinstance(value, want) or isinstance(value, bool):
            raise InputError(f"{path.name}, [sets.{name}]: `{key}` has the wrong type ({type(value).__name__}).")
    values = {**values, "known": tuple(values.get("known", ()))}
    return Entry(name=name, **{"title": name, **values})


def choose(catalogue: Mapping[str, Entry], names: Iterable[str] | None) -> dict[str, Entry]:
    """Only these entries, in the catalogue's order; all for None."""
    if names is None:
        return dict(catalogue)
    names = list(names)
    unknown = [n for n in names if n not in catalogue]
    if unknown:
        raise InputError(f"Not in the catalogue: {', '.join(unknown)}. It holds {', '.join(catalogue)}.")
    return {n: e for n, e in catalogue.items() if n in names}


def counted(entries: Mapping[str, Entry]) -> frozenset[str]:
    """Those that hold counts of reads."""
    return frozenset(name for name, entry in entries.items() if entry.counts)


def folds_of(entries: Mapping[str, Entry], n_folds: int) -> dict[str, int]:
    """Data set -> number of folds: ``n_folds``, or what the entry says where that is less."""
    return {name: min(n_folds, entry.folds or n_folds) for name, entry in entries.items()}
