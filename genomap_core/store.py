"""Values on their way to a file and back: arrays with a JSON header in one file, and dataclasses from plain JSON."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import GenericAlias
from typing import Any, BinaryIO, TypeVar

import numpy as np

from genomap_core.errors import InputError
from genomap_core.files import USUAL, replacing

T = TypeVar("T")
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError, NotImplementedError)
"""What reading a damaged file, or making a value of what stands in it, may raise."""


def save_arrays(target: str | Path | BinaryIO, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """One ``.npz`` (no pickle): JSON under ``header`` beside the arrays. A path is written whole or not at all."""
    content: dict[str, Any] = {"header": np.frombuffer(json.dumps(dict(header)).encode(), np.uint8), **arrays}
    if not isinstance(target, str | Path):
        np.savez(target, **content)
        return
    path = Path(target)
    mode = path.stat().st_mode & 0o777 if path.exists() else USUAL
    with replacing(path, mode) as beside, beside.open("wb") as file:
        np.savez(file, **content)


def load_arrays(source: str | Path | BinaryIO, damaged: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays that :func:`save_arrays` wrote; of a file without a header, an empty one.

    Raises
    ------
    InputError
        ``damaged``, where the file is; every array is held against its check sum.
    """
    try:
        with np.load(source, allow_pickle=False) as file:
            arrays = dict(file)
        header = arrays.pop("header", None)
        return ({} if header is None else dict(json.loads(header.tobytes()))), arrays
    except DAMAGE as error:
        raise InputError(damaged) from error


def decode(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass from plain values, as ``asdict`` and JSON leave them: lists become tuples, nested ones dataclasses.

    Raises
    ------
    InputError
        A field is unknown, missing or of another type; or what the dataclass itself raised.
    """
    from pydantic import ValidationError

    try:
        (made,) = _adapter(kind).validate_python((dict(values),))  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        own = first.get("ctx", {}).get("error")
        if isinstance(own, Exception):
            raise own from None
        place = ".".join(map(str, first["loc"][1:]))
        raise InputError(f"{kind.__name__}: `{place}` can't be used ({first['msg'].lower()}).") from None
    return made


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    # within a tuple, because pydantic takes a configuration for a dataclass only from what surrounds it
    within: Any = GenericAlias(tuple, (kind,))
    return TypeAdapter(within, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
