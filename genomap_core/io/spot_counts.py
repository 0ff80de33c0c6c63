"""Counts of genes in spots -> expression on one scale, and the genes that vary most. Labels play no part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from genomap_core.data.table import Table
from genomap_core.errors import InputError

TARGET = 10_000.0


@dataclass(frozen=True, eq=False)
class Counts:
    """``values (n, p)`` CSR float32 of ``n`` spots and ``p`` distinct genes."""

    spots: tuple[str, ...]
    genes: tuple[str, ...]
    values: sp.csr_matrix


def counts_of(table: Table) -> Counts:
    """A table with spots in rows, their names in the first column; missing cells count 0, equal genes are added.

    Raises :class:`InputError` where there are no names or values below 0.
    """
    if 0 not in table.texts:
        raise InputError(f"{table.name}: the first column must hold the spots' names.")
    described = {0} | set(table.annotations)
    matrix = sp.csc_matrix(table.numbers)
    matrix.data = np.nan_to_num(matrix.data)
    at = [int(j) for j in table.number_at]
    words = [j for j in table.texts if j not in described]
    if words:
        extra = np.stack([_numbers(table.text_column(j).values()) for j in words], axis=1)
        matrix, at = sp.hstack([matrix, sp.csc_matrix(extra)], format="csc"), at + words
    if matrix.nnz and matrix.data.min() < 0:
        raise InputError(f"{table.name}: counts can't be below 0: give counts, not scaled values.")
    genes, where = np.unique([table.title(j) for j in at], return_inverse=True)
    join = sp.csr_matrix((np.ones(len(at), np.float32), (np.arange(len(at)), where)), (len(at), len(genes)))
    spots = tuple(word or "" for word in table.texts[0].values())
    return Counts(spots, tuple(genes.tolist()), sp.csr_matrix(matrix @ join, dtype=np.float32))


def _numbers(values: Sequence[str | None]) -> np.ndarray:
    """Columns of few distinct words, such as 0 and 1, are read as text; other words count 0."""
    out = np.zeros(len(values), np.float32)
    for k, value in enumerate(values):
        try:
            out[k] = float(value or 0)
        except ValueError:
            continue
    return np.nan_to_num(out)


def stacked(parts: Sequence[Counts]) -> Counts:
    """All spots below each other; a gene that a part lacks was never seen in it: 0."""
    genes = tuple(sorted({gene for part in parts for gene in part.genes}))
    where = {gene: k for k, gene in enumerate(genes)}
    blocks = []
    for part in parts:
        values = part.values.tocoo()
        columns = np.array([where[gene] for gene in part.genes])[values.col]
        blocks.append(sp.csr_matrix((values.data, (values.row, columns)), (len(part.spots), len(genes))))
    return Counts(tuple(s for part in parts for s in part.spots), genes, sp.vstack(blocks, format="csr"))


def expression(counts: sp.csr_matrix) -> sp.csr_matrix:
    """log(1 + counts per 10,000 of the spot's own): ``(n, p)``; a spot without counts stays 0."""
    totals = np.asarray(counts.sum(axis=1)).ravel()
    factor = TARGET / np.where(totals > 0, totals, 1)
    scaled = sp.csr_matrix(sp.diags_array(factor) @ counts, dtype=np.float32)
    scaled.data = np.log1p(scaled.data)
    return scaled


def most_variable(values: sp.csr_matrix, count: int) -> np.ndarray:
    """Numbers of the ``count`` columns with the largest variance, in their order."""
    mean = np.asarray(values.mean(axis=0)).ravel()
    square = np.asarray(values.multiply(values).mean(axis=0)).ravel()
    return np.sort(np.argsort(-(square - mean**2), kind="stable")[:count])
