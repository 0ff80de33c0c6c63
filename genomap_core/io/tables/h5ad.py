"""AnnData -> Table, from a file (.h5ad, in the child process) or from memory; no link in a file is followed.

An object in memory is asked for its attributes only, so that nothing here imports anndata.

h5py instead of anndata: nothing but the parts needed is opened, every object is checked before it is read (links,
external storage, declared sizes), and the child starts four times faster. The layout is that of anndata's on-disk
specification, 0.1 (before 2019) to 0.2.
"""

from __future__ import annotations

import gzip
import io
import math
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import scipy.sparse as sp

from genomap_core.data.message import Message, some
from genomap_core.data.schema.words import key, words_of
from genomap_core.data.table import OddCell, Source, Table, TextColumn
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits, check_size
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


_DEPTH = 20
_FILTERS = {32001: "blosc", 32015: "zstd", 32004: "lz4", 32013: "zfp", 32008: "bitshuffle", 307: "bzip2"}


def open_hdf5(path: Path) -> h5py.File:
    """Open for reading; damaged and foreign files are :class:`InputError`."""
    with path.open("rb") as file:
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            raise InputError("The file is not HDF5, which .h5ad files are: save it again from anndata or Seurat.")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError("The HDF5 file is damaged or cut off. Copy or export it again.") from error


def check_hdf5(file: h5py.File, limits: FileLimits) -> None:
    """Refuse what would read other files, or more than the limits.

    Plain readers follow external links and storage: ``anndata.read_h5ad`` returned the bytes of a server's file.
    """
    _check_group(file, limits, 0)


def _check_group(group: h5py.Group, limits: FileLimits, depth: int) -> None:
    if depth > _DEPTH:
        raise RefusedError(f"Groups are nested deeper than the limit of {_DEPTH}.")
    if len(group) > limits.columns:
        raise RefusedError(f"{group.name} has {len(group):,} members, over the limit of {limits.columns:,}.")
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise RefusedError(f"{group.name}/{name} is an external link to another file, which is never followed.")
        if isinstance(link, h5py.SoftLink):
            raise RefusedError(f"{group.name}/{name} is a soft link, which is never followed.")
        element = group[name]
        if isinstance(element, h5py.Group):
            _check_group(element, limits, depth + 1)
        elif isinstance(element, h5py.Dataset):
            _check_dataset(element, limits)


def _check_dataset(dataset: h5py.Dataset, limits: FileLimits) -> None:
    if dataset.is_virtual:
        raise RefusedError(f"{dataset.name} is a virtual data set over other files (external data).")
    if dataset.id.get_create_plist().get_external_count():
        raise RefusedError(f"{dataset.name} keeps its data in an external file, which is never opened.")
    plan = dataset.id.get_create_plist()
    for k in range(plan.get_nfilters()):
        code, _, _, label = plan.get_filter(k)
        if not h5py.h5z.filter_avail(code):
            called = label.decode("ascii", "replace") or _FILTERS.get(code, f"number {code}")
            raise InputError(
                f"{dataset.name} is compressed with the HDF5 filter {called}, which needs a plugin (hdf5plugin): save "
                "the file again with gzip."
            )
    declared = (math.prod(dataset.shape) if dataset.shape else 1) * max(dataset.dtype.itemsize, 1)
    stored = dataset.id.get_storage_size()
    if declared > limits.unpacked or (declared > 64 << 20 and declared > limits.ratio * max(stored, 1)):
        raise RefusedError(
            f"{dataset.name} declares {declared / 1e6:,.0f} MB and stores {stored / 1e6:,.1f} MB, over the limit of "
            f"{limits.unpacked >> 20:,} MB and {limits.ratio} times its size."
        )


