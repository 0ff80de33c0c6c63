"""What the files of image networks share: a JSON header, and the weights of one network a seed. No pickle."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from genomap_core.errors import BundleError


def read_fields(data: bytes, kind: str, version: int, wrong: str) -> dict[str, Any]:
    """The header of a file of this kind and version.

    Raises
    ------
    BundleError
        ``wrong`` where the file is another one; its version where that is another.
    """
    try:
        (length,) = struct.unpack("<Q", data[:8])
        header: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["genomap"])
    except (struct.error, ValueError, KeyError, TypeError, MemoryError, OverflowError) as error:
        raise BundleError(wrong) from error
    if not isinstance(header, dict) or header.get("format") != kind:
        raise BundleError(wrong)
    if header.get("version") != version:
        raise BundleError(f"The model file is of version {header.get('version')}, this program reads {version}.")
    return header


def weights_of(modules: Iterable[nn.Module], half: bool = False) -> dict[str, np.ndarray]:
    """Weights of every network by name, ``k.`` before those of network ``k``; ``half``: in 16 bits."""
    tensors: dict[str, np.ndarray] = {}
    for k, module in enumerate(modules):
        for name, tensor in module.state_dict().items():
            array = tensor.detach().cpu().contiguous().numpy()
            tensors[f"{k}.{name}"] = array.astype(np.float16) if half and array.dtype == np.float32 else array
    return tensors


def with_weights(module: nn.Module, tensors: Mapping[str, np.ndarray], k: int) -> nn.Module:
    """The network with the stored weights of network ``k``, ready to predict."""
    state = {n.removeprefix(f"{k}."): torch.from_numpy(t) for n, t in tensors.items() if n.startswith(f"{k}.")}
    module.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in state.items()})
    return module.eval()
