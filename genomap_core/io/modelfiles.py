"""Checks of files with saved models and arrays, by their headers, models by their values too: no pickle is opened."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.message import Message, plural
from genomap_core.data.schema.recipe import Recipe
from genomap_core.errors import BundleError, InputError, RefusedError
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.zips import check_members, open_zip
from genomap_core.modelfile import (
    ANSWERS_ELSEWHERE,
    as_names,
    check_fields,
    check_finite,
    check_sides,
    checksum,
    own_fields,
    read_container,
)

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
    """Header, our own metadata, and whether a prediction could come out of the tensors."""
    metadata, tensors = read_container(path, limits.header, limits.tensors)
    fields = own_fields(metadata, tensors)
    kind, version, names = fields["format"], fields["version"], as_names(fields.get("features", []))
    check_sides(names, tensors)
    bare = set(fields) <= {"format", "version", "features"} and "header" not in metadata
    arrays = _read_tensors(path, fields.get("sha256"))
    if not bare:
        check_fields(fields)
    if kind == "genomap" and not bare:
        _check_parts(fields, arrays)
    text = f"Model bundle ({kind}), version {version}, {plural(len(tensors), 'tensor')}."
    if kind in ANSWERS_ELSEWHERE:
        text += f" `predict` refuses it: {ANSWERS_ELSEWHERE[kind]}."
    recipe = Recipe.of_model(fields.get("provenance") or {})
    if recipe is not None:
        text += f" Its table was read as: {recipe}."
    said = [Message("ok", "content", text)]
    if bare:
        text = "It has no header (classes, features, network): its tensors can be looked at, `predict` refuses it."
        said.append(Message("ok", "no-header", text))
    return tuple(said)


def _check_parts(fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Whether features, preprocessing, layout, network and classes of a table's model fit each other."""
    p, classes = len(as_names(fields["features"])), len(as_names(fields["classes"]))
    try:
        median, kept, mean, scale = (arrays[f"preprocess/{name}_"] for name in ("median", "kept", "mean", "scale"))
        placed = len(arrays["layout/positions"])
        answers = {len(fields["labels"]["values"]), int(fields["network"]["n_classes"])}
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"The model's parts don't fit together: {error} is missing. Save it again.") from error
    if len(median) != p or not len(kept) == len(mean) == len(scale) or (len(kept) and not 0 <= kept.max() < p):
        raise BundleError(f"The model's preprocessing is not that of the {p} features that its header names.")
    if len(kept) != placed:
        raise BundleError(f"{len(kept)} features are kept, but the layout has {placed}: the model is damaged.")
    if answers != {classes}:
        raise BundleError("The classes of header and network differ in number: the model is damaged.")
    if not any(name.startswith("network/") for name in arrays):
        raise BundleError("The model has no tensors of its network: save it again.")


def _read_tensors(path: Path, digest: object) -> dict[str, np.ndarray]:
    """All tensors, held against what makes :func:`genomap_core.training.bundle.load_bundle` refuse their values."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise BundleError("The model's tensors can't be read. Save or download it again.") from error
    check_finite(arrays)
    if digest is not None and checksum(arrays) != digest:
        raise BundleError("The model file is damaged: its tensors differ from its checksum. Download it again.")
    return arrays
