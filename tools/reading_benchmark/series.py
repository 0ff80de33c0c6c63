"""How long a CT series takes from its DICOM files to a picture: synthetic files, read as a cohort of one patient is."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np

from genomap_core.data.images.patients import ImagingOptions

_CT = "1.2.840.10008.5.1.4.1.1.2"


def write_series(folder: Path, slices: int = 200, side: int = 512, seed: int = 0) -> int:
    """Write a CT of a round body, one file a slice; how many bytes."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:side, :side]
    distance = np.hypot(rows - side / 2, columns - side / 2)
    noise = rng.normal(0, 20, (side, side))
    for z in range(slices):
        radius = side * (0.2 + 0.25 * np.sin(np.pi * z / slices))
        hu = np.where(distance < radius, 40 + np.roll(noise, z, axis=0), -1000)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, UID(_CT)
        meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{z + 1}")
        data = FileDataset(io.BytesIO(), {}, file_meta=meta, preamble=bytes(128))
        data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID = _CT, f"1.2.3.{z + 1}", "1.2.3"
        data.Modality, data.PatientID, data.InstanceNumber = "CT", "P0", z + 1
        data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 1.25 * z], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.RescaleSlope, data.RescaleIntercept = [0.7, 0.7], 1, -1024
        data.Rows, data.Columns, data.SamplesPerPixel = side, side, 1
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PhotometricInterpretation = "MONOCHROME2"
        data.PixelData = np.clip(hu + 1024, 0, 4095).astype(np.uint16).tobytes()
        data.save_as(folder / f"IM{(z * 7919) % slices:04d}{z:04d}.dcm", enforce_file_format=True)
    return sum(path.stat().st_size for path in folder.iterdir())


def time_series(folder: Path, options: ImagingOptions = ImagingOptions()) -> tuple[float, float]:
    """Seconds, and processor seconds, from the files to the picture ``(1, side, side)``.

    The child process and its imports are included.
    """
    import json
    from dataclasses import asdict

    from genomap_core.io.images.cohort import COHORT
    from genomap_core.io.images.prepare import Units
    from genomap_core.io.sandbox.call import run_in_child

    start, busy = time.perf_counter(), _busy()
    with run_in_child("units", folder, {"options": json.dumps(asdict(options))}, COHORT) as answer:
        units = Units.load(answer)
    seconds = time.perf_counter() - start, _busy() - busy
    if len(units.units) != 1 or units.units[0].refused or not units.images.any():
        raise RuntimeError(f"The series gave no picture: {[unit.refused for unit in units.units]}")
    return seconds


def _busy() -> float:
    """Processor seconds of this process and its children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def series_line(slices: int, side: int, size: int, runs: list[tuple[float, float]]) -> str:
    """One line for people: medians, and the range."""
    seconds, busy = sorted(s for s, _ in runs), sorted(b for _, b in runs)
    return (
        f"DICOM series {side} x {side} x {slices} ({size / 1e6:.0f} MB) to picture: "
        f"{seconds[len(seconds) // 2]:.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f}; allowed 5 s), "
        f"{busy[len(busy) // 2]:.2f} s of processor time; {os.cpu_count()} cores"
    )
