"""The imaging cohort that comes with the program, compared: ``python -m genomap_core.workflows.fusion.samples``."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.images.patients import PatientImages
from genomap_core.data.simulated.tables import csv_bytes
from genomap_core.errors import InputError
from genomap_core.files import SAMPLE_DATA
from genomap_core.workflows.fusion.jobs import COHORT

if TYPE_CHECKING:
    from genomap_core.data.simulated.fusion import SimulatedFusion

SAMPLE = "fusion"
ARCHIVE = "cohort.zip"
COMPARED = SAMPLE_DATA / "fusion"
"""The cohort and a finished comparison on it, as a job leaves them."""


def load_fusion_sample() -> PatientImages:
    """The simulated imaging + omics cohort."""
    path = COMPARED / COHORT
    if not path.is_file():
        raise InputError(f"{path.name} is missing: write it with `python -m genomap_core.workflows.fusion.samples`.")
    return PatientImages.load(path)


def write_fusion_sample() -> None:
    """Simulate the cohort, compare all networks and controls on it, and write both to ``sample_data/fusion``.

    Beside them ``cohort.zip``: the same patients as a user would upload them.
    """
    from genomap_core.data.simulated.fusion import simulate_fusion
    from genomap_core.workflows.fusion.compare import FusionCompareConfig, compare_fusion

    COMPARED.mkdir(parents=True, exist_ok=True)
    simulated = simulate_fusion()
    simulated.cohort.save(COMPARED / COHORT)
    (COMPARED / ARCHIVE).write_bytes(as_archive(simulated))
    compare_fusion(load_fusion_sample(), FusionCompareConfig(n_seeds=1), keep=COMPARED).save(COMPARED)


def as_archive(simulated: SimulatedFusion) -> bytes:
    """A ZIP with one PNG a patient and one table a type of omics; the same bytes at every call."""
    from PIL import Image

    table, out = simulated.cohort.table, io.BytesIO()
    assert table.y is not None
    labels = [table.classes[code] for code in table.y]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, content: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)

        for code, kind in enumerate(table.omics_names):
            own = table.select(np.flatnonzero(simulated.cohort.omics == code))
            last = [labels] if code == 0 else []
            rows = np.column_stack([table.sample_ids, np.char.mod("%g", np.asarray(own.X)), *last])
            header = ("sample_id", *own.feature_names, *(["label"] * len(last)))
            add(f"{kind}.csv", csv_bytes(header, rows.tolist()))
        for sample, picture in zip(table.sample_ids, simulated.pictures, strict=True):
            png = io.BytesIO()
            Image.fromarray(picture).save(png, "PNG")
            add(f"images/{sample}.png", png.getvalue())
    return out.getvalue()


if __name__ == "__main__":
    write_fusion_sample()
