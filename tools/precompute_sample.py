"""Write the first sample ready to draw: ``python -m tools.precompute_sample`` (part of ``make sample-data``)."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from genomap_core.files import SAMPLE_DATA
from genomap_core.workflows.cohorts.precomputed import PATH, STEM, sha256_of
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.tabular.genomap import fit_genomap


def write_ready(path: Path = PATH) -> None:
    """Read the sample, lay it out, and store both."""
    path.unlink(missing_ok=True)
    dataset = load_sample(STEM)
    result = fit_genomap(dataset)
    arrays, layout = result.layout.to_arrays()
    header = {
        "source": sha256_of(SAMPLE_DATA / f"{STEM}.csv"),
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


if __name__ == "__main__":
    write_ready()
