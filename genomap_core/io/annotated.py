"""AnnData -> Table: what its matrix, ``obs`` and names mean here, whether it comes from a file or is in memory.

An object in memory is asked for its attributes only, so that nothing here imports anndata.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from genomap_core.data.message import Message, some
from genomap_core.data.table import OddCell, Source, Table, TextColumn
from genomap_core.errors import InputError


def table_of(adata: Any, layer: str | None = None, name: str = "AnnData") -> Table:
    """The samples x genes of an ``anndata.AnnData`` in memory, which stays as it is.

    Parameters
    ----------
    adata
        Any object with ``X``, ``layers``, ``raw``, ``obs``, ``obs_names`` and ``var_names`` as AnnData has them.
    layer
        A name of ``adata.layers``, or "raw" for ``adata.raw.X``; None: ``adata.X``.

    Raises
    ------
    InputError
        No such layer, no matrix, or one that does not hold numbers.
    """
    layers = [*sorted(adata.layers), *(["raw"] if adata.raw is not None else [])]
    if layer not in (None, "X", *layers):
        raise InputError(f"{name}: there is no layer {layer!r}; there are X, {some(layers, 20)}.")
    part = adata.raw if layer == "raw" else adata
    matrix = part.X if layer in (None, "X", "raw") else adata.layers[layer]
    return annotated_table(
        name,
        _numbers(matrix, layer or "X", name),
        [str(sample) for sample in adata.obs_names],
        [(str(title), _column(adata.obs[title])) for title in adata.obs.columns],
        [str(gene) for gene in part.var_names],
        Source("anndata", layer=layer or "X", layers=tuple(layers)),
        chosen=layer is not None,
    )


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
    odd = _take_infinite(X, first)
    return Table(
        name=name,
        columns=("sample_id", *(title for title, _ in described), *genes),
        numbers=X,
        number_at=np.arange(first, first + len(genes)),
        texts={0: TextColumn.of(samples)} | {j: column for j, (_, column) in enumerate(described, 1)},
        rows=np.arange(1, len(samples) + 1, dtype=np.int32),
        odd=odd,
        annotations=frozenset(range(1, first)),
        messages=() if chosen else _said_on_layers(X, source.layers),
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


def _said_on_layers(X: np.ndarray | sp.csr_matrix, layers: tuple[str, ...]) -> tuple[Message, ...]:
    if not layers:
        return ()
    data = X if isinstance(X, np.ndarray) else X.data
    scaled = bool(len(data)) and bool(np.nanmin(data) < 0)
    text = f"X is read; the file also has the layers {some(layers, 10)}."
    if not scaled:
        return (Message("ok", "layers", text),)
    text = f"X has values below 0 (it looks scaled) and is read; the file also has the layers {some(layers, 10)}."
    return (Message("warn", "layers", text, remedy="Choose the layer with the values to map (counts, logcounts)."),)
