"""Small good files of every kind, from the libraries that write them; and the bad-input collection where it is."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

NAMES = {
    "csv": "t.csv",
    "gz": "t.csv.gz",
    "excel": "t.xlsx",
    "parquet": "t.parquet",
    "h5ad": "t.h5ad",
    "image": "i.png",
    "dicom": "d.dcm",
    "nifti": "n.nii.gz",
    "model": "m.safetensors",
    "cohort": "c.zip",
    "visium": "v.h5ad",
    "slide": "s.svs",
    "cohort tables": "manifest.csv",
    "gene sets": "s.gmt",
}
IN_SERVER = ("csv", "gz", "cohort tables", "gene sets")
"""Text, which the server reads in its own process."""
COLLECTED = {
    "csv": ("t*.csv", "t*.txt"),
    "gz": ("t73*.gz",),
    "excel": ("x0*.xlsx", "x1[56]*.xlsx"),
    "parquet": ("p*.parquet",),
    "h5ad": ("h*.h5ad",),
    "image": ("i*.png", "i*.jpg", "i*.gif", "i*.tif"),
    "dicom": ("d*.dcm",),
    "nifti": ("n0*",),
    "cohort": ("a*.zip",),
    "model": ("m*.safetensors", "m*.np[yz]"),
}
FOLDER = Path(os.environ.get("GENOMAP_BADINPUTS", Path(__file__).resolve().parents[3] / "shared" / "badinputs"))


def seeds(kind: str) -> list[bytes]:
    """The corpus to begin with; small files only."""
    found = [_MAKERS[kind]()]
    for pattern in COLLECTED.get(kind, ()):
        for path in sorted((FOLDER / "files").glob(pattern)):
            if path.stat().st_size < 1 << 16:
                found.append(path.read_bytes())
    return found


def _rows() -> list[list[object]]:
    values = np.round(np.random.default_rng(0).gamma(2, 20, (12, 4)), 3)
    return [[f"S{i:02d}", *row, "ab"[i % 2]] for i, row in enumerate(values.tolist())]


_HEADER = ["sample_id", "TP53", "MYC", "KRAS", "EGFR", "label"]


def _csv() -> bytes:
    return "\n".join(",".join(map(str, row)) for row in [_HEADER, *_rows()]).encode() + b"\n"


def _excel() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for row in [_HEADER, *_rows()]:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(dict(zip(_HEADER, zip(*_rows()))))
    out = io.BytesIO()
    pq.write_table(table, out, write_page_checksum=True)
    return out.getvalue()


def _h5ad() -> bytes:
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        group = file.create_group("X")
        group.attrs["encoding-type"], group.attrs["shape"] = "csr_matrix", [3, 4]
        group["data"], group["indices"] = np.ones(4, "f4"), np.array([0, 1, 2, 3], "i4")
        group["indptr"] = np.array([0, 1, 2, 4], "i4")
        for part, names in (("obs", ["a", "b", "c"]), ("var", ["W", "X", "Y", "Z"])):
            frame = file.create_group(part)
            frame.attrs["_index"], frame.attrs["column-order"] = "_index", np.array([], "S1")
            frame["_index"] = np.array(names, "S1")
        label = file["obs"].create_group("label")
        label["codes"], label["categories"] = np.array([0, 1, 0], "i1"), np.array([b"u", b"v"])
        file["obs"].attrs["column-order"] = np.array([b"label"])
    return out.getvalue()


def _image() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(out, "PNG")
    return out.getvalue()


def _dicom() -> bytes:
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation, dataset.Modality = "MONOCHROME2", "CT"
    dataset.PixelData = np.arange(256, dtype="<u2").tobytes()
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset)
    return out.getvalue()


def _nifti() -> bytes:
    header = bytearray(352)
    header[0:4] = (348).to_bytes(4, "little")
    header[40:56] = np.array([3, 4, 4, 4, 1, 1, 1, 1], "<i2").tobytes()
    header[70:74] = np.array([4, 16], "<i2").tobytes()
    header[76:108] = np.ones(8, "<f4").tobytes()
    header[108:120] = np.array([352, 1, 0], "<f4").tobytes()
    header[254:256] = b"\1\0"
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + np.arange(64, dtype="<i2").tobytes())


def _model() -> bytes:
    from safetensors.numpy import save

    fields = {"features": ["a", "b"], "classes": ["x", "y"]}
    metadata = {"format": "genomap", "version": "1", "header": json.dumps(fields)}
    return save({"network/w": np.ones((2, 3), np.float32)}, metadata)


def _cohort() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("omics.csv", _csv())
        archive.writestr("manifest.csv", _manifest())
        archive.writestr("S00.png", _image())
        archive.writestr("S01/slice1.dcm", _dicom())
        archive.writestr("S01/slice2.dcm", _dicom())
        archive.writestr("S02.nii.gz", _nifti())
    return out.getvalue()


def _manifest() -> bytes:
    lines = ["file,patient,class", "S00.png,S00,a", "S01,S01,b", "S02.nii.gz,S02,a"]
    return "\n".join(lines).encode() + b"\n"


def _visium() -> bytes:
    import h5py

    out = io.BytesIO(_h5ad())
    with h5py.File(out, "r+") as file:
        file["obsm/spatial"] = np.array([[20.0, 20.0], [40.0, 30.0], [60.0, 60.0]])
        library = file.create_group("uns/spatial/section")
        library["images/hires"] = np.full((40, 40, 3), 128, np.uint8)
        library["scalefactors/tissue_hires_scalef"] = 0.5
    return out.getvalue()


def _slide() -> bytes:
    import tifffile

    rng, out = np.random.default_rng(0), io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        for step in (1, 4):
            pixels = (rng.integers(0, 90, (256 // step, 256 // step, 3)) + [120, 60, 140]).astype(np.uint8)
            about = "Aperio |MPP = 0.5" if step == 1 else None
            file.write(
                pixels, tile=(64, 64), photometric="rgb", compression="deflate", description=about, metadata=None
            )
    return out.getvalue()


def _gene_sets() -> bytes:
    return b"HALLMARK_A\thttp://a\tTP53\tMYC\nHALLMARK_B\t\tKRAS\tEGFR\tABSENT\n"


_MAKERS: dict[str, Callable[[], bytes]] = {
    "csv": _csv,
    "gz": lambda: gzip.compress(_csv()),
    "excel": _excel,
    "parquet": _parquet,
    "h5ad": _h5ad,
    "image": _image,
    "dicom": _dicom,
    "nifti": _nifti,
    "model": _model,
    "cohort": _cohort,
    "visium": _visium,
    "slide": _slide,
    "cohort tables": _manifest,
    "gene sets": _gene_sets,
}
