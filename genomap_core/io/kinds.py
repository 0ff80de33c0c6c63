"""What a file is by its content, whatever its name says."""

from __future__ import annotations

import re
from pathlib import PurePath

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"BM", "bmp"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "rar"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"%PDF", "pdf"),
    (b"\x93NUMPY", "npy"),
    (b"RDX", "r"),
    (b"MATLAB 5.0", "matlab"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
)
_BINARY_MAGIC_ONLY = {"bmp", "program"}
"""Magic of two letters that a text could begin with."""

IMAGE_SUFFIXES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".tif": "tiff", ".tiff": "tiff"}

IMAGE_ENDINGS = (*IMAGE_SUFFIXES, ".dcm", ".dicom", ".ima", ".nii", ".hdr", ".img")
"""Of all files with images; NIfTI's pair of .hdr and .img among them."""
SLIDES = (".svs", ".ndpi", ".scn", ".mrxs", ".vsi", ".czi", ".bif", ".vms", ".svslide", ".isyntax")
"""Of whole-slide scanners; those that are TIFF inside can be read."""

NAMES = {
    "png": "a PNG image",
    "jpeg": "a JPEG image",
    "gif": "a GIF image",
    "tiff": "a TIFF image",
    "bmp": "a BMP image",
    "zip": "a ZIP archive",
    "gzip": "a gzip file",
    "7z": "a 7z archive",
    "rar": "a RAR archive",
    "tar": "a tar archive",
    "bzip2": "a bzip2 file",
    "xz": "an xz file",
    "zstd": "a Zstandard file",
    "hdf5": "an HDF5 file",
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
    "ole": "an old Excel or an encrypted Office file",
    "pdf": "a PDF document",
    "npy": "a NumPy array",
    "pickle": "a Python pickle",
    "r": "an R data file",
    "matlab": "a MATLAB file",
    "program": "a program",
    "dicom": "a DICOM image",
    "nifti": "a NIfTI image",
    "html": "an HTML page",
    "xml": "an XML document",
    "json": "JSON",
    "rtf": "an RTF document",
    "text": "text",
    "empty": "empty",
    "binary": "a binary file of unknown kind",
}


def find_kind(head: bytes) -> str:
    """A key of :data:`NAMES` for the first bytes of a file (give at least 1,024 where there are so many)."""
    if not head:
        return "empty"
    if head[128:132] == b"DICM":  # before all others: its first 128 bytes may be those of a TIFF, on purpose
        return "dicom"
    for magic, kind in _MAGIC:
        if head.startswith(magic) and (kind not in _BINARY_MAGIC_ONLY or b"\0" in head[:64]):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    if head[:4] in (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c", b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c"):
        return "nifti"
    if re.match(rb"\x80[\x02-\x05]", head) or re.match(rb"x[\x01\x9c\xda]", head):
        return "pickle"
    return _text_kind(head)


def _text_kind(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return "text"
    start = head.lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table")) or b"<html" in start:
        return "html"
    if start.startswith(b"<?xml"):
        return "xml"
    if start.startswith(b"{\\rtf"):
        return "rtf"
    if re.match(rb'(\{\s*"|\[\s*[\[{"0-9-])', start):
        return "json"
    control = sum(byte < 9 or 13 < byte < 32 for byte in head[:1024])
    utf16 = head[1:200:2].count(0) > 60 or head[:200:2].count(0) > 60
    return "text" if utf16 or control <= 0.02 * len(head[:1024]) + 1 else "binary"


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
    "fasta": "a file of sequences (FASTA or FASTQ), not of values: count or quantify them first.",
    "vcf": "a file of variants (VCF): write the genotypes or features of every sample as a table.",
    "gtf": "an annotation of genes (GTF or GFF), not of values: give the table of counts or intensities.",
    "track": "a track of a genome browser (WIG, bedGraph or BED): summarise it by gene or window for every sample.",
    "bam": "alignments (BAM): count them by gene, e. g. with featureCounts, and give the table of counts.",
    "gmt": "a list of gene sets (GMT), not of values: give it where gene sets are asked for.",
    "mztab": "an mzTab file: write its section of abundances (SML, PRT or PEP) alone, as CSV or TSV.",
    "rcc": "an RCC file of NanoString, one sample: merge those of all samples in nSolver, and export CSV.",
    "adat": "an ADAT file of SomaLogic: in R, with SomaDataIO, write.csv(read_adat(file), 'table.csv').",
    "fcs": "a file of a flow cytometer (FCS): export one row a sample, e. g. shares of cells, as CSV.",
    "idat": "raw intensities of an Illumina array (IDAT): read them with minfi or GenomeStudio and export the table.",
    "sqlite": "an SQLite database: export one of its tables as CSV.",
    "orc": "an ORC file: save it as Parquet or CSV.",
    "nrrd": "an NRRD volume: save it as NIfTI, e. g. in 3D Slicer.",
    "metaimage": "a MetaImage volume (.mha, .mhd): save it as NIfTI, e. g. in 3D Slicer or with SimpleITK.",
    "freesurfer": "a FreeSurfer volume (.mgh, .mgz): convert it with `mri_convert in.mgz out.nii.gz`.",
    "minc": "a MINC volume (.mnc): convert it with `mnc2nii`.",
    "bmp": "a BMP image: save it as PNG.",
    "webp": "a WebP image: save it as PNG.",
    "heic": "a HEIC or AVIF image (of telephones): save it as JPEG or PNG.",
    "jp2": "a JPEG 2000 image: save it as PNG or TIFF.",
    "psd": "a Photoshop document: save it as TIFF or PNG.",
    "czi": "a Zeiss image (.czi): save it as pyramidal or OME-TIFF, e. g. with QuPath or bfconvert.",
    "microscope": "an image of a microscope's own format: save it as OME-TIFF, e. g. with Fiji or bfconvert.",
    "slide": "a whole slide in its scanner's own format: save it as pyramidal or OME-TIFF, e. g. with QuPath, "
    "bfconvert or `vips tiffsave --pyramid --tile`.",
}
"""Kind -> its name and what to do."""

