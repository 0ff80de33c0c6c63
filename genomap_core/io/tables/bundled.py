"""A ZIP archive or a folder that is one table: a table in it, a 10x matrix, or outputs of a counting program."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

from genomap_core.data.message import some
from genomap_core.errors import InputError
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.io.tables.gunzip import gunzip
from genomap_core.io.tables.quantified import tool_of
from genomap_core.io.zips import check_members, open_zip

_TABLES = (
    ".csv",
    ".tsv",
    ".txt",
    ".tab",
    ".xlsx",
    ".ods",
    ".parquet",
    ".h5ad",
    ".h5",
    ".loom",
    ".gct",
    ".sf",
    ".results",
)
_MOST_FILES = 2000


def files_of(path: Path, limits: FileLimits) -> dict[str, bytes]:
    """The table-like files of a ZIP or folder, ``{path inside: content}``, gzip unpacked; junk of systems left out."""
    found: dict[str, bytes] = {}
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.is_symlink() and _is_table(file.name):
                found[file.relative_to(path).as_posix()] = file.read_bytes()
            if len(found) > _MOST_FILES:
                raise InputError(f"The folder holds more than {_MOST_FILES} tables.")
    else:
        with open_zip(path) as archive:
            check_members(archive, limits)
            for name in archive.namelist():
                if _is_table(name) and not name.startswith("__MACOSX/"):
                    found[name] = archive.read(name)
    unpacked = {name: gunzip(data, limits) if data[:2] == b"\x1f\x8b" else data for name, data in found.items()}
    return {name.removesuffix(".gz"): data for name, data in unpacked.items()}


def is_tenx(names: list[str]) -> bool:
    """Whether there is a MatrixMarket file with its names."""
    plain = {PurePosixPath(name).name.removesuffix(".gz") for name in names}
    return {"matrix.mtx", "barcodes.tsv"} <= plain


_COUNTED = ("quant.sf", "ReadsPerGene.out.tab", "abundance.tsv", ".results", "star_gene_counts.tsv")


def is_zip_of_counts(source: Path | bytes) -> bool:
    """Whether a ZIP holds a 10x matrix, an OpenDocument spreadsheet, or outputs of a counting program."""
    try:
        with zipfile.ZipFile(source if isinstance(source, Path) else io.BytesIO(source)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    plain = [name.removesuffix(".gz") for name in names]
    return is_tenx(names) or names[:1] == ["mimetype"] or any(name.endswith(_COUNTED) for name in plain)


def names_in(path: Path) -> list[str]:
    """The files inside a ZIP or folder."""
    if path.is_dir():
        return [file.relative_to(path).as_posix() for file in sorted(path.rglob("*")) if file.is_file()]
    with open_zip(path) as archive:
        return archive.namelist()


def the_table(files: dict[str, bytes]) -> tuple[str, bytes] | None:
    """The one table among the files; None when they are outputs of a counting program, one a sample."""
    if not files:
        raise InputError("The archive holds no table: give CSV, TSV, Excel, Parquet or h5ad.")
    if all(tool_of(data) for data in files.values()):
        return None
    if len(files) > 1:
        raise InputError(f"The archive holds several tables ({some(files, 6)}): give the one to read.")
    return next(iter(files.items()))


def _is_table(name: str) -> bool:
    plain = PurePosixPath(name).name.lower().removesuffix(".gz")
    return plain.endswith(_TABLES) and not plain.startswith(".")
