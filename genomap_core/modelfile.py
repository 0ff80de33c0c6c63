"""A saved model's file, judged by its header before any weight is read. Imports no torch and no NumPy.

A model is one safetensors file: 8 bytes length, a JSON header, the tensors' bytes. ``safetensors`` itself refuses a
header that contradicts itself or its file; keys that occur twice, of which it keeps the last, are refused here.
The metadata say the model's ``format`` and ``version``, and in ``header``, a JSON text, everything but the tensors.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genomap_core.errors import BundleError, RefusedError

if TYPE_CHECKING:
    import numpy as np

FORMATS = ("genomap", "genomap-fusion", "genomap-growth", "genomap-expression")
ANSWERS_ELSEWHERE = {
    "genomap-fusion": "a model of fusion answers on the page Fusion",
    "genomap-growth": "a model of images answers under `genomap growth` and on the page Growth",
    "genomap-expression": "a model of expression answers on the page Expression",
}
"""Formats that `predict`, which answers for tables, does not read, and what does."""
VERSION = 2
"""The newest that is read. Models of tables: 1, missing values become medians; 2, the fill of missing values, and how
the model endures them. Other models: 1."""
_SEEN = ("classes", "channels", "feature_names", "omics_names", "size", "config", "metrics", "provenance")
REQUIRED: dict[str, tuple[str, ...]] = {
    "genomap": (
        *("classes", "labels", "features", "preprocess", "transformer", "layout", "network", "training", "sha256"),
    ),
    "genomap-fusion": (*_SEEN, "layout", "history"),
    "genomap-growth": ("config", "in_channels", "classes", "infiltrating", "size", "metrics", "provenance"),
    "genomap-expression": (
        *("config", "channels", "feature_names", "omics_names", "genes", "unit", "size", "layouts"),
        *("history", "provenance"),
    ),
}
"""Fields of a header without which no prediction can be made, for each of :data:`FORMATS`."""
VERSIONS = {"genomap": (1, 2), "genomap-growth": (2,)}
"""That are read, where not 1 alone."""
MAX_TENSORS = 5000
MAX_HEADER_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as the header describes it."""

    dtype: str
    """As safetensors calls it: F32, I64, ..."""
    shape: tuple[int, ...]


def read_container(
    source: Path | bytes, max_bytes: int = MAX_HEADER_BYTES, max_tensors: int = MAX_TENSORS
) -> tuple[dict[str, str], dict[str, TensorInfo]]:
    """Metadata and tensors that a safetensors file declares.

    Parameters
    ----------
    source
        The file, or its bytes.
    max_bytes, max_tensors
        Of its header.

    Raises
    ------
    RefusedError
        The header breaks a limit, or contradicts itself or its file.
    """
    text, size = _header_text(source, max_bytes)
    header = _parse(text, "header")
    metadata = header.pop("__metadata__", None) or {}
    if len(header) > max_tensors:
        raise RefusedError(f"The file holds {len(header):,} tensors, over the limit of {max_tensors:,}.")
    _ask_library(text, size)
    return metadata, {name: TensorInfo(entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}


def _header_text(source: Path | bytes, limit: int) -> tuple[bytes, int]:
    """The header's JSON and the file's size in bytes."""
    if isinstance(source, Path):
        size = source.stat().st_size
        with source.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length) if length <= min(limit, size - 8) else b""
    else:
        size, length = len(source), int.from_bytes(source[:8], "little")
        text = source[8 : 8 + length] if length <= limit else b""
    if size < 8 or len(text) != length:
        raise RefusedError(
            f"Not a sound safetensors file: its header claims {length:,} bytes, the file has {size:,} (limit "
            f"{limit:,}). Only models in safetensors format are read; pickle-based ones (.pkl, .pt, .joblib) never are."
        )
    return text, size


