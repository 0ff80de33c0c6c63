"""Checks of column names: what Excel did to genes, headers that are data, characters nobody sees."""

from __future__ import annotations

import re

import numpy as np

from genomap_core.data.message import Message, limited, plural, shown, some, spreadsheet_column
from genomap_core.data.schema_cohort import Cohort
from genomap_core.data.schema_words import DATE_GENE_PATTERN, FLOAT_GENE_PATTERN, INVISIBLE
from genomap_core.data.table import Table

_MONTHS = {3: "MARCH", 9: "SEPT", 12: "DEC", 10: "OCT", 11: "NOV", 2: "FEB", 4: "APR"}
_LISTED = 20


def check_feature_names(cohort: Cohort) -> list[Message]:
    """Dates and floats where genes stood, columns without a name, invisible characters."""
    said: list[Message] = []
    for at in cohort.origin.tolist():
        name = cohort.table.columns[at]
        if not name:
            text = f"Column {at + 1} has no name; it is called {cohort.table.title(at)!r}."
            said.append(Message("warn", "nameless-column", text, cohort.table.title(at), remedy="Name it in the file."))
        elif (name[0].isdigit() or name[-1].isdigit()) and (gene := date_gene(name)):
            where = _where(cohort.table, at)
            text = f"{where} is {name!r}: a date that Excel made of a gene's name, probably of {gene}."
            remedy = f"Write {gene} (or its new name) in the file; in Excel format the cells as text first."
            said.append(Message("warn", "date-gene", text, name, value=name, remedy=remedy))
        elif FLOAT_GENE_PATTERN.fullmatch(name):
            text = f"{_where(cohort.table, at)} is {name!r}: a number that Excel made of a gene's name."
            said.append(Message("warn", "float-gene", text, name, value=name, remedy="Restore the name in the file."))
        elif not name.isascii() and INVISIBLE.search(name):
            text = f"Feature name {shown(name)!r} has invisible characters."
            said.append(Message("warn", "invisible-characters", text, name, remedy="Remove them from the file."))
    return limited(said, _LISTED)


def date_gene(name: str) -> str:
    """The gene that Excel most likely made this date of: ``"2-Sep"`` -> ``"SEPT2"``; "" when it is no date."""
    found = DATE_GENE_PATTERN.fullmatch(name.strip())
    if found is None:
        return ""
    if iso := found["iso"]:
        month, day = int(iso[5:7]), int(iso[8:10])
        return f"{_MONTHS.get(month, f'month {month} of')}{day}" if month in _MONTHS else "a gene of the date's month"
    word, day_text = found["month"] or found["month2"], found["day"] or found["day2"]
    if word is None:
        return "a gene such as SEPT2 or MARCH1"
    return {"sep": "SEPT", "mar": "MARCH", "mär": "MARCH"}.get(word.lower(), word.upper()) + str(int(day_text))


def _where(table: Table, at: int) -> str:
    if table.flipped:
        return f"The gene's name in row {table.rows[at - 1]}"
    return f"Header cell {spreadsheet_column(at)}{max(int(table.rows[0]) - 1, 1) if table.n_rows else 1}"


def check_header(table: Table) -> list[Message]:
    """A header made of data: numbers where names should stand, and a word that its own column holds."""
    titles = [table.columns[at] for at in table.number_at.tolist()]
    numbers = [float(t) for t in titles if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", t)]
    if table.flipped or not titles or len(numbers) < 0.5 * len(titles):
        return []
    with np.errstate(invalid="ignore"):  # two names of 1e999 are both infinite
        steps = np.diff(numbers)
    axis = len(numbers) > 2 and (bool((steps > 0).all()) or bool((steps < 0).all()))
    codes = np.mean([value.is_integer() for value in numbers]) > 0.8 and len(set(titles)) == len(titles)
    repeated = any(table.columns[at] in column.words for at, column in table.texts.items() if at)
    if repeated or not (axis or codes):
        text = f"The header looks like data: {plural(len(numbers), 'column name')} are numbers ({some(titles, 3)})."
        remedy = "Add a first line with the columns' names."
        return [Message("error", "header-is-data", text, row=1, value=titles[0], remedy=remedy)]
    return []