def table_of(adata: Any, layer: str | None = None, name: str = "AnnData") -> Table:
    """The samples x genes of an ``anndata.AnnData`` in memory, which stays as it is.

    Parameters
    ----------
    adata
        Any object with ``X``, ``layers``, ``raw``, ``obs``, ``obs_names`` and ``var_names`` as AnnData has them.
    layer
        A name of ``adata.layers``, or "raw" for ``adata.raw.X``; None: ``adata.X``, or the raw counts where X holds
        none and a layer does.

    Raises
    ------
    InputError
        No such layer, no matrix, or one that does not hold numbers.
    """
    layers = [*sorted(adata.layers), *(["raw"] if adata.raw is not None else [])]
    if layer not in (None, "X", *layers):
        raise InputError(f"{name}: there is no layer {layer!r}; there are X, {some(layers, 20)}.")
    said: tuple[Message, ...] = ()
    if layer is None:
        matrices = {title: adata.raw.X if title == "raw" else adata.layers[title] for title in layers}
        layer, said = _prefer_counts(adata.X, matrices)
    part = adata.raw if layer == "raw" else adata
    matrix = part.X if layer in (None, "X", "raw") else adata.layers[layer]
    table = annotated_table(
        name,
        _numbers(matrix, layer or "X", name),
        [str(sample) for sample in adata.obs_names],
        [(str(title), _column(adata.obs[title])) for title in adata.obs.columns],
        [str(gene) for gene in part.var_names],
        Source("anndata", layer=layer or "X", layers=tuple(layers)),
        chosen=layer is not None,
    )
    return replace(table, messages=(*said, *table.messages))


def annotated_table(
    name: str,
    X: np.ndarray | sp.csr_matrix,
    samples: list[str],
    described: list[tuple[str, TextColumn]],
    genes: list[str],
    source: Source,
    chosen: bool,
) -> Table:
    """The parts of an AnnData as one table; infinite values of ``X (n, p)`` become odd cells, in place.

    ``described``: columns of ``obs``, never features unless asked for. ``chosen``: the layer was asked for, so that
    the others need no mention.
    """
    first = 1 + len(described)
    index = next(t for t in ("sample_id", "obs_names", "row names") if t not in {title for title, _ in described})
    odd = _take_infinite(X, first)
    return Table(
        name=name,
        columns=(index, *(title for title, _ in described), *genes),
        numbers=X,
        number_at=np.arange(first, first + len(genes)),
        texts={0: TextColumn.of(samples)} | {j: column for j, (_, column) in enumerate(described, 1)},
        rows=np.arange(1, len(samples) + 1, dtype=np.int32),
        odd=odd,
        annotations=frozenset(range(1, first)),
        messages=() if chosen else _messages_on_layers(X, source.layers),
        source=source,
    )


def coded(codes: np.ndarray, words: list[str]) -> TextColumn:
    """A categorical column: ``codes (n,)`` into ``words``, -1 where missing."""
    if len(codes) and not -1 <= int(codes.min()) <= int(codes.max()) < len(words):
        raise InputError("Codes of a categorical column in obs go beyond its categories: the file is damaged.")
    return TextColumn(codes.astype(np.int32), tuple(words)).recoded(words)


