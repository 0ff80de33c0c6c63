"""Read a table from a file of any kind. One call::

    table = read_table(uploaded_bytes, "cohort.csv")
    table = read_table(Path("cells.h5ad"), "cells.h5ad", layer="counts")

CSV, TSV and their relatives (any delimiter, encoding, decimal sign; gzip, bzip2, xz; GCT and GEO series matrices among
them), Excel (.xlsx), OpenDocument (.ods), Parquet, AnnData (.h5ad), MuData (.h5mu), loom, Cell Ranger's .h5 and
MatrixMarket folders; a ZIP or folder with one table, or with outputs of STAR, Salmon, kallisto, RSEM or htseq-count for
several samples.

The kind is found by content, not by name. Numbers arrive as one float32 array (CSR where the file is sparse), text as
codes, every doubtful cell with its place. What the columns mean is decided by :mod:`genomap_core.data.schema.validate`.

Raises :class:`InputError` for a file that can't be read, :class:`RefusedError` for one that is not even tried; both say
what to do. Excel, Parquet and h5ad are parsed in a child process with limits of memory and time.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from genomap_core.data.message import Message
from genomap_core.data.schema.recipe import FOUND, Decision, Recipe
from genomap_core.data.table import Table
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.kinds import CONVERT, NAMES, find_kind, foreign_kind
from genomap_core.io.sandbox.call import as_path, run_in_child
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.sandbox.transfer import load_answer
from genomap_core.io.tables.bundled import files_of, is_tenx, names_in, read_quantified, refuse_single, the_table
from genomap_core.io.tables.delimited import read_delimited
from genomap_core.io.tables.gunzip import PACKED, unpack
from genomap_core.io.tables.labelled import read_labelled
from genomap_core.io.zips import names_of

__all__ = ["read_table"]

_HEAD = 1 << 16


def read_table(
    source: bytes | str | Path | BinaryIO,
    name: str | None = None,
    *,
    sheet: str | None = None,
    layer: str | None = None,
    recipe: Recipe = FOUND,
    limits: FileLimits = DEFAULT,
) -> Table:
    """Read one table.

    Parameters
    ----------
    source
        The file's bytes, its path on this machine (never a URL), an open binary file, or the path of a folder that a
        counting program or Cell Ranger wrote.
    name
        The file's name, for messages; its ending says what it should be. None: that of the path.
    sheet
        Of a workbook: the sheet to read; None takes the visible one that holds most.
    layer
        Of an h5ad or loom file: the layer to read, or "raw"; None takes ``X``. Of an h5mu file: the modality.
    recipe
        What the user knows of the file; all else is found. The table's own ``recipe`` tells what was.
    """
    source = Path(source) if isinstance(source, str) else source
    data = source if isinstance(source, (bytes, Path)) else source.read()
    name = name or (source.name if isinstance(source, Path) else "table.csv")
    recipe = replace(recipe, sheet=sheet or recipe.sheet, layer=layer or recipe.layer)
    try:
        return _with_recipe(_read(data, name, recipe, limits), recipe)
    except RefusedError as error:
        raise RefusedError(f"{name}: {error}") from error
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _with_recipe(table: Table, recipe: Recipe) -> Table:
    """The table with what was found of its file."""
    source = table.source
    found = {
        "encoding": source.encoding,
        "delimiter": source.delimiter,
        "decimal": source.decimal if source.kind == "csv" else "",
        "sheet": source.sheet,
        "layer": source.layer,
    }
    decisions = [
        Decision(what, value, 1.0 if getattr(recipe, what) else 0.9, ("given",) if getattr(recipe, what) else ())
        for what, value in found.items()
        if value
    ]
    told = [Decision(m.code, m.value or m.column or "", 0.8, (m.text,)) for m in table.messages if m.severity == "warn"]
    filled: dict[str, Any] = {what: value for what, value in found.items() if value}
    return replace(table, recipe=replace(recipe, **filled).decided(*decisions, *told))


def _read(data: bytes | Path, name: str, recipe: Recipe, limits: FileLimits) -> Table:
    if isinstance(data, Path) and data.is_dir():
        return _read_bundle(data, name, recipe, limits)
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > limits.file:
        raise RefusedError(f"The file has {size >> 20:,} MB, over the limit of {limits.file >> 20:,} MB.")
    head = head_of(data)
    kind = find_kind(head)
    suffix = re.sub(r"\.(gz|bz2|xz)$", "", name.lower()).rpartition(".")[2]
    options = _options(recipe)
    if kind == "ole" or (kind == "zip" and (suffix.startswith("xls") or is_workbook(data))):
        return _in_child("excel", data, limits, name=name, sheet=recipe.sheet, **options)
    if kind == "zip" and head[30:84].startswith(b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"):
        return _in_child("ods", data, limits, name=name, sheet=recipe.sheet, **options)
    if kind == "zip" and not head.startswith(b"PK\x05"):
        with as_path(data) as path:
            return _read_bundle(path, name, recipe, limits)
    if suffix in ("pkl", "pickle", "joblib", "pt", "pth", "npy", "npz"):
        _refuse_foreign(head, "pickle")
    if suffix in ("parquet", "pq") and kind != "parquet":
        raise InputError(f"The file is not Parquet but {NAMES[kind]}: export it again, or correct its name.")
    if kind == "parquet":
        return _in_child("parquet", data, limits, name=name, **options)
    if kind == "hdf5" or suffix == "h5ad":
        return _in_child("h5ad", data, limits, name=name, layer=recipe.layer)
    raw = data.read_bytes() if isinstance(data, Path) else data
    if kind in PACKED:
        raw = unpack(raw, kind, limits)
        head = raw[:_HEAD]
    _refuse_foreign(head, find_kind(head))
    refuse_single(raw)
    table = read_labelled(raw, name, limits, recipe) or read_delimited(raw, name, limits, recipe)
    return replace(table, source=replace(table.source, compressed=kind in PACKED))


def _options(recipe: Recipe) -> dict[str, str | None]:
    """The recipe's wishes on numbers, as a child takes them."""
    return {
        "decimal": recipe.decimal,
        "thousands": "none" if recipe.thousands == "" else recipe.thousands,
        "missing": None if recipe.missing is None else ",".join(recipe.missing),
        "header": None if recipe.header is None else str(recipe.header),
    }


