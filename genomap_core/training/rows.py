"""Maps of a sparse table's rows, made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, Union

import numpy as np
import scipy.sparse as sp

_FEW = 2500  # rows that are kept as an array: an epoch sees no more
_BLOCK = 256

Maps: TypeAlias = Union[np.ndarray, "RowMaps"]
"""``(n, c, H, W)`` float32; an index or a slice of rows gives an array either way."""


@dataclass(frozen=True, eq=False)
class RowMaps:
    """Maps ``(n, c, H, W)`` float32 of rows of a CSR table; only those asked for are ever dense."""

    table: sp.csr_matrix
    to_maps: Callable[[sp.csr_matrix], np.ndarray]
    """Rows of ``table`` -> their maps, each by itself."""
    rows: np.ndarray
    """``(n,)`` row numbers in ``table``."""

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.to_maps(self.table[:1]).shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: np.ndarray | slice) -> np.ndarray:
        return self.to_maps(self.table[self.rows[at]])


def taken(maps: Maps, rows: np.ndarray) -> Maps:
    """These rows: an array unless they are many of a sparse table."""
    if isinstance(maps, RowMaps) and len(rows) > _FEW:
        return RowMaps(maps.table, maps.to_maps, maps.rows[rows])
    return maps[rows]


def blocks(maps: Maps) -> Iterator[np.ndarray]:
    """All rows as arrays of some of them."""
    for start in range(0, len(maps), _BLOCK):
        yield maps[start : start + _BLOCK]


def varying(maps: Maps) -> np.ndarray:
    """``(c, H, W)`` bool: cells that are not the same in every row."""
    low, high = np.full((2, *maps.shape[1:]), np.nan, np.float32)
    for block in blocks(maps):
        np.fmin(low, block.min(axis=0), out=low)
        np.fmax(high, block.max(axis=0), out=high)
    return high > low