def as_plain(value: object) -> object:
    """A value of a file; bytes as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def as_text(value: object) -> str | None:
    """A cell of ``obs`` as text; None where it is missing."""
    value = as_plain(value)
    if isinstance(value, (float, np.floating)):
        return None if np.isnan(value) else f"{value:.9g}"
    return str(value) or None


def _numbers(matrix: Any, layer: str, name: str) -> np.ndarray | sp.csr_matrix:
    """A float32 copy ``(n, p)``; CSR where the matrix is sparse."""
    if sp.issparse(matrix):
        rows = sp.csr_matrix(matrix, dtype=np.float32, copy=True)
        rows.sum_duplicates()
        return rows
    values = np.asarray(matrix)
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        what = "is not there" if matrix is None else f"is no matrix of numbers in memory ({type(matrix).__name__})"
        raise InputError(f"{name}: {layer} {what}: choose a layer, or load the object with `adata.to_memory()`.")
    with np.errstate(over="ignore"):
        return np.array(values, np.float32, order="C")


def _column(series: Any) -> TextColumn:
    """A column of a data frame, its categories kept."""
    if hasattr(series, "cat"):
        return coded(np.asarray(series.cat.codes), [as_text(word) or "" for word in series.cat.categories])
    missing = np.asarray(series.isna())
    return TextColumn.of(None if gone else as_text(value) for value, gone in zip(series.tolist(), missing))


def _take_infinite(X: np.ndarray | sp.csr_matrix, first: int) -> tuple[OddCell, ...]:
    """Infinite values become NaN, in place; the odd cells they were."""
    data = X if isinstance(X, np.ndarray) else X.data
    infinite = np.isinf(data)
    if not infinite.any():
        return ()
    if isinstance(X, np.ndarray):
        rows, columns = np.nonzero(infinite)
    else:
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[infinite]
        columns = X.indices[infinite]
    odd = tuple(
        OddCell(int(r), first + int(c), f"{v:g}") for r, c, v in zip(rows[:100_000], columns, data[infinite].tolist())
    )
    data[infinite] = np.nan
    return odd


_COUNTS = frozenset(words_of("count counts rawcount rawcounts raw umi umis umicounts countmatrix readcounts reads"))
_LOOKED_AT = 100_000


def _prefer_counts(X: Any, layers: Mapping[str, Any]) -> tuple[str | None, tuple[Message, ...]]:
    """The layer of raw counts where X holds no counts, and what to say of it; else None.

    Counts are scaled and logarithms taken by rules that the cohort states, which nobody knows of those in X.
    """
    if _are_counts(X):
        return None, ()
    found = next((title for title, matrix in layers.items() if key(title) in _COUNTS and _are_counts(matrix)), None)
    if found is None:
        return None, ()
    text = f"X holds no counts, {found!r} does: the raw counts are read."
    remedy = "Choose the layer X (--layer X) for the values that the file's program made of them."
    return found, (Message("warn", "counts-preferred", text, value=found, remedy=remedy, option="layer"),)


def _are_counts(matrix: Any) -> bool:
    """Whether the first values are whole numbers from 0, not only 0 and 1."""
    if isinstance(matrix, h5py.Group):
        data = matrix.get("data")
        values = data[:_LOOKED_AT] if isinstance(data, h5py.Dataset) and data.ndim == 1 else np.zeros(0)
    elif sp.issparse(matrix):
        values = (matrix if matrix.format in ("csr", "csc", "coo") else matrix.tocsr()).data[:_LOOKED_AT]
    else:
        few = max(1, _LOOKED_AT // max(int(matrix.shape[1]), 1)) if getattr(matrix, "ndim", 0) == 2 else 0
        values = matrix[:few] if few else np.zeros(0)
    values = np.asarray(values)
    if values.dtype.kind not in "fiu" or not values.size:
        return False
    return bool((values >= 0).all() and (np.rint(values) == values).all() and values.max() > 1)


def _messages_on_layers(X: np.ndarray | sp.csr_matrix, layers: tuple[str, ...]) -> tuple[Message, ...]:
    if not layers:
        return ()
    data = X if isinstance(X, np.ndarray) else X.data
    scaled = bool(len(data)) and bool(np.nanmin(data) < 0)
    text = f"X is read; the file also has the layers {some(layers, 10)}."
    if not scaled:
        return (Message("ok", "layers", text),)
    text = f"X has values below 0 (it looks scaled) and is read; the file also has the layers {some(layers, 10)}."
    return (Message("warn", "layers", text, remedy="Choose the layer with the values to map (counts, logcounts)."),)


_DAMAGED = "The sparse matrix {} is damaged: {}. Export the file again."


def read_h5ad(path: Path, *, name: str, layer: str | None = None, limits: FileLimits = DEFAULT) -> Table:
    """Read samples x genes of an HDF5 file of single-cell programs: h5ad, h5mu, loom or Cell Ranger's h5.

    ``layer``: of an h5ad or loom file; of an h5mu file ``modality`` or ``modality:layer``. Sparse stays CSR.
    """

    with open_hdf5(path) as file:
        check_hdf5(file, limits)
        if tenx := _tenx_group(file):
            return read_tenx_h5(tenx, name, limits)
        if {"matrix", "row_attrs", "col_attrs"} <= set(file):
            return read_loom(file, name, layer, limits)
        if "mod" in file and "X" not in file:
            return _read_modality(file["mod"], name, layer, limits)
        return _read_anndata(file, name, layer, limits, "encoding-type" not in file.attrs)


def _tenx_group(file: h5py.File) -> h5py.Group | None:
    """The group of a Cell Ranger matrix: ``matrix``, or in old files the only genome's."""
    groups = [file[key] for key in file if isinstance(file[key], h5py.Group)]
    found = [g for g in groups if {"barcodes", "data", "indices", "indptr", "shape"} <= set(g)]
    if len(found) > 1:
        raise InputError(f"The 10x file holds several matrices ({some(g.name for g in found)}): export one of them.")
    return found[0] if found else None


