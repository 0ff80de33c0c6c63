"""Single-cell matrices that are no h5ad, in the child process: 10x (HDF5, and MatrixMarket with its names), loom."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import scipy.sparse as sp

from genomap_core.data.message import Message, some
from genomap_core.data.table import Source, Table, TextColumn
from genomap_core.errors import InputError
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits, check_size
from genomap_core.io.tables.h5ad import annotated_table, as_plain, as_text, sparse_of
from genomap_core.io.zips import check_members, open_zip

_MATRIX, _BARCODES, _FEATURES = "matrix.mtx", "barcodes.tsv", ("features.tsv", "genes.tsv")


def read_tenx_h5(group: h5py.Group, name: str, limits: FileLimits) -> Table:
    """Cell Ranger's ``filtered_feature_bc_matrix.h5``: the group ``matrix``, or that of a genome in old files."""
    described = group.get("features", group)
    ids = _texts(described["id" if "id" in described else "genes"])
    names = _texts(described["name" if "name" in described else "gene_names"])
    shape = tuple(int(v) for v in group["shape"][:])
    matrix = sparse_of(group, "csc", shape, limits).T.tocsr()
    kinds = Counter(_texts(described["feature_type"])) if "feature_type" in described else Counter()
    return _cells(name, matrix, _texts(group["barcodes"]), ids, names, kinds, Source("10x"))


def read_loom(file: h5py.File, name: str, layer: str | None, limits: FileLimits) -> Table:
    """A loom file: genes x cells in ``matrix`` or a layer, names in ``row_attrs`` and ``col_attrs``."""
    layers = sorted(file["layers"]) if "layers" in file else []
    if layer not in (None, "X", *layers):
        raise InputError(f"There is no layer {layer!r}; there are X, {some(layers, 20)}.")
    data = file["matrix"] if layer in (None, "X") else file["layers"][layer]
    if data.ndim != 2 or data.dtype.kind not in "fiub":
        raise InputError(f"{data.name} is no matrix of numbers.")
    check_size(data.shape[1], data.shape[0], limits)
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(data[:].T, np.float32)
    genes = _named(file["row_attrs"], ("Gene", "Accession", "gene", "id"), data.shape[0], "gene")
    cells = _named(file["col_attrs"], ("CellID", "cell_id", "obs_names", "Cell"), data.shape[1], "cell")
    described = [
        (title, TextColumn.of(as_text(value) for value in column[:]))
        for title, column in file["col_attrs"].items()
        if isinstance(column, h5py.Dataset) and column.shape == (data.shape[1],) and title not in ("CellID",)
    ]
    source = Source("loom", layer=layer or "X", layers=tuple(layers))
    return annotated_table(name, values, cells, described, genes, source, chosen=layer is not None)


def _named(attributes: h5py.Group, titles: tuple[str, ...], count: int, what: str) -> list[str]:
    title = next((t for t in titles if t in attributes and attributes[t].shape == (count,)), None)
    return [f"{what} {i + 1}" for i in range(count)] if title is None else _texts(attributes[title])


def _texts(data: h5py.Dataset) -> list[str]:
    return [str(as_plain(value)) for value in data[:]]


def read_mtx(path: Path, *, name: str, limits: FileLimits = DEFAULT) -> Table:
    """A 10x folder or a ZIP of one: ``matrix.mtx``, ``barcodes.tsv``, ``features.tsv`` or ``genes.tsv``; or gzip."""
    files = dict(_members(path, limits))
    if not {_MATRIX, _BARCODES} <= files.keys() or not files.keys() & set(_FEATURES):
        raise InputError(
            f"A MatrixMarket folder holds {_MATRIX}, {_BARCODES} and {_FEATURES[0]}; found {some(files, 8)}."
        )
    _check_header(files[_MATRIX], limits)
    try:
        matrix = sp.csr_matrix(scipy.io.mmread(io.BytesIO(files[_MATRIX])).T, dtype=np.float32)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{_MATRIX} can't be read: {error}.") from error
    barcodes = [row[0] for row in _rows(files[_BARCODES])]
    features = _rows(next(files[f] for f in _FEATURES if f in files))
    ids, names = [row[0] for row in features], [row[1] if len(row) > 1 else row[0] for row in features]
    if matrix.shape != (len(barcodes), len(ids)):
        raise InputError(
            f"{_MATRIX} has {matrix.shape[::-1]} values for {len(ids)} features and {len(barcodes)} cells."
        )
    kinds = Counter(row[2] for row in features if len(row) > 2)
    return _cells(name, matrix, barcodes, ids, names, kinds, Source("10x"))


def _check_header(text: bytes, limits: FileLimits) -> None:
    """The size that the file declares, before anything of it is taken."""
    for line in text[: 1 << 16].splitlines():
        if line.startswith(b"%") or not line.strip():
            continue
        sizes = line.split()
        if len(sizes) < 2 or not all(size.isdigit() for size in sizes):
            raise InputError(f"{_MATRIX} has no line with its sizes.")
        check_size(int(sizes[1]), 1, limits)
        check_size(1, int(sizes[0]), limits)
        return


def _members(path: Path, limits: FileLimits) -> Mapping[str, bytes]:
    wanted = (_MATRIX, _BARCODES, *_FEATURES)
    found: dict[str, bytes] = {}
    if path.is_dir():
        sources = {p.name: p.read_bytes() for p in sorted(path.rglob("*")) if p.name.removesuffix(".gz") in wanted}
    else:
        with open_zip(path) as archive:
            check_members(archive, limits)
            sources = {
                Path(n).name: archive.read(n) for n in archive.namelist() if Path(n).name.removesuffix(".gz") in wanted
            }
    for name, data in sources.items():
        try:
            with gzip.open(io.BytesIO(data)) if name.endswith(".gz") else io.BytesIO(data) as stream:
                text = stream.read(limits.unpacked + 1)
        except (OSError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{name} is damaged: it can't be unpacked.") from error
        found[name.removesuffix(".gz")] = text
    return found


def _rows(text: bytes) -> list[list[str]]:
    return [line.split("\t") for line in text.decode("utf-8", "replace").splitlines() if line]


def _cells(
    name: str,
    matrix: sp.csr_matrix,
    barcodes: list[str],
    ids: list[str],
    names: list[str],
    kinds: Counter[str],
    source: Source,
) -> Table:
    """Cells x genes; symbols that several genes have are told apart by their ids."""
    if matrix.shape != (len(barcodes), len(ids)) or len(ids) != len(names):
        raise InputError(f"The matrix has {matrix.shape} values for {len(barcodes)} cells and {len(ids)} features.")
    often = Counter(names)
    genes = [symbol if often[symbol] == 1 else f"{symbol} ({ident})" for symbol, ident in zip(names, ids)]
    table = annotated_table(name, matrix, barcodes, [], genes, source, chosen=True)
    if len(kinds) < 2:
        return table
    text = f"The matrix holds several kinds of features: {some(f'{kind} ({count})' for kind, count in kinds.items())}."
    return replace(table, messages=(Message("warn", "feature-kinds", text, remedy="Keep one kind if that is meant."),))
