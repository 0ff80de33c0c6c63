"""Samples in rows or genes in rows: which it is, and the second turned into the first."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

import numpy as np

from genomap_core.data.schema_words import (
    GENE_COLUMN_NAMES,
    GENE_PATTERN,
    KNOWN_GENES,
    SAMPLE_PATTERN,
    TARGET_NAMES,
    key,
)
from genomap_core.data.table import OddCell, Table, TextColumn

_LABEL_ROW_SHARE = 0.6


def find_gene_column(table: Table) -> tuple[int, str] | None:
    """The column that holds the genes' names when the file has genes in rows, and why; None for samples in rows.

    Never when a column is named like a label, or most columns are named like genes.
    """
    position = _first_names(table)
    if position is None or any(key(table.columns[j]) in TARGET_NAMES[:12] for j in table.texts if j != position):
        return None
    features = [table.columns[j] for j in table.number_at.tolist()]
    words = table.texts[position].words
    if not features or _gene_share(features) > 0.5 or len(KNOWN_GENES.intersection(features)) >= 3:
        return None
    if key(table.columns[position]) in GENE_COLUMN_NAMES:
        return position, f"its column {table.title(position)!r} names genes"
    if _gene_share(words) > 0.5 or len(KNOWN_GENES.intersection(words)) >= 3:
        return position, "its first column holds names of genes"
    samples = sum(bool(SAMPLE_PATTERN.fullmatch(name)) for name in features) / len(features)
    if samples > 0.8 and len(features) >= 3 and table.n_rows > 3 * len(features):
        return position, "its columns are named like samples"
    return None


def _first_names(table: Table) -> int | None:
    """The first column of text with (nearly) no word twice: rows of a gene table are told apart by it."""
    for position in sorted(table.texts):
        column = table.texts[position]
        if len(column.words) >= 0.5 * len(column) and any(not word.isdigit() for word in column.words[:50]):
            return position
    return None


def _gene_share(names: tuple[str, ...] | list[str]) -> float:
    sample = names[:: max(1, len(names) // 500)]
    return sum(bool(GENE_PATTERN.fullmatch(name)) for name in sample) / len(sample) if sample else 0.0


def flip(table: Table, gene_column: int) -> Table:
    """The table with samples in rows: the number columns become rows, column 0 holds their names.

    A row with words in most columns (labels above the values) becomes a text column; other text columns are dropped.
    The numbers are a view, not a copy.
    """
    names = [name or f"row {table.rows[i]}" for i, name in enumerate(table.texts[gene_column].values())]
    labels = _label_rows(table)
    genes = np.array([i for i in range(table.n_rows) if i not in labels], np.int64)
    values = table.numbers[genes] if labels else table.numbers
    at = {int(j): k for k, j in enumerate(table.number_at.tolist())}
    return replace(
        table,
        columns=("sample", *names),
        numbers=values.T if isinstance(values, np.ndarray) else values.T.tocsr(),
        number_at=genes + 1,
        texts={
            0: TextColumn.of(table.title(j) for j in at),
            **{i + 1: TextColumn.of(words) for i, words in labels.items()},
        },
        odd=tuple(OddCell(at[c.position], c.row + 1, c.text) for c in table.odd if c.row not in labels),
        annotations=frozenset(),
        flipped=True,
    )


def _label_rows(table: Table) -> dict[int, list[str | None]]:
    """Rows with words in most number columns, and those words."""
    words: dict[int, dict[int, str]] = defaultdict(dict)
    for cell in table.odd:
        words[cell.row][cell.position] = cell.text
    positions = table.number_at.tolist()
    found: dict[int, list[str | None]] = {}
    for row, cells in words.items():
        if len(cells) > _LABEL_ROW_SHARE * len(positions) and any(
            re.search("[A-Za-z]", word) for word in cells.values()
        ):
            values = table.numbers[row] if isinstance(table.numbers, np.ndarray) else table.numbers[[row]].toarray()[0]
            plain = [None if np.isnan(value) else f"{value:.9g}" for value in values.tolist()]
            found[row] = [cells.get(j, number) for j, number in zip(positions, plain)]
    return found
