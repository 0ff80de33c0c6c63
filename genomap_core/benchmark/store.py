"""The result store: a small JSON file a run, whole or not there, never overwritten. The only state there is."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genomap_core.benchmark.protocol import Condition, Protocol, Run
from genomap_core.benchmark.records import Record
from genomap_core.errors import InputError
from genomap_core.files import USUAL, write_atomically, write_once

FORMAT = 1
HEADER = "study.json"
ROWS = "rows"
SET_ASIDE = "set-aside"


class StoreError(InputError):
    """A result store can't be used as it is; nothing in it was changed."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One file of a store that is not what was written."""

    path: Path
    reason: str


class Store:
    """A folder of records; open it with :func:`open_store` or :func:`create_store`."""

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        self.folder = folder
        self.header = header

    def path_of(self, run: Run) -> Path:
        """Where the record of this run lies."""
        return self.folder / ROWS / run.dataset / f"{run.condition.name}.{run.model}.s{run.seed}.f{run.fold}.json"

    def has(self, run: Run) -> bool:
        """Whether this run has a record, damaged or not: it is not run again."""
        return self.path_of(run).exists()

    def done(self) -> set[str]:
        """Names of all runs that have a record; reads no file."""
        return {name for path in self._paths() if (name := _name_of(path))}

    def put(self, record: Record) -> bool:
        """Write a record, or False where there is one already: the first one stays."""
        path = self.path_of(record.run)
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_once(path, seal(record.to_json()))

    def read(self) -> tuple[list[Record], list[Damage]]:
        """Every record, and every file that is none."""
        records, damaged = [], []
        for path in self._paths():
            try:
                records.append(self._record(path))
            except (InputError, OSError) as error:
                damaged.append(Damage(path, str(error)))
        return records, damaged

    def read_one(self, run: Run) -> Record | None:
        """The record of this run; None where there is none or it is damaged."""
        try:
            return self._record(self.path_of(run))
        except (InputError, OSError):
            return None

    def _record(self, path: Path) -> Record:
        record = Record.from_json(unseal(path.read_bytes()))
        if self.path_of(record.run) != path:
            raise InputError(f"it holds the record of {record.name}")
        return record

    def records(self) -> list[Record]:
        """Every record.

        Raises
        ------
        StoreError
            Files are damaged; all are named.
        """
        records, damaged = self.read()
        if damaged:
            named = "\n".join(f"  {d.path}: {d.reason}" for d in damaged[:20])
            more = f"\n  and {len(damaged) - 20} more" if len(damaged) > 20 else ""
            raise StoreError(
                f"{len(damaged)} damaged records in {self.folder}; nothing was changed:\n{named}{more}\n"
                f"Look at them, then let `run --set-aside damaged` move them to {SET_ASIDE}/ and do these runs again."
            )
        return records

    def set_aside(self, paths: Collection[Path]) -> None:
        """Move these files out of the way, keeping them: their runs will be done again."""
        for path in paths:
            target = self.folder / SET_ASIDE / f"{time.time_ns()}" / path.relative_to(self.folder / ROWS)
            target.parent.mkdir(parents=True)
            path.rename(target)

    def _paths(self) -> Iterator[Path]:
        root = self.folder / ROWS
        for dataset in sorted(root.iterdir()) if root.is_dir() else ():
            with os.scandir(dataset) as found:
                yield from sorted(Path(f.path) for f in found if f.name.endswith(".json") and f.name[0] != ".")


def _name_of(path: Path) -> str | None:
    parts = path.name.removesuffix(".json").split(".")
    return "/".join((path.parent.name, *parts)) if len(parts) == 4 else None


def open_store(folder: Path) -> Store:
    """An existing store.

    Raises
    ------
    StoreError
        There is none, or its header is damaged or of a newer format.
    """
    path = folder / HEADER
    if not path.is_file():
        raise StoreError(f"No result store in {folder}: {HEADER} is missing.")
    try:
        header = unseal(path.read_bytes())
    except (InputError, OSError) as error:
        raise StoreError(
            f"The header of the result store is damaged, nothing was changed: {path}: {error}. Restore the file from "
            "a copy, or choose another folder with --store."
        ) from error
    if header.get("format") != FORMAT:
        raise StoreError(f"{path} has format {header.get('format')}; this program reads format {FORMAT}.")
    return Store(folder, header)


def create_store(folder: Path, protocol: Protocol, sets: Mapping[str, Mapping[str, Any]]) -> Store:
    """The store of this study: a new one, or the one that is there, if both mean the same by a run's name.

    Raises
    ------
    StoreError
        The folder holds other things or a damaged store, or a study whose folds or model options differ.
    """
    if folder.is_dir() and any(folder.iterdir()):
        store = open_store(folder)
        header = _merged(store, protocol, sets)
        if header == store.header:
            return store
    else:
        header = _header(protocol, sets)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / HEADER, seal(header), USUAL)
    return Store(folder, header)


def _header(protocol: Protocol, sets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    options = {m: dict(protocol.options.get(m, {})) for m in protocol.models}
    header = {
        "format": FORMAT,
        "folds": dict(protocol.folds),
        "options": options,
        "sets": dict(sets),
        "models": list(protocol.models),
        "conditions": [c.name for c in protocol.conditions],
        "seeds": list(protocol.seeds),
        "other_seeds": list(protocol.other_seeds),
    }
    return json.loads(json.dumps(header))


def planned(store: Store) -> Protocol:
    """The union of all that was ever asked of this store."""
    h = store.header
    return Protocol(
        folds=h["folds"],
        models=tuple(h["models"]),
        conditions=tuple(Condition(c) for c in h["conditions"]),
        seeds=tuple(h["seeds"]),
        other_seeds=tuple(h["other_seeds"]),
        options=h["options"],
        counts=frozenset(name for name, entry in h["sets"].items() if entry.get("counts")),
    )


def _merged(store: Store, protocol: Protocol, sets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    new = _header(protocol, sets)
    for key, what in (("folds", "number of folds"), ("options", "options of the model")):
        for name, value in new[key].items():
            before = store.header[key].get(name, value)
            if before != value:
                raise StoreError(
                    f"{store.folder} holds a study in which the {what} for {name} is {before}, not {value}: its "
                    "records would not be comparable. Choose another folder with --store."
                )
    merged = dict(store.header)
    for key in ("folds", "options", "sets"):
        merged[key] = {**store.header[key], **new[key]}
    for key in ("models", "conditions", "seeds", "other_seeds"):
        merged[key] = list(dict.fromkeys([*store.header[key], *new[key]]))
    return merged


def seal(values: Mapping[str, Any]) -> bytes:
    """JSON with its own checksum, so that damage is noticed."""
    body = json.dumps(values, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "values": values}, indent=1).encode()


def unseal(content: bytes) -> dict[str, Any]:
    """What :func:`seal` took; :class:`InputError` says what is wrong."""
    try:
        outer = json.loads(content)
    except ValueError as error:
        raise InputError("it is no JSON" if content else "it is empty") from error
    values = outer.get("values") if isinstance(outer, dict) else None
    if not isinstance(values, dict):
        raise InputError("it holds no values")
    body = json.dumps(values, sort_keys=True, ensure_ascii=False)
    if hashlib.sha256(body.encode()).hexdigest() != outer.get("sha256"):
        raise InputError("its checksum doesn't fit: it was changed after it was written")
    return values
