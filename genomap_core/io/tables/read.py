"""Read a table from a file of any kind. One call::

    table = read_table(uploaded_bytes, "cohort.csv")
    table = read_table(Path("cells.h5ad"), "cells.h5ad", layer="counts")

CSV, TSV and their relatives (any delimiter, encoding, decimal sign; gzip), Excel (.xlsx), Parquet and AnnData (.h5ad).
The kind is found by content, not by name. Numbers arrive as one float32 array (CSR where the file is sparse), text as
codes, every doubtful cell with its place. What the columns mean is decided by :mod:`genomap_core.data.schema.validate`.

Raises :class:`InputError` for a file that can't be read, :class:`RefusedError` for one that is not even tried; both say
what to do. Excel, Parquet and h5ad are parsed in a child process with limits of memory and time.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from genomap_core.data.table import Table
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.kinds import NAMES, find_kind
from genomap_core.io.sandbox.call import as_path, run_in_child
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.sandbox.transfer import load_answer
from genomap_core.io.tables.delimited import read_delimited
from genomap_core.io.tables.gunzip import gunzip

__all__ = ["read_table"]

_HEAD = 1 << 16


def read_table(
    source: bytes | str | Path | BinaryIO,
    name: str | None = None,
    *,
    sheet: str | None = None,
    layer: str | None = None,
    limits: FileLimits = DEFAULT,
) -> Table:
    """Read one table.

    Parameters
    ----------
    source
        The file's bytes, its path on this machine (never a URL), or an open binary file.
    name
        The file's name, for messages; its ending says what it should be. None: that of the path.
    sheet
        Of a workbook: the sheet to read; None takes the visible one that holds most.
    layer
        Of an h5ad file: the layer to read, or "raw"; None takes ``X``.
    """
    source = Path(source) if isinstance(source, str) else source
    data = source if isinstance(source, (bytes, Path)) else source.read()
    name = name or (source.name if isinstance(source, Path) else "table.csv")
    try:
        return _read(data, name, sheet, layer, limits)
    except RefusedError as error:
        raise RefusedError(f"{name}: {error}") from error
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _read(data: bytes | Path, name: str, sheet: str | None, layer: str | None, limits: FileLimits) -> Table:
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > limits.file:
        raise RefusedError(f"The file has {size >> 20:,} MB, over the limit of {limits.file >> 20:,} MB.")
    head = head_of(data)
    kind = find_kind(head)
    suffix = name.lower().removesuffix(".gz").rpartition(".")[2]
    if kind == "ole" or (kind == "zip" and (suffix.startswith("xls") or is_workbook(data))):
        return _in_child("excel", data, limits, name=name, sheet=sheet)
    if kind == "zip" and suffix != "zip" and not head.startswith(b"PK\x05"):
        raise InputError("The file is a ZIP archive, not a table: unpack it, or give it as an archive.")
    if suffix in ("pkl", "pickle", "joblib", "pt", "pth", "npy", "npz"):
        _refuse_foreign("pickle")
    if suffix in ("parquet", "pq") and kind != "parquet":
        raise InputError(f"The file is not Parquet but {NAMES[kind]}: export it again, or correct its name.")
    if kind == "parquet":
        return _in_child("parquet", data, limits, name=name)
    if kind == "hdf5" or suffix == "h5ad":
        return _in_child("h5ad", data, limits, name=name, layer=layer)
    raw = data.read_bytes() if isinstance(data, Path) else data
    if kind == "gzip":
        text = gunzip(raw, limits)
        _refuse_foreign(find_kind(text[:_HEAD]))
        table = read_delimited(text, name, limits)
        return replace(table, source=replace(table.source, compressed=True))
    _refuse_foreign(kind)
    return read_delimited(raw, name, limits)


def head_of(data: bytes | Path) -> bytes:
    """The first 64 kB: enough to tell what a file is."""
    if isinstance(data, bytes):
        return data[:_HEAD]
    with data.open("rb") as file:
        return file.read(_HEAD)


def is_workbook(data: bytes | Path) -> bool:
    """Whether a ZIP file is an Office workbook: it names its parts near its beginning or end."""
    raw = data.read_bytes() if isinstance(data, Path) else data
    return b"xl/workbook" in raw or b"xl/worksheets" in raw


def _in_child(job: str, data: bytes | Path, limits: FileLimits, **options: str | None) -> Table:
    with as_path(data) as path, run_in_child(job, path, options, limits) as folder:
        answer = load_answer(folder)
    if not isinstance(answer, Table):
        raise InputError("The program that reads this format gave no table.")
    return answer


def _refuse_foreign(kind: str) -> None:
    """Raise for anything but text."""
    if kind == "empty":
        raise InputError("The file is empty (0 bytes).")
    if kind == "pickle":
        raise RefusedError("The file is a Python pickle, which can run programs: it is never opened. Save it as CSV.")
    if kind == "binary":
        raise InputError("The file holds binary bytes and is of no known kind: give CSV, TSV, Excel, Parquet or h5ad.")
    if kind != "text":
        raise InputError(f"The file is {NAMES[kind]} ({kind}), not a table: give CSV, TSV, Excel, Parquet or h5ad.")
