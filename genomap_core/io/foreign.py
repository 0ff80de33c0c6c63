"""Formats that are known but not read: what they are called, and how to make a table of them."""

from __future__ import annotations

import re

_SPSS, _STATA, _SAS = "an SPSS file", "a Stata file", "a SAS file"

CONVERT = {
    "spss": f"{_SPSS} (.sav): save it as CSV in SPSS (File > Save As), or with pandas.read_spss(...).to_csv(...).",
    "stata": f"{_STATA} (.dta): save it with `export delimited`, or with pandas.read_stata(...).to_csv(...).",
    "sas": f"{_SAS}: save it with PROC EXPORT as CSV, or with pandas.read_sas(...).to_csv(...).",
    "r": "an R data file (RDS or RData): in R, write.csv(readRDS(file), 'table.csv').",
    "matlab": "a MATLAB file: save the matrix with writetable or writematrix as CSV.",
    "npy": "a NumPy array without names: write it as CSV with names of samples and features.",
    "arff": "a Weka file (ARFF, @relation and @attribute lines): save it as CSV in Weka, or delete all lines up to "
    "@data and write the attributes' names instead.",
    "libsvm": "a libsvm file (label index:value): write it as CSV, e. g. with sklearn.datasets.load_svmlight_file.",
    "matrixmarket": "a MatrixMarket file (sparse, of 10x for one), which names neither samples nor genes: put it into "
    "a ZIP with barcodes.tsv and features.tsv.",
    "arrow": "an Arrow (Feather) file: save it as Parquet or CSV.",
    "xml": "an XML document (xml): save it as CSV, TSV, Excel or Parquet.",
    "nrrd": "an NRRD volume: save it as NIfTI, e. g. in 3D Slicer.",
}
"""Kind -> its name and what to do."""


def foreign_kind(head: bytes) -> str:
    """A key of :data:`CONVERT` for the first bytes of a file that is none of those read; "" for any other."""
    if head[:3] == b"$FL":
        return "spss"
    if head.startswith(b"<stata_dta>") or (
        len(head) > 4 and 102 <= head[0] <= 115 and head[1] in (1, 2) and head[2] == 1
    ):
        return "stata"
    if head.startswith((b"HEADER RECORD*******LIB", b"\0" * 12 + b"\xc2\xea\x81\x60")):
        return "sas"
    if head.startswith((b"RDX", b"RDA", b"X\n\0\0\0", b"A\n2\n", b"A\n3\n", b"B\n\2\0\0\0", b"B\n\3\0\0\0")):
        return "r"
    if head.startswith(b"NRRD000"):
        return "nrrd"
    return _foreign_text(head[:4000].decode("utf-8", "replace"))


def _foreign_text(text: str) -> str:
    if text.startswith("%%MatrixMarket"):
        return "matrixmarket"
    lines = [line for line in text.split("\n")[:-1] if line.strip()] or [text]
    body = [line for line in lines if not line.startswith("%")]
    if body and re.match(r"@relation\b", body[0], re.I):
        return "arff"
    pairs = [
        line
        for line in lines[:20]
        if re.fullmatch(r"[-+]?[\d.]+(,[\d.]+)*( qid:\d+)?( \d+:[-+.\deE]+)+\s*(#.*)?", line)
    ]
    return "libsvm" if len(pairs) == len(lines[:20]) else ""
