"""HDF5 before any of it is read: links, storage in other files and declared sizes. Runs in the child process."""

from __future__ import annotations

import math
from pathlib import Path

import h5py

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.limits import Limits

_DEPTH = 20


def open_hdf5(path: Path) -> h5py.File:
    """Open for reading; damaged and foreign files are :class:`InputError`."""
    with path.open("rb") as file:
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            raise InputError("The file is not HDF5, which .h5ad files are: save it again from anndata or Seurat.")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError("The HDF5 file is damaged or cut off. Copy or export it again.") from error


def check_hdf5(file: h5py.File, limits: Limits) -> None:
    """Refuse what would read other files, or more than the limits.

    Plain readers follow external links and storage: ``anndata.read_h5ad`` returned the bytes of a server's file.
    """
    _check_group(file, limits, 0)


def _check_group(group: h5py.Group, limits: Limits, depth: int) -> None:
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


def _check_dataset(dataset: h5py.Dataset, limits: Limits) -> None:
    if dataset.is_virtual:
        raise RefusedError(f"{dataset.name} is a virtual data set over other files (external data).")
    if dataset.id.get_create_plist().get_external_count():
        raise RefusedError(f"{dataset.name} keeps its data in an external file, which is never opened.")
    declared = (math.prod(dataset.shape) if dataset.shape else 1) * max(dataset.dtype.itemsize, 1)
    stored = dataset.id.get_storage_size()
    if declared > limits.unpacked or (declared > 64 << 20 and declared > limits.ratio * max(stored, 1)):
        raise RefusedError(
            f"{dataset.name} declares {declared / 1e6:,.0f} MB and stores {stored / 1e6:,.1f} MB, over the limit of "
            f"{limits.unpacked >> 20:,} MB and {limits.ratio} times its size."
        )
