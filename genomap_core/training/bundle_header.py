"""What a bundle says about itself, checked before a single weight is read. Imports no torch.

A bundle is one safetensors file (8 bytes length, a JSON header, tensors). Its metadata hold ``format``, ``version`` and
``header``, the JSON text of everything but the tensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genomap_core.errors import BundleError, RefusedError

FORMAT = "genomap"
VERSION = 2
"""1: missing values become medians. 2: the fill of missing values, and how the model endures them."""
MAX_TENSORS = 5000
MAX_HEADER_BYTES = 32 * 2**20

_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_FIELDS = ("classes", "labels", "features", "preprocess", "layout", "network", "sha256")


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of the file: where its bytes lie behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class BundleHeader:
    """A bundle without its weights."""

    version: int
    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]
    libraries: Mapping[str, str]
    fields: Mapping[str, Any]
    """The whole JSON header: preprocessing, layout, network, training, history, checksum."""
    tensors: Mapping[str, TensorInfo]


def read_header(data: bytes) -> BundleHeader:
    """Header of a bundle given as the file's bytes.

    Raises
    ------
    RefusedError
        The file breaks a limit or contradicts itself.
    BundleError
        It is another program's file, or a later version's.
    """
    metadata, tensors = read_container(data)
    fields = _own_fields(metadata, tensors)
    missing = [name for name in _FIELDS if name not in fields]
    if missing:
        raise BundleError(f"The bundle's header lacks {', '.join(missing)}: it was not written by `save_bundle`.")
    try:
        return BundleHeader(
            version=int(metadata["version"]),
            classes=_names(fields["classes"]),
            feature_names=_names(fields["features"]),
            metrics=dict(fields.get("metrics", {})),
            provenance=dict(fields.get("provenance", {})),
            libraries=dict(fields.get("libraries", {})),
            fields=fields,
            tensors=tensors,
        )
    except (TypeError, ValueError) as error:
        raise BundleError(f"The bundle's header has fields of the wrong kind ({error}).") from error


def inspect_bundle(data: bytes, expected_features: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """What is wrong with a ``.safetensors`` file: ``(severity, text)`` pairs, severity "refuse" or "error".

    Empty for a sound file. ``expected_features``: the columns of the table it shall be used with.
    """
    try:
        metadata, tensors = read_container(data)
    except RefusedError as error:
        return [("refuse", str(error))]
    try:
        fields = _own_fields(metadata, tensors)
        names = _names(fields.get("features", fields.get("genes", [])))
        if expected_features is not None and names:
            check_features(names, expected_features)
        _check_sides(names, tensors)
    except BundleError as error:
        return [("error", str(error))]
    return []


def check_features(own: Sequence[str], given: Sequence[str]) -> None:
    """Raise :class:`BundleError` with a readable difference unless both are the same names in the same order."""
    own, given = [str(name) for name in own], [str(name) for name in given]
    if own == given:
        return
    missing, extra = sorted(set(own) - set(given)), sorted(set(given) - set(own))
    lines = [f"The model was trained on {len(own)} features, the table has {len(given)}:"]
    lines += [f"  missing in the table ({len(missing)}): {shorten(missing)}"] if missing else []
    lines += [f"  unknown to the model ({len(extra)}): {shorten(extra)}"] if extra else []
    at = next((i for i, pair in enumerate(zip(own, given)) if pair[0] != pair[1]), None)
    if at is not None:
        lines.append(f"  first difference at column {at + 1}: the model has {own[at]!r}, the table {given[at]!r}")
    if not missing and not extra:
        lines[0] = f"The model was trained on the same {len(own)} features (genes) in another order:"
        lines.append("Put the columns in the model's order.")
    else:
        lines.append("Choose a table with the model's features, or train a model on this table.")
    raise BundleError("\n".join(lines))


def shorten(names: Sequence[str], limit: int = 8) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def read_container(data: bytes) -> tuple[dict[str, str], dict[str, TensorInfo]]:
    """Metadata and tensors' places of a safetensors file; :class:`RefusedError` if it is not a sound one."""
    if len(data) < 8:
        raise RefusedError("The file is too short to hold a safetensors header.")
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER_BYTES or length > len(data) - 8:
        raise RefusedError(
            f"Not a sound safetensors file: its header claims {length} bytes, the file has {len(data)} "
            f"(limit {MAX_HEADER_BYTES}). Only bundles in safetensors format are read; "
            "pickle-based files (.pkl, .pt, .joblib) never are."
        )
    header = _parse(data[8 : 8 + length], "header")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise RefusedError("The header's metadata are not text.")
    if len(header) > MAX_TENSORS:
        raise RefusedError(f"The file holds {len(header)} tensors, over the limit of {MAX_TENSORS}.")
    available = len(data) - 8 - length
    tensors = {name: _tensor(name, entry, available) for name, entry in header.items()}
    end = 0
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if info.start != end:
            raise RefusedError(f"The bytes of tensor {name!r} overlap others, or leave a gap: the header is damaged.")
        end = info.end
    if end != available:
        raise RefusedError(f"The file has {available - end} bytes that no tensor of its header accounts for.")
    return metadata, tensors


