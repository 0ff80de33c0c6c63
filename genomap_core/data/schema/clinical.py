"""Columns of a table that are no features but belong beside a patient: set aside by the user, or annotations."""

from __future__ import annotations

import numpy as np

from genomap_core.data.schema.apply import Cohort
from genomap_core.data.schema.propose import may_identify
from genomap_core.data.table import TextColumn

MOST_COLUMNS = 60
MOST_WORDS = 20
"""Distinct words of a column; more are free text, in which anything may stand."""

Clinical = tuple[tuple[str, tuple[str, ...]], ...]


def columns_beside(cohort: Cohort, rows: np.ndarray) -> Clinical:
    """Name and one text a sample of ``rows`` ("" where missing) of every such column that can identify nobody."""
    table = cohort.table
    if table.flipped:
        return ()
    roles = cohort.roles
    aside = set(roles.set_aside)
    named = {name for name in (roles.id, roles.target, roles.group) if name is not None}
    found: list[tuple[str, tuple[str, ...]]] = []
    for at in range(table.n_columns):
        title = table.title(at)
        if title in named or not (title in aside or at in table.annotations) or may_identify(table, at):
            continue
        column = table.text_column(at)
        if at in table.texts and len(column.words) > MOST_WORDS:
            continue
        found.append((title, _texts(column, rows)))
        if len(found) == MOST_COLUMNS:
            break
    return tuple(found)


def _texts(column: TextColumn, rows: np.ndarray) -> tuple[str, ...]:
    return tuple("" if code < 0 else column.words[code] for code in column.codes[rows].tolist())
