"""What a checkpoint file says about itself, read without torch and without running anything in it.

Both formats of the ``tabpfn`` package are known: ``.safetensors`` (a JSON header) and ``.ckpt`` (a zip around a pickle,
of which only the plain data are read: no class is looked up, nothing is called).
"""

from __future__ import annotations

import json
import pickletools
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genomap_core.errors import InputError
from genomap_core.modelfile import MAX_HEADER_BYTES, read_container

SUFFIXES = (".safetensors", ".ckpt")


@dataclass(frozen=True, eq=False)
class CheckpointHeader:
    """The parts of a checkpoint that are not weights."""

    architecture: str
    """Name of the architecture in the package: ``tabpfn_v2``, ``tabpfn_v3``, ..."""
    config: Mapping[str, Any] = field(default_factory=dict)
    inference: Mapping[str, Any] = field(default_factory=dict)
    """The package's ``InferenceConfig``: limits and preprocessing; empty for v2 and v2.5 files, which carry none."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Who made the weights and how; only our own files have it."""


def read_header(path: str | Path) -> CheckpointHeader:
    """Read the header of a ``.safetensors`` or ``.ckpt`` checkpoint.

    Raises
    ------
    InputError
        The file is missing, truncated, of another kind, or names no architecture and no class limit.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path.name}: not a checkpoint of a tabular model ({' or '.join(SUFFIXES)} is expected).")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file. Give the path of the downloaded weights.")
    try:
        content = _safetensors(path) if path.suffix == ".safetensors" else _torch_zip(path)
    except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path.name}: the file is damaged or is not a checkpoint ({error}). Download or export it again."
        ) from error
    return _header(content, path.name)


def _header(content: Mapping[str, Any], name: str) -> CheckpointHeader:
    config = content.get("config")
    if not isinstance(config, Mapping):
        raise InputError(f"{name}: no architecture is described in the file: it holds no TabPFN weights.")
    architecture = content.get("architecture_name", "tabpfn_v2")  # files of v2 were written before the key existed
    architecture = "tabpfn_v2_5" if architecture == "base" else str(architecture)
    inference, provenance = content.get("inference_config"), content.get("provenance")
    return CheckpointHeader(
        architecture,
        config,
        inference if isinstance(inference, Mapping) else {},
        provenance if isinstance(provenance, Mapping) else {},
    )


def _safetensors(path: Path) -> dict[str, Any]:
    metadata, _ = read_container(path)
    return {key: json.loads(text) for key, text in metadata.items()}


def _torch_zip(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if m.filename.endswith("/data.pkl") or m.filename == "data.pkl"]
        if len(members) != 1 or members[0].file_size > MAX_HEADER_BYTES:
            raise ValueError("no table of contents of a torch file")
        content = plain_data(archive.read(members[0]))
    if not isinstance(content, dict):
        raise ValueError("its content is no dictionary")
    return content


class Opaque:
    """Stands for everything in a pickle that is more than plain data."""


OPAQUE = Opaque()
_MARK = object()


def plain_data(pickled: bytes) -> Any:
    """The plain data of a pickle (dicts, lists, strings, numbers); every other object becomes :data:`OPAQUE`.

    A stack machine over the opcodes that :mod:`pickletools` lists: it looks up no class and calls nothing.
    """
    machine = _PlainMachine()
    for opcode, argument, _ in pickletools.genops(pickled):
        machine.step(opcode.name, argument)
    return machine.stack[-1]


class _PlainMachine:
    """State of :func:`plain_data`: the stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            make = _CONSTANTS[name]
            self.stack.append(make() if callable(make) else make)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            self.memo[len(self.memo) if name == "MEMOIZE" else int(argument)] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self.stack.append(self.memo[int(argument)])
        elif name in ("SETITEM", "SETITEMS", "APPEND", "APPENDS"):
            self._fill(name)
        elif name.startswith("TUPLE"):
            items = self._pop_to_mark() if name == "TUPLE" else [self.stack.pop() for _ in range(int(name[-1]))][::-1]
            self.stack.append(tuple(items))
        elif name not in ("PROTO", "FRAME", "STOP"):
            self._opaque(name)

    def _pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (top := self.stack.pop()) is not _MARK:
            items.append(top)
        return items[::-1]

    def _fill(self, name: str) -> None:
        count = {"SETITEM": 2, "APPEND": 1}.get(name)
        items = self._pop_to_mark() if count is None else [self.stack.pop() for _ in range(count)][::-1]
        target = self.stack[-1]
        if isinstance(target, dict) and name.startswith("SETITEM"):
            target.update({k: v for k, v in zip(items[::2], items[1::2]) if isinstance(k, (str, int))})
        elif isinstance(target, list) and name.startswith("APPEND"):
            target.extend(items)

    def _opaque(self, name: str) -> None:
        if name not in _OPAQUE_POPS:
            raise ValueError(f"an unexpected pickle instruction ({name})")
        for _ in range(_OPAQUE_POPS[name]):
            self.stack.pop()
        self.stack.append(OPAQUE)


_OPAQUE_POPS = {"GLOBAL": 0, "PERSID": 0, "BINPERSID": 1, "REDUCE": 2, "NEWOBJ": 2, "STACK_GLOBAL": 2, "BUILD": 2}
_LITERALS = frozenset(
    ["INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING"]
    + ["SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES"]
)
_CONSTANTS: dict[str, Any] = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
    "MARK": _MARK,
}