def _ask_library(text: bytes, size: int) -> None:
    """Raise where safetensors itself would not load the file. It is shown the header and a hole for the tensors."""
    from safetensors import SafetensorError, safe_open

    with tempfile.NamedTemporaryFile(prefix="genomap-") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(size)
        file.flush()
        try:
            with safe_open(file.name, "np"):
                return
        except SafetensorError as error:
            reason = str(error).rpartition("header: ")[2]
            raise RefusedError(
                f"The header contradicts itself or the file of {size:,} bytes ({reason}): the file is damaged or "
                "forged. Save or download it again."
            ) from error


def own_fields(metadata: Mapping[str, str], tensors: Mapping[str, TensorInfo]) -> dict[str, Any]:
    """What a model of this program says of itself; ``format`` and ``version`` are among it.

    Raises
    ------
    BundleError
        It is another program's model, or a later version's.
    """
    try:
        if "genomap" in metadata:  # how models of images were written by version 0.1
            fields = _parse(metadata["genomap"].encode(), "model's header")
        else:
            fields = _parse(metadata.get("header", "{}").encode(), "model's header")
            fields |= {"format": metadata.get("format"), "version": metadata.get("version", "")}
            if "genes" in metadata:
                fields.setdefault("features", _parse(f'{{"genes": {metadata["genes"]}}}'.encode(), "genes")["genes"])
    except RefusedError as error:
        raise BundleError(str(error)) from error
    if fields.get("format") not in FORMATS:
        raise BundleError(
            "The file is no model of this program. Missing: the metadata `format` and `version`, and the tensors of "
            f"its networks; unexpected tensors: {shorten(list(tensors)) or 'none'}. Choose a file that was saved here."
        )
    version = str(fields.get("version", ""))
    if not version.isdecimal() or len(version) > 9:
        raise BundleError(f"The model's version is {version[:20]!r}: expected a number such as {VERSION}.")
    if int(version) > VERSION:
        raise BundleError(
            f"The model has format version {int(version)}; this program reads versions up to {VERSION}: "
            "update the program, or save the model again with an older one."
        )
    return fields | {"version": int(version)}


def check_fields(fields: Mapping[str, Any]) -> None:
    """Raise :class:`BundleError` where a model of :func:`own_fields` lacks a field, or is of a version not read."""
    kind, version = fields["format"], fields["version"]
    if missing := [name for name in REQUIRED[kind] if name not in fields]:
        raise BundleError(f"The header of the {kind} model lacks {', '.join(missing)}: it was not written by a save.")
    if version not in (read := VERSIONS.get(kind, (1,))):
        raise BundleError(
            f"The model file is of version {version}, this program reads {' and '.join(map(str, read))}: train the "
            "model again with this program, or use the program that saved it."
        )


def check_sides(names: Sequence[str], tensors: Mapping[str, TensorInfo]) -> None:
    """Features named in the header must be the side of some tensor, or the weights are another model's."""
    if names and not any(len(names) in info.shape for info in tensors.values()):
        raise BundleError(
            f"The header names {len(names)} genes or features ({shorten(names, 4)}), but no tensor has a side of "
            f"{len(names)}: these weights were trained on others."
        )


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and values of all tensors."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(json.dumps([name, str(arrays[name].dtype), arrays[name].shape]).encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise :class:`BundleError` where a tensor holds a value that is no finite number."""
    import numpy as np

    bad = [name for name, a in arrays.items() if a.dtype.kind == "f" and not np.isfinite(a).all()]
    if bad:
        raise BundleError(f"The model holds NaN or values that are no finite number ({shorten(bad)}): train it again.")


def as_names(values: Any) -> tuple[str, ...]:
    """A list of texts, or :class:`BundleError`."""
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise BundleError("Names in the model's header must be a list of texts.")
    return tuple(values)


def shorten(names: Sequence[str], limit: int = 8) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _parse(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates)
    except RefusedError:
        raise
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"The {what} is not JSON ({error}). Save the model again.") from error
    if not isinstance(value, dict):
        raise RefusedError(f"The {what} is not a JSON object. Save the model again.")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RefusedError(f"The header has a duplicate key, {twice!r}: which of the two counts is anyone's guess.")
    return found