def _read_modality(group: h5py.Group, name: str, layer: str | None, limits: FileLimits) -> Table:
    modality, _, part = (layer or "").partition(":")
    kinds = sorted(group)
    modality = modality or ("rna" if "rna" in kinds else kinds[0] if kinds else "")
    if modality not in kinds:
        raise InputError(f"There is no modality {modality!r}; there are {some(kinds, 20)}.")
    table = _read_anndata(group[modality], name, part or None, limits, legacy=False)
    source = replace(table.source, layer=modality + (f":{part}" if part else ""), layers=tuple(kinds))
    text = f"Modality {modality!r} is read; there are also {some([k for k in kinds if k != modality])}."
    said = [Message("warn", "modalities", text, remedy="Choose another as layer.", option="layer")]
    if layer is not None or len(kinds) < 2:
        said = []
    return replace(table, source=source, messages=(*table.messages, *said))


def _read_anndata(file: h5py.Group, name: str, layer: str | None, limits: FileLimits, legacy: bool) -> Table:
    layers = sorted(file["layers"]) if isinstance(file.get("layers"), h5py.Group) else []
    layers += ["raw"] * (isinstance(file.get("raw"), h5py.Group) and "X" in file["raw"])
    said: tuple[Message, ...] = ()
    if layer is None and "X" in file:
        layer, said = _prefer_counts(file["X"], {title: _find_matrix(file, title, layers) for title in layers})
    matrix = _find_matrix(file, layer, layers)
    X = _read_matrix(matrix, limits)
    genes = _read_names(file["raw/var"] if layer == "raw" else _required(file, "var"))
    samples, described, odd = _read_obs(_required(file, "obs"))
    legacy |= isinstance(file["obs"], h5py.Dataset)
    if X.shape != (len(samples), len(genes)):
        raise InputError(
            f"The file is damaged: its matrix has {X.shape[0]} x {X.shape[1]} values for {len(samples)} samples (obs) "
            f"and {len(genes)} genes (var)."
        )
    source = Source("h5ad", layer=layer or "X", layers=tuple(layers))
    table = annotated_table(name, X, samples, described, genes, source, chosen=layer is not None)
    return replace(table, messages=(*said, *table.messages, *odd, *_messages_on_version(legacy)))


def _required(file: h5py.Group, part: str) -> h5py.Group | h5py.Dataset:
    if part not in file:
        raise InputError(f"The file has no {part!r}: it is HDF5, but not an AnnData file.")
    return file[part]


def _find_matrix(file: h5py.Group, layer: str | None, layers: list[str]) -> h5py.Group | h5py.Dataset:
    if layer is None or layer == "X":
        return _required(file, "X")
    if layer not in layers:
        raise InputError(f"There is no layer {layer!r}; there are X, {some(layers, 20)}.")
    return file["raw/X"] if layer == "raw" else file["layers"][layer]


def _read_matrix(matrix: h5py.Group | h5py.Dataset, limits: FileLimits) -> np.ndarray | sp.csr_matrix:
    """``(n, p)`` float32, or CSR with sorted indices."""
    if isinstance(matrix, h5py.Dataset):
        if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
            raise InputError(f"{matrix.name} is no matrix of numbers ({matrix.ndim} dimensions of {matrix.dtype}).")
        rows, columns = matrix.shape
        check_size(rows, columns, limits)
        values = np.empty(matrix.shape, np.float32)
        with np.errstate(over="ignore"):
            for start in range(0, rows, step := max(1, (1 << 22) // max(columns, 1))):
                values[start : start + step] = matrix[start : start + step]
        return values
    return _read_sparse(matrix, limits)


def _read_sparse(group: h5py.Group, limits: FileLimits) -> sp.csr_matrix:
    """Compressed rows or columns, every index checked: scipy itself writes outside its memory for bad ones."""
    kind = str(as_plain(group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "")))).removesuffix(
        "_matrix"
    )
    shape = tuple(int(v) for v in group.attrs.get("shape", group.attrs.get("h5sparse_shape", ())))
    if kind not in ("csr", "csc") or len(shape) != 2 or not {"data", "indices", "indptr"} <= set(group):
        raise InputError(f"{group.name} is neither a dense matrix nor a sparse one (csr or csc).")
    return sparse_of(group, kind, shape, limits)