def _read_bundle(path: Path, name: str, recipe: Recipe, limits: FileLimits) -> Table:
    """A ZIP or folder with one table, a 10x matrix, or outputs of a counting program."""
    inside = names_in(path)
    if is_tenx(inside):
        with run_in_child("mtx", path, {"name": name}, limits) as folder:
            return _as_table(load_answer(folder))
    files = files_of(path, limits)
    chosen = the_table(files)
    if chosen is None:
        return read_quantified(files, name)
    member, content = chosen
    if find_kind(content[:_HEAD]) == "zip" and not is_workbook(content) and not member.endswith(".ods"):
        raise InputError("The archive holds another archive: unpack it.")
    table = _read(content, member, recipe, limits)
    text = f"{member!r} in the archive is read."
    return replace(table, name=name, messages=(*table.messages, Message("ok", "archive-member", text)))


def head_of(data: bytes | Path) -> bytes:
    """The first 64 kB: enough to tell what a file is."""
    if isinstance(data, bytes):
        return data[:_HEAD]
    with data.open("rb") as file:
        return file.read(_HEAD)


def is_workbook(data: bytes | Path) -> bool:
    """Whether a ZIP file is an Office workbook, by the names of its parts; by its bytes where these can't be read."""
    if names := names_of(data):
        return any(name.lstrip("/").startswith(("xl/workbook", "xl/worksheets")) for name in names)
    raw = data.read_bytes() if isinstance(data, Path) else data
    return b"xl/workbook" in raw or b"xl/worksheets" in raw


def _in_child(job: str, data: bytes | Path, limits: FileLimits, **options: str | None) -> Table:
    with as_path(data) as path, run_in_child(job, path, options, limits) as folder:
        return _as_table(load_answer(folder))


def _as_table(answer: Table | tuple[Message, ...]) -> Table:
    if not isinstance(answer, Table):
        raise InputError("The program that reads this format gave no table.")
    return answer


def _refuse_foreign(head: bytes, kind: str) -> None:
    """Raise for anything but text, and for text of other formats."""
    if kind == "empty":
        raise InputError("The file is empty (0 bytes).")
    if kind == "pickle":
        raise RefusedError("The file is a Python pickle, which can run programs: it is never opened. Save it as CSV.")
    foreign = foreign_kind(head) or (kind if kind in CONVERT else "")
    if foreign:
        raise InputError(f"The file is {CONVERT[foreign]}")
    if kind == "binary":
        raise InputError("The file holds binary bytes and is of no known kind: give CSV, TSV, Excel, Parquet or h5ad.")
    if kind != "text":
        raise InputError(f"The file is {NAMES[kind]} ({kind}), not a table: give CSV, TSV, Excel, Parquet or h5ad.")
