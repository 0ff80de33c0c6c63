"""A table without its empty margins. What is left out is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genomap_core.data.message import Message, plural, some
from genomap_core.data.table import OddCell, Table, TextColumn


def tidy(table: Table) -> Table:
    """Leave out rows that are empty all along, and empty columns without a name (the first may be nameless)."""
    full = _filled_rows(table)
    said: list[Message] = []
    if not full.all():
        rows = table.rows[~full].tolist()
        said.append(
            Message("warn", "empty-rows", f"{plural(len(rows), 'empty row')} left out: {some(rows)}.", row=rows[0])
        )
        table = _with_rows(table, np.flatnonzero(full))
    keep = np.array([j == 0 or bool(table.columns[j]) or not _is_empty(table, j) for j in range(table.n_columns)])
    if not keep.all():
        text = f"{plural(int((~keep).sum()), 'column')} without a name and without content left out."
        said.append(Message("ok", "empty-columns", text))
        table = _with_columns(table, np.flatnonzero(keep))
    return replace(table, messages=(*table.messages, *said))


def _filled_rows(table: Table) -> np.ndarray:
    full = np.zeros(table.n_rows, bool)
    for column in table.texts.values():
        full |= column.codes >= 0
    full[[cell.row for cell in table.odd]] = True
    for row in np.flatnonzero(~full).tolist():
        full[row] = not np.isnan(table.numbers[row]).all()
    return full


def _is_empty(table: Table, position: int) -> bool:
    if any(cell.position == position for cell in table.odd):
        return False
    column = table.texts.get(position)
    return bool(np.isnan(table.number_column(position)).all()) if column is None else not column.words


def _with_rows(table: Table, rows: np.ndarray) -> Table:
    new = {int(row): i for i, row in enumerate(rows)}
    return replace(
        table,
        numbers=table.numbers[rows],
        texts={j: TextColumn(column.codes[rows], column.words) for j, column in table.texts.items()},
        rows=table.rows[rows],
        odd=tuple(OddCell(new[c.row], c.position, c.text) for c in table.odd),
    )


def _with_columns(table: Table, positions: np.ndarray) -> Table:
    new = {int(j): i for i, j in enumerate(positions)}
    kept = np.isin(table.number_at, positions)
    return replace(
        table,
        columns=tuple(table.columns[j] for j in positions),
        numbers=table.numbers[:, kept],
        number_at=np.array([new[j] for j in table.number_at[kept].tolist()], np.int64),
        texts={new[j]: column for j, column in table.texts.items() if j in new},
        odd=tuple(OddCell(c.row, new[c.position], c.text) for c in table.odd if c.position in new),
        annotations=frozenset(new[j] for j in table.annotations if j in new),
    )