def sparse_of(group: h5py.Group, kind: str, shape: tuple[int, ...], limits: FileLimits) -> sp.csr_matrix:
    """``data``, ``indices`` and ``indptr`` of a group as CSR of this shape; ``kind``: "csr" or "csc"."""
    if len(shape) != 2:
        raise InputError(f"{group.name} has a shape of {len(shape)} numbers.")
    check_size(shape[0], 1, limits)
    check_size(1, shape[1], limits)
    data, indices, indptr = group["data"][:], group["indices"][:], group["indptr"][:]
    major, minor = shape if kind == "csr" else shape[::-1]
    if len(indptr) != major + 1 or indptr[0] != 0 or indptr[-1] != len(data) or (np.diff(indptr) < 0).any():
        raise InputError(
            _DAMAGED.format(group.name, "its row pointers (indptr) are not ascending up to the data's length")
        )
    if len(indices) != len(data) or (len(indices) and not 0 <= indices.min() <= indices.max() < minor):
        raise InputError(_DAMAGED.format(group.name, f"column indices lie outside 0 to {minor - 1}"))
    with np.errstate(over="ignore"):
        parts = data.astype(np.float32), indices.astype(np.int32), indptr.astype(np.int64)
    matrix = sp.csr_matrix(parts, shape) if kind == "csr" else sp.csc_matrix(parts, shape).tocsr()
    matrix.sum_duplicates()
    return matrix


def _read_names(frame: h5py.Group | h5py.Dataset) -> list[str]:
    if isinstance(frame, h5py.Dataset):
        field = "index" if "index" in (frame.dtype.names or ()) else (frame.dtype.names or ("",))[0]
        return [str(as_plain(value)) for value in frame[field]]
    index = str(as_plain(frame.attrs.get("_index", "index" if "index" in frame else "_index")))
    if index not in frame:
        raise InputError(f"{frame.name} has no index {index!r}: the file is damaged.")
    values = _read_column(frame, index).values()
    return [value or "" for value in values]


def _read_obs(obs: h5py.Group | h5py.Dataset) -> tuple[list[str], list[tuple[str, TextColumn]], list[Message]]:
    """The samples' names, their columns as text, and what to say of columns that can't be read."""
    samples = _read_names(obs)
    if isinstance(obs, h5py.Dataset):
        fields = [name for name in obs.dtype.names or () if name != "index"]
        return samples, [(name, TextColumn.of(as_text(v) for v in obs[name])) for name in fields], []
    order = [str(as_plain(name)) for name in np.atleast_1d(obs.attrs.get("column-order", ()))]
    read: list[tuple[str, TextColumn]] = []
    odd: list[Message] = []
    for name in (title for title in order if title in obs):
        try:
            column = _read_column(obs, name)
        except (InputError, TypeError, ValueError, KeyError) as error:
            text = f"Column {name!r} of obs can't be read and is left out: {error}"
            odd.append(Message("warn", "obs-column", text, name, remedy="Save it as words or numbers."))
            continue
        if len(column) == len(samples):
            read.append((name, column))
            continue
        text = f"Column {name!r} of obs has {len(column)} values for {len(samples)} samples: left out."
        odd.append(Message("warn", "obs-column", text, name))
    return samples, read, odd


def _read_column(frame: h5py.Group, name: str) -> TextColumn:
    """One column of a data frame: an array, categories with codes, or values with a mask."""
    element = frame[name]
    if isinstance(element, h5py.Dataset):
        old = frame.get("__categories")
        if isinstance(old, h5py.Group) and name in old:
            return coded(element[:], [as_text(v) or "" for v in old[name][:]])
        return TextColumn.of(as_text(v) for v in element[:])
    if {"codes", "categories"} <= set(element):
        categories = element["categories"]
        words = categories[:] if isinstance(categories, h5py.Dataset) else categories["values"][:]
        return coded(element["codes"][:], [as_text(v) or "" for v in words])
    if {"values", "mask"} <= set(element):
        return TextColumn.of(None if m else as_text(v) for v, m in zip(element["values"][:], element["mask"][:]))
    raise InputError(f"{element.name} is a column of unknown kind: save the file with a current anndata.")


def _messages_on_version(legacy: bool) -> tuple[Message, ...]:
    text = "The file was written by an old version of anndata (before 0.7); matrix, obs and names of var were read."
    remedy = "Check the labels; save it again with anndata 0.8 or later."
    return (Message("warn", "old-version", text, remedy=remedy),) if legacy else ()
