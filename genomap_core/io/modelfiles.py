"""Checks of files with saved models and arrays, by their headers alone: no pickle is opened, no tensor is read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genomap_core.data.message import Message, plural, some
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.zips import check_members, open_zip

FORMAT = "genomap"
VERSION = 1
"""Of our bundles: the newest that this program reads."""

_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_SIZES |= {"U16": 2, "U32": 4, "U64": 8, "F8_E4M3": 1, "F8_E5M2": 1}
_PICKLE = "It holds a Python pickle, which can run programs: it is never opened. Save the model as .safetensors."


def check_model(path: Path, *, name: str, limits: FileLimits = DEFAULT) -> tuple[Message, ...]:
    """All messages on one saved model or array. Raises where it must not be read."""
    with path.open("rb") as file:
        head = file.read(1024)
    if name.lower().endswith(".safetensors"):
        return check_safetensors(path, limits)
    if head.startswith(b"PK"):
        return _check_zipped(path, limits)
    if head.startswith(b"\x93NUMPY"):
        return _check_npy(path, limits)
    raise RefusedError(_PICKLE)


def _check_zipped(path: Path, limits: FileLimits) -> tuple[Message, ...]:
    """A torch archive (refused), or NumPy's .npz without objects."""
    with open_zip(path) as archive:
        check_members(archive, limits)
        names = archive.namelist()
        if any(member.endswith("data.pkl") for member in names):
            raise RefusedError(f"It is a PyTorch file; even torch.load(weights_only=True) is not tried. {_PICKLE}")
        for member in names:
            with archive.open(member) as file:
                _check_array(file.read(1 << 16), archive.getinfo(member).file_size, limits)
    return (Message("ok", "content", f"NumPy archive with {plural(len(names), 'array')}."),)


def _check_npy(path: Path, limits: FileLimits) -> tuple[Message, ...]:
    with path.open("rb") as file:
        shape = _check_array(file.read(1 << 16), path.stat().st_size, limits)
    return (Message("ok", "content", f"NumPy array of shape {shape}."),)


def _check_array(head: bytes, size: int, limits: FileLimits) -> tuple[int, ...]:
    """The header of one .npy: plain numbers, and as many of them as the file has bytes for."""
    import io

    file = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except (ValueError, SyntaxError, TypeError, EOFError) as error:
        raise InputError("The array's header is damaged or holds something else than a description.") from error
    if dtype.hasobject:
        raise RefusedError(f"The array holds Python objects. {_PICKLE}")
    declared = math.prod(shape) * dtype.itemsize
    if declared > limits.unpacked or declared > size:
        raise RefusedError(f"The header declares {declared / 1e6:,.0f} MB in a file of {size:,} bytes, over the limit.")
    return tuple(shape)


def check_safetensors(path: Path, limits: FileLimits) -> tuple[Message, ...]:
    """Header, sizes and our own metadata of a .safetensors file."""
    header = read_header(path, limits)
    described = header.pop("__metadata__", {})
    if len(header) > limits.tensors:
        raise RefusedError(f"The file has {len(header):,} tensors, over the limit of {limits.tensors:,}.")
    with path.open("rb") as file:
        room = path.stat().st_size - 8 - int.from_bytes(file.read(8), "little")
    for tensor, entry in header.items():
        _check_tensor(tensor, entry, room)
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise InputError(
            f"The file is no model of this program: it holds {plural(len(header), 'tensor')} of another one "
            f"({some(header, 3)}). Give a bundle that was saved here."
        )
    _check_version(described)
    genes = _names(described)
    if genes and not any(len(genes) in entry["shape"] for entry in header.values()):
        raise InputError(
            f"The bundle names {len(genes)} genes (the first is gene {genes[0]!r}), but none of its tensors has that "
            "size: its weights belong to other genes."
        )
    tensors = plural(len(header), "tensor")
    return (Message("ok", "content", f"Model bundle, version {described.get('version')}, {tensors}."),)


def read_header(path: Path, limits: FileLimits) -> dict:
    """The JSON header; keys that occur twice are refused (the library keeps the last one silently)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(limits.header, size - 8):
            raise RefusedError(f"The header's length ({length:,} bytes) is not credible for a file of {size:,} bytes.")
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        if isinstance(error, RefusedError):
            raise
        raise InputError("The header is damaged: it is no JSON. Save the model again.") from error
    if not isinstance(header, dict):
        raise InputError("The header is damaged: it is no JSON object. Save the model again.")
    return header


def _without_doubles(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise RefusedError("The header has duplicate keys: which of them counts would depend on the reader.")
    return dict(pairs)


def _check_tensor(name: str, entry: object, room: int) -> None:
    """Shape, type and place of a tensor agree, and lie in the file."""
    try:
        shape, (start, stop), item = entry["shape"], entry["data_offsets"], _SIZES[entry["dtype"]]  # type: ignore[index]
        need = math.prod(int(size) for size in shape) * item
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"Tensor {name!r} is described wrongly: the header is damaged.") from error
    if need != stop - start or not 0 <= start <= stop <= room:
        raise RefusedError(
            f"Tensor {name!r} has the shape {shape} ({need:,} bytes), but {stop - start:,} bytes of data."
        )


def _check_version(described: dict) -> None:
    version = str(described.get("version", ""))
    if not version.isdecimal() or int(version) > VERSION:
        raise InputError(
            f"The bundle has version {version or 'unknown'}; this program reads versions up to {VERSION}: "
            "update the program."
        )


def _names(described: dict) -> list[str]:
    """The features a bundle names: in its header, or beside it."""
    try:
        fields = json.loads(described.get("header", "{}"))
        names = fields.get("features") if "features" in fields else json.loads(described.get("genes", "[]"))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError("The bundle's header is damaged: it is no JSON. Save the model again.") from error
    return [str(name) for name in names] if isinstance(names, list) else []
