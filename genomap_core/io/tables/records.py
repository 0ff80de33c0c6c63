"""Rows of cells as text -> Table: what spreadsheets give, read by the same rules as delimited text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from genomap_core.data.message import Message
from genomap_core.data.schema.recipe import FOUND, Recipe
from genomap_core.data.table import OddCell, Source, Table
from genomap_core.io.tables.delimited import (
    clean_header,
    find_text_columns,
    messages_on_likely,
    mostly_words,
    text_column,
    tidy,
    to_numbers,
)
from genomap_core.io.tables.dialect import is_proven
from genomap_core.io.tables.settle import settle_numbers


def table_of_records(
    name: str,
    header: Sequence[str],
    records: Sequence[Sequence[str]],
    rows: Sequence[int],
    said: Sequence[Message],
    source: Source,
    recipe: Recipe = FOUND,
) -> Table:
    """A table of ``r`` records with a cell for every name of the header; ``rows`` are their numbers in the file."""
    columns, trimmed = clean_header(header)
    shape = len(records), len(columns)
    cells = pa.array([cell for record in records for cell in record], pa.string())
    words = find_text_columns(columns, records[:200], source.decimal)
    table = _table(name, columns, cells, shape, words, rows, source, recipe)
    if late := mostly_words([(c.row, c.position) for c in table.odd], len(records), len(table.number_at)):
        table = _table(name, columns, cells, shape, words | late, rows, source, recipe)
    table = tidy(replace(table, messages=(*said, *trimmed, *table.messages)))
    proven = source.decimal if is_proven(records[:200], source.decimal) else ""
    return settle_numbers(table, recipe, proven)


def _table(
    name: str,
    columns: tuple[str, ...],
    cells: pa.StringArray,
    shape: tuple[int, int],
    words: set[int],
    rows: Sequence[int],
    source: Source,
    recipe: Recipe,
) -> Table:
    number_at = np.array([j for j in range(shape[1]) if j not in words], np.int64)
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    found = to_numbers(cells.take(pa.array(index[:, number_at].ravel())), source.decimal)
    width = max(len(number_at), 1)
    odd = tuple(OddCell(i // width, int(number_at[i % width]), word) for i, word in found.odd)
    likely = [(columns[number_at[i % width]], word, int(rows[i // width])) for i, word in found.likely]
    return Table(
        name=name,
        columns=columns,
        numbers=found.values.reshape(shape[0], len(number_at)),
        number_at=number_at,
        texts={
            j: text_column(pa.chunked_array([cells.take(pa.array(index[:, j]))]), recipe.missing) for j in sorted(words)
        },
        rows=np.array(rows, np.int32),
        odd=odd,
        messages=messages_on_likely(likely),
        source=source,
    )