def _tensor(name: str, entry: Any, available: int) -> TensorInfo:
    try:
        dtype, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        whole = all(type(v) is int and v >= 0 for v in (*shape, start, end))
    except (KeyError, TypeError, ValueError):
        raise RefusedError(f"The header describes tensor {name!r} in no known way.") from None
    if not whole or dtype not in _ITEM_BYTES:
        raise RefusedError(f"Tensor {name!r} has an unusable shape or type: {shape}, {dtype}.")
    if math.prod(shape) * _ITEM_BYTES[dtype] != end - start or end > available:
        raise RefusedError(f"Tensor {name!r} has shape {shape}, but the file holds {end - start} bytes for it.")
    return TensorInfo(dtype, shape, start, end)


def _own_fields(metadata: Mapping[str, str], tensors: Mapping[str, TensorInfo]) -> dict[str, Any]:
    """The JSON header of a bundle of ours, of a version we read."""
    if metadata.get("format") != FORMAT:
        raise BundleError(
            "Not a bundle of this program. Missing: the metadata `format` and `version`, and the tensors of a map "
            f"network; unexpected tensors: {shorten(list(tensors)) or 'none'}."
        )
    version = metadata.get("version", "")
    if not version.isdecimal() or len(version) > 9:
        raise BundleError(f"The bundle's version is {version[:20]!r}: expected a number such as {VERSION}.")
    if int(version) > VERSION:
        raise BundleError(
            f"The bundle has format version {int(version)}; this program reads versions up to {VERSION}: "
            "update the program, or save the model again with an older one."
        )
    try:
        if "header" in metadata:
            return _parse(metadata["header"].encode(), "bundle header")
        return {"genes": _list(metadata["genes"])} if "genes" in metadata else {}
    except RefusedError as error:
        raise BundleError(str(error)) from error


def _check_sides(names: Sequence[str], tensors: Mapping[str, TensorInfo]) -> None:
    """Features named in the header must be the side of some tensor, or they are another model's."""
    if names and not any(len(names) in info.shape for info in tensors.values()):
        raise BundleError(
            f"The header names {len(names)} genes or features ({shorten(names, 4)}), but no tensor has a side of "
            f"{len(names)}: these weights were trained on others."
        )


def _names(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise BundleError("Names in the bundle's header must be a list of texts.")
    return tuple(values)


def _list(text: str) -> list[Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"The list of genes in the metadata is not JSON ({error}).") from error
    return values if isinstance(values, list) else []


def _parse(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates)
    except RefusedError:
        raise
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"The {what} is not JSON ({error}).") from error
    if not isinstance(value, dict):
        raise RefusedError(f"The {what} is not a JSON object.")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RefusedError(f"The header has a duplicate key, {twice!r}: which of the two counts is anyone's guess.")
    return found
