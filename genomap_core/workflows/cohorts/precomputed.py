"""The first sample ready to draw: its table as it was read and its default layout, so that opening the app waits for
neither. ``make sample-data`` writes the file again.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.files import SAMPLE_DATA
from genomap_core.layout.layout import Layout
from genomap_core.layout.quality import LayoutQuality

STEM = "tcga_brca"
PATH = SAMPLE_DATA / f"{STEM}.ready.npz"


def ready_dataset(source: Path, path: Path = PATH) -> Dataset | None:
    """The cohort of the file ``source``, if it was stored and the file has not changed since."""
    if source.stem != STEM or not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        if _header(file)["source"] != sha256_of(source):
            return None
        return Dataset.load(io.BytesIO(file["dataset"].tobytes()))


def ready_layout(digest: str, path: Path = PATH) -> tuple[Layout, LayoutQuality] | None:
    """Default layout and the quality of its random control, if they were stored for the cohort of this digest."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        header = _header(file)
        if header["digest"] != digest:
            return None
        arrays = {"positions": file["positions"], "channel": file["channel"]}
    return Layout.from_arrays(arrays, header["layout"]), LayoutQuality(**header["control"])


def _header(file: Any) -> dict[str, Any]:
    return dict(json.loads(str(file["header"])))


def sha256_of(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
