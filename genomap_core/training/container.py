"""What all files of trained models share: a JSON header, tensors and their checksum, networks' weights. No pickle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from torch import nn

from genomap_core.errors import BundleError, GenomapError, RefusedError
from genomap_core.files import USUAL, write_atomically
from genomap_core.modelfile import check_fields, check_finite, checksum, own_fields, read_container


def read_fields(data: bytes, kind: str, wrong: str) -> dict[str, Any]:
    """The header of a model of this kind.

    Raises
    ------
    BundleError
        ``wrong`` where the file is another one; what it lacks, or its version where that is not read.
    """
    try:
        metadata, tensors = read_container(data)
    except RefusedError as error:
        raise BundleError(f"{wrong} It can't be read: {error}") from error
    fields = own_fields(metadata, tensors)
    if fields["format"] != kind:
        raise BundleError(wrong)
    check_fields(fields)
    return fields


def write_fields(
    path: Path, kind: str, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray], version: int = 1
) -> None:
    """One file: ``fields`` as JSON, the tensors, and their checksum.

    Raises
    ------
    BundleError
        A tensor holds a value that is no finite number.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    check_finite(arrays)
    header = {"format": kind, "version": version, **fields, "sha256": checksum(arrays)}
    write_atomically(path, save_tensors(arrays, metadata={"genomap": json.dumps(header)}), USUAL)


@contextmanager
def opened(source: str | Path | bytes, kind: str, wrong: str) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Header and tensors of such a file; what goes wrong while a model is made of them is told as damage.

    Raises
    ------
    BundleError
        The file is another one (``wrong``), damaged, of another version, or its parts don't fit together.
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    header = read_fields(data, kind, wrong)
    try:
        arrays = load_tensors(data)
        if "sha256" in header and checksum(arrays) != header["sha256"]:  # growth models of version 0.1 had none
            raise BundleError("its tensors differ from its checksum")
        yield header, arrays
    except (SafetensorError, GenomapError, KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        reason = str(error) if isinstance(error, GenomapError) else "its weights or options do not fit its network"
        raise BundleError(f"The model file is damaged: {reason}. Save or download it again.") from error


def arrays_under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those whose names begin with ``prefix``, without it."""
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def weights_of(modules: Iterable[nn.Module], half: bool = False) -> dict[str, np.ndarray]:
    """Weights of every network by name, ``k.`` before those of network ``k``; ``half``: matrices in 16 bits."""
    tensors: dict[str, np.ndarray] = {}
    for k, module in enumerate(modules):
        for name, tensor in module.state_dict().items():
            array = tensor.detach().cpu().contiguous().numpy()
            tensors[f"{k}.{name}"] = (
                array.astype(np.float16) if half and array.ndim > 1 and array.dtype == np.float32 else array
            )
    return tensors


def with_weights(module: nn.Module, tensors: Mapping[str, np.ndarray], k: int) -> nn.Module:
    """The network with the stored weights of network ``k``, ready to predict."""
    state = {n.removeprefix(f"{k}."): torch.from_numpy(t) for n, t in tensors.items() if n.startswith(f"{k}.")}
    module.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in state.items()})
    return module.eval()