FOREIGN_SUFFIXES = (
    {".nrrd": "nrrd", ".nhdr": "nrrd", ".mha": "metaimage", ".mhd": "metaimage", ".mnc": "minc", ".bmp": "bmp"}
    | {".webp": "webp", ".heic": "heic", ".heif": "heic", ".avif": "heic", ".jp2": "jp2", ".j2k": "jp2", ".psd": "psd"}
    | {".mgh": "freesurfer", ".mgz": "freesurfer", ".czi": "czi", ".lif": "microscope", ".nd2": "microscope"}
    | {".oib": "microscope", ".oif": "microscope", ".mrxs": "slide", ".vsi": "slide"}
    | {".isyntax": "slide", ".vms": "slide", ".dzi": "slide"}
)
"""Endings of images that are not read -> a key of :data:`CONVERT`."""
_TABLE_MAGIC = (
    (b"SQLite format 3\0", "sqlite"),
    (b"ORC\n\x03", "orc"),
    (b"ORC\0", "orc"),
    (b"BAM\x01", "bam"),
    (b"CRAM", "bam"),
    (b"IDAT\x03\0", "idat"),
    (b"FCS2.0 ", "fcs"),
    (b"FCS3.", "fcs"),
    (b"MTD\tmzTab", "mztab"),
    (b"<Header>\nFileVersion", "rcc"),
    (b"<Header>\r\nFileVersion", "rcc"),
    (b"!Checksum\t", "adat"),
    (b"^HEADER\n!", "adat"),
    (b"track type=", "track"),
    (b"fixedStep ", "track"),
    (b"variableStep ", "track"),
)
_IMAGE_MAGIC = (
    (b"8BPS", "psd"),
    (b"ZISRAWFILE", "czi"),
    (b"\xda\xce\xbe\x0a", "microscope"),
    (b"\0\0\0\x0cjP  ", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
    (b"CDF\x01", "minc"),
    (b"\0\0\0\x01\0\0", "freesurfer"),
)


def foreign(head: bytes, name: str = "") -> str:
    """A key of :data:`CONVERT` for a file that is not read, by its first bytes, and where these say little its name."""
    kind = find_kind(head)
    if found := foreign_kind(head) or (kind if kind in CONVERT else ""):
        return found
    return FOREIGN_SUFFIXES.get(PurePath(name).suffix.lower(), "") if kind in _TELLS_NOTHING else ""


def told(head: bytes, name: str = "") -> str:
    """What a file is that is no image to be read, and how to convert it."""
    return CONVERT.get(
        foreign(head, name), f"{NAMES[find_kind(head)]}, not an image: give PNG, JPEG, TIFF, DICOM or NIfTI."
    )


_TELLS_NOTHING = ("binary", "text", "gzip", "jpeg", "hdf5", "xml", "tiff", "ole", "pickle")
"""What a file of another format may look like"""


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
    if found := next((kind for magic, kind in _TABLE_MAGIC if head.startswith(magic)), ""):
        return found
    if head.startswith(b"NRRD000"):
        return "nrrd"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return "heic" if head[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif") else ""
    if re.match(rb"(ObjectType\s*=\s*Image|NDims\s*=\s*\d)", head):
        return "metaimage"
    if found := next((kind for magic, kind in _IMAGE_MAGIC if head.startswith(magic)), ""):
        return found
    return _foreign_text(head[:4000].decode("utf-8", "replace"))


def _are_sets(lines: list[str]) -> bool:
    """Whether lines of different lengths hold a name, a description and words behind it: no line has a number."""
    cells = [line.split("\t") for line in lines]
    if len(cells) < 3 or any(len(line) < 3 for line in cells) or len({len(line) for line in cells}) < 3:
        return False
    return not any(re.fullmatch(r"[-+]?\d+([.,]\d+)?", cell) for line in cells for cell in line[2:])


def _foreign_text(text: str) -> str:
    if text.startswith("%%MatrixMarket"):
        return "matrixmarket"
    if text.startswith("##fileformat=VCF"):
        return "vcf"
    if re.match(r">[^\n]*\n[A-Z*\-]{10,}\r?\n|@[^\n]*\n[ACGTN]{10,}\r?\n\+", text, re.I):
        return "fasta"
    lines = [line.rstrip("\r") for line in text.split("\n")[:-1] if line.strip()] or [text]
    feature = re.compile(r"[^\t]+\t[^\t]+\t[^\t]+\t\d+\t\d+\t[^\t]+\t[+.-]\t[.012]\t[^\t]+")
    told = [line for line in lines if not line.startswith("#")]
    if told and all(feature.fullmatch(line) for line in told):
        return "gtf"
    if _are_sets(lines):
        return "gmt"
    body = [line for line in lines if not line.startswith("%")]
    if body and re.match(r"@relation\b", body[0], re.I):
        return "arff"
    pairs = [
        line
        for line in lines[:20]
        if re.fullmatch(r"[-+]?[\d.]+(,[\d.]+)*( qid:\d+)?( \d+:[-+.\deE]+)+\s*(#.*)?", line)
    ]
    return "libsvm" if len(pairs) == len(lines[:20]) else ""
