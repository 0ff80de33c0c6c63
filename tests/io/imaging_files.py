"""Files of made-up patients: tables, pictures, DICOM series, NIfTI volumes."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

CT = "1.2.840.10008.5.1.4.1.1.2"


def table(
    n: int = 6, prefix: str = "S", genes: Sequence[str] = ("TP53", "MYC"), label: bool = True, seed: int = 0
) -> str:
    """``n`` samples with these genes."""
    rng = np.random.default_rng(seed)
    lines = ["sample_id," + ",".join(genes) + (",label" if label else "")]
    for i in range(n):
        values = ",".join(f"{v:.3f}" for v in rng.normal(5, 1, len(genes)))
        lines.append(f"{prefix}{i},{values}" + (f",{'ab'[i % 2]}" if label else ""))
    return "\n".join(lines) + "\n"


def png(seed: int = 0, shape: tuple[int, ...] = (40, 40)) -> bytes:
    """Noise on a gradient, so that no two are alike."""
    rng = np.random.default_rng(seed)
    return encoded(rng.integers(0, 255, shape).astype(np.uint8))


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def packed(members: Mapping[str, bytes | str]) -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def dicom(pixels: np.ndarray, **tags: object) -> bytes:
    """One slice (or frames) as stored; ``tags`` change or add, None removes."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = tags.pop("syntax", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CT, generate_uid()
    data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    bits = 8 * pixels.dtype.itemsize
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    plain: dict[str, object] = {
        "SOPClassUID": CT,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": "CT",
        "Rows": pixels.shape[0 if colour else -2],
        "Columns": pixels.shape[1 if colour else -1],
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": pixels.tobytes(),
    }
    if colour:
        plain["PlanarConfiguration"] = 0
    for keyword, value in (plain | tags).items():
        if value is not None:
            setattr(data, keyword, value)
    out = io.BytesIO()
    pydicom.dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()


def series(
    voxels: np.ndarray,
    gap: float = 2.5,
    uid: str = "1.2.3",
    facing: Sequence[float] = (1, 0, 0, 0, 1, 0),
    **tags: object,
) -> list[bytes]:
    """A CT series of ``(z, y, x)`` Hounsfield units >= -1024, one file a slice, in order."""
    across = np.cross(facing[:3], facing[3:])
    return [
        dicom(
            (plane + 1024).astype(np.uint16),
            **{
                "SeriesInstanceUID": uid,
                "InstanceNumber": z + 1,
                "ImagePositionPatient": [float(v) for v in across * z * gap],
                "ImageOrientationPatient": list(map(float, facing)),
                "PixelSpacing": [0.5, 0.75],
                "RescaleSlope": 1,
                "RescaleIntercept": -1024,
            }
            | tags,
        )
        for z, plane in enumerate(voxels)
    ]


def body(n: int = 6, side: int = 32) -> np.ndarray:
    """``(n, side, side)`` int16 Hounsfield units: air around a body that is largest in slice 3."""
    rng = np.random.default_rng(5)
    rows, columns = np.ogrid[:side, :side]
    out = np.full((n, side, side), -1000, np.int16)
    for z in range(n):
        radius = side * (0.45 - 0.08 * abs(z - 3))
        inside = (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < radius**2
        out[z][inside] = rng.integers(0, 90, int(inside.sum()))
    return out


def nifti(volume: np.ndarray, rows: np.ndarray | None = None) -> bytes:
    """A NIfTI-1 file of int16 ``(x, y, z)`` with this sform ``(3, 4)``."""
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *volume.shape, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, 4, 16)
    struct.pack_into("<8f", head, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<3f", head, 108, 352, 1, 0)
    if rows is not None:
        struct.pack_into("<2h", head, 252, 0, 1)
        struct.pack_into("<12f", head, 280, *np.asarray(rows, float).ravel())
    head[344:348] = b"n+1\0"
    return bytes(head) + volume.astype("<i2").tobytes(order="F")
