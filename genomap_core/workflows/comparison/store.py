"""What one run of a comparison leaves on disk: plain values and arrays in one file, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.files import replacing


def write_run(path: Path, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """One ``.npz`` (no pickle)."""
    content: dict[str, Any] = dict(arrays)
    with replacing(path) as beside:
        np.savez(beside, header=np.frombuffer(json.dumps(dict(header)).encode(), np.uint8), **content)


def read_run(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays that :func:`write_run` wrote."""
    with np.load(path, allow_pickle=False) as f:
        arrays = dict(f)
    return json.loads(arrays.pop("header").tobytes()), arrays
