"""A table as it was read: numbers in one array, text as codes, and every cell that fits neither. No meaning yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.message import Message
from genomap_core.data.schema.recipe import FOUND, Recipe

if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse as sp


@dataclass(frozen=True, eq=False, slots=True)
class TextColumn:
    """A column of text, every distinct word kept once.

    ``codes``: ``(r,)`` int32 into ``words``, -1 where the cell is missing. ``words``: in order of first appearance.
    ``marks``: words that were read as missing (``NA``, ``null``), and how often; empty cells are not among them.
    """

    codes: np.ndarray
    words: tuple[str, ...]
    marks: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, values: Iterable[str | None]) -> TextColumn:
        """Of plain cells; None is missing."""
        seen: dict[str, int] = {}
        codes = [-1 if value is None else seen.setdefault(value, len(seen)) for value in values]
        return cls(np.array(codes, np.int32), tuple(seen))

    def __len__(self) -> int:
        return len(self.codes)

    def values(self) -> list[str | None]:
        """The ``r`` cells."""
        lookup = [*self.words, None]
        return [lookup[code] for code in self.codes.tolist()]

    def counts(self) -> np.ndarray:
        """How often each word occurs: ``(len(words),)``."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.words))

    def recoded(self, new_words: Iterable[str | None]) -> TextColumn:
        """The column with each word replaced; equal new words fall together, None and words unused become missing."""
        used = self.counts() > 0
        short = TextColumn.of(word if used[k] else None for k, word in enumerate(new_words))
        return TextColumn(np.append(short.codes, np.int32(-1))[self.codes], short.words, self.marks)


@dataclass(frozen=True, slots=True)
class OddCell:
    """A cell of a number column that holds no finite number; it reads as NaN. Indices count from 0 inside the table."""

    row: int
    position: int
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """How the file was read."""

    kind: str
    """"csv", "excel", "parquet", "h5ad" or "anndata" (in memory)."""
    encoding: str = ""
    delimiter: str = ""
    decimal: str = "."
    compressed: bool = False
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    layer: str = ""
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Table:
    """Rows and columns of a file, in the file's order.

    Parameters
    ----------
    name
        The file's name, for messages.
    columns
        The ``m`` column names as written; duplicates stay.
    numbers
        ``(r, q)`` float32, NaN where a value is missing or odd; CSR when the file is sparse (a cell that is not stored
        is 0).
    number_at
        ``(q,)`` the position in ``columns`` of each column of ``numbers``, ascending.
    texts
        The other columns, by position.
    odd
        Cells of number columns that hold no finite number (the first 100,000).
    rows
        ``(r,)`` the row's number in the file as its own program shows it.
    annotations
        Positions of columns that describe samples (``obs`` of an h5ad file): never features unless asked for.
    messages
        What reading has to say.
    recipe
        How the file was read: what the user gave, and what was found.
    flipped
        The file has samples in columns: rows and columns of this value are the file's columns and rows.
    """

    name: str
    columns: tuple[str, ...]
    numbers: np.ndarray | sp.csr_matrix
    number_at: np.ndarray
    texts: Mapping[int, TextColumn]
    rows: np.ndarray
    odd: tuple[OddCell, ...] = ()
    annotations: frozenset[int] = frozenset()
    messages: tuple[Message, ...] = ()
    source: Source = field(default_factory=lambda: Source("csv"))
    recipe: Recipe = FOUND
    flipped: bool = False

    @property
    def n_rows(self) -> int:
        return int(self.numbers.shape[0])

    @property
    def n_columns(self) -> int:
        return len(self.columns)

    def title(self, position: int) -> str:
        """A column's name, or its number when it has none."""
        return self.columns[position] or f"column {position + 1}"

    def find(self, name: str) -> int | None:
        """The first column that :meth:`title` calls so."""
        if name in self.columns:
            return self.columns.index(name)
        return next((j for j in range(self.n_columns) if not self.columns[j] and self.title(j) == name), None)

    def number_column(self, position: int) -> np.ndarray:
        """``(r,)`` float32 values of a number column."""
        j = int(np.searchsorted(self.number_at, position))
        column = self.numbers[:, j] if isinstance(self.numbers, np.ndarray) else self.numbers[:, [j]].toarray()
        return np.asarray(column).ravel()

    def text_column(self, position: int) -> TextColumn:
        """A column as text: numbers are written with as many digits as they need."""
        if position in self.texts:
            return self.texts[position]
        return TextColumn.of(None if np.isnan(v) else f"{v:.9g}" for v in self.number_column(position))

    def place(self, row: int, position: int) -> tuple[str, int]:
        """Column name and row number of a cell as the file's own program shows them."""
        if self.flipped:
            return self.texts[0].words[self.texts[0].codes[row]], int(self.rows[position - 1])
        return self.title(position), int(self.rows[row])

    def preview(self, rows: int = 20, columns: int = 30, hidden: Collection[str] = ()) -> pd.DataFrame:
        """The upper left corner for the screen; odd cells as written, and nothing of the columns ``hidden``."""
        import pandas as pd

        height, odd = min(rows, self.n_rows), {(c.row, c.position): c.text for c in self.odd}
        data: dict[str, list[object]] = {}
        for j in range(min(columns, self.n_columns)):
            cells = self.texts[j].values()[:height] if j in self.texts else self.number_column(j)[:height].tolist()
            title = self.title(j) if self.title(j) not in data else f"{self.title(j)} ({j + 1})"
            data[title] = [
                "(set aside)" if self.title(j) in hidden else odd.get((i, j), cell) for i, cell in enumerate(cells)
            ]
        return pd.DataFrame(data)
