"""AnnData files (.h5ad) -> Table. Runs in the child process; reads only the matrix, obs and the names of var.

h5py instead of anndata: nothing but the parts needed is opened, every object is checked before it is read (links,
external storage, declared sizes), and the child starts four times faster. The layout is that of anndata's on-disk
specification, 0.1 (before 2019) to 0.2.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import scipy.sparse as sp

from genomap_core.data.message import Message, some
from genomap_core.data.table import Source, Table, TextColumn
from genomap_core.errors import InputError
from genomap_core.io.annotated import annotated_table, as_plain, as_text, coded
from genomap_core.io.hdf5 import check_hdf5, open_hdf5
from genomap_core.io.limits import DEFAULT, Limits, check_size

_DAMAGED = "The sparse matrix {} is damaged: {}. Export the file again."


def read_h5ad(path: Path, *, name: str, layer: str | None = None, limits: Limits = DEFAULT) -> Table:
    """Read samples x genes: ``X``, or a layer (``"raw"`` for ``raw/X``); sparse stays CSR."""
    with open_hdf5(path) as file:
        check_hdf5(file, limits)
        layers = sorted(file["layers"]) if isinstance(file.get("layers"), h5py.Group) else []
        layers += ["raw"] * ("raw" in file and "X" in file["raw"])
        matrix = _find_matrix(file, layer, layers)
        X = _read_matrix(matrix, limits)
        genes = _read_names(file["raw/var"] if layer == "raw" else _required(file, "var"))
        samples, described = _read_obs(_required(file, "obs"))
        legacy = isinstance(file["obs"], h5py.Dataset) or "encoding-type" not in file.attrs
    if X.shape != (len(samples), len(genes)):
        raise InputError(
            f"The file is damaged: its matrix has {X.shape[0]} x {X.shape[1]} values for {len(samples)} samples (obs) "
            f"and {len(genes)} genes (var)."
        )
    source = Source("h5ad", layer=layer or "X", layers=tuple(layers))
    table = annotated_table(name, X, samples, described, genes, source, chosen=layer is not None)
    return replace(table, messages=(*table.messages, *_said_on_version(legacy)))


def _required(file: h5py.File, part: str) -> h5py.Group | h5py.Dataset:
    if part not in file:
        raise InputError(f"The file has no {part!r}: it is HDF5, but not an AnnData file.")
    return file[part]


def _find_matrix(file: h5py.File, layer: str | None, layers: list[str]) -> h5py.Group | h5py.Dataset:
    if layer is None or layer == "X":
        return _required(file, "X")
    if layer not in layers:
        raise InputError(f"There is no layer {layer!r}; there are X, {some(layers, 20)}.")
    return file["raw/X"] if layer == "raw" else file["layers"][layer]


def _read_matrix(matrix: h5py.Group | h5py.Dataset, limits: Limits) -> np.ndarray | sp.csr_matrix:
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


def _read_sparse(group: h5py.Group, limits: Limits) -> sp.csr_matrix:
    """Compressed rows or columns, every index checked: scipy itself writes outside its memory for bad ones."""
    kind = str(as_plain(group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "")))).removesuffix(
        "_matrix"
    )
    shape = tuple(int(v) for v in group.attrs.get("shape", group.attrs.get("h5sparse_shape", ())))
    if kind not in ("csr", "csc") or len(shape) != 2 or not {"data", "indices", "indptr"} <= set(group):
        raise InputError(f"{group.name} is neither a dense matrix nor a sparse one (csr or csc).")
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


def _read_obs(obs: h5py.Group | h5py.Dataset) -> tuple[list[str], list[tuple[str, TextColumn]]]:
    """The samples' names, and their columns as text."""
    samples = _read_names(obs)
    if isinstance(obs, h5py.Dataset):
        fields = [name for name in obs.dtype.names or () if name != "index"]
        return samples, [(name, TextColumn.of(as_text(v) for v in obs[name])) for name in fields]
    order = [str(as_plain(name)) for name in obs.attrs.get("column-order", ())]
    return samples, [(name, _read_column(obs, name)) for name in order if name in obs]


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


def _said_on_version(legacy: bool) -> tuple[Message, ...]:
    text = "The file was written by an old version of anndata (before 0.7); matrix, obs and names of var were read."
    remedy = "Check the labels; save it again with anndata 0.8 or later."
    return (Message("warn", "old-version", text, remedy=remedy),) if legacy else ()
