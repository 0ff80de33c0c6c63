"""The first sample ready to draw: its table as it was read and its default layout, so that opening the app waits for
neither. ``python -m genomap_core.workflows.ready`` writes the file again (part of ``make sample-data``).
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.layout.layout import Layout
from genomap_core.layout.quality import LayoutQuality

FOLDER = Path(__file__).resolve().parents[2] / "sample_data"
STEM = "expression"
PATH = FOLDER / f"{STEM}.ready.npz"


def ready_dataset(source: Path, path: Path = PATH) -> Dataset | None:
    """The cohort of the file ``source``, if it was stored and the file has not changed since."""
    if source.stem != STEM or not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        if _header(file)["source"] != _sha256(source):
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


def write_ready(path: Path = PATH) -> None:
    """Read the sample, lay it out, and store both."""
    from genomap_core.workflows.genomap import fit_genomap
    from genomap_core.workflows.samples import load_sample

    path.unlink(missing_ok=True)
    dataset = load_sample(STEM)
    result = fit_genomap(dataset)
    arrays, layout = result.layout.to_arrays()
    header = {
        "source": _sha256(FOLDER / f"{STEM}.csv"),
        "digest": dataset.digest,
        "layout": layout,
        "control": asdict(result.control),
    }
    buffer = io.BytesIO()
    dataset.save(buffer)
    np.savez_compressed(
        path,
        header=np.array(json.dumps(header)),
        dataset=np.frombuffer(buffer.getvalue(), np.uint8),
        positions=arrays["positions"].astype(np.int16),
        channel=arrays["channel"].astype(np.int8),
    )


def _header(file: Any) -> dict[str, Any]:
    return dict(json.loads(str(file["header"])))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    write_ready()
