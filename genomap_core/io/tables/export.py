"""Tables that leave the program: CSV whose cells no spreadsheet takes for a formula.

The notice stands beside the table (:data:`BESIDE`) or in the file's name (:func:`csv_name`), not in it: a line above
the header stops most readers, and what makes them skip it (``comment="#"``) cuts rows whose names hold the sign.

The only place that writes CSV for users (a test looks for others), so that no name from a file runs on opening.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

import numpy as np

NOTICE = "For research use only. Not for use in diagnostic procedures."
BESIDE = ".notice.txt"
"""Behind a table's file name: the file with the notice, where a table is written beside others."""
_STARTS = frozenset("=+-@|%\t\r\n＝＋－＠")
"""What Excel, LibreOffice and Google Sheets take for the beginning of a formula; the last four in East Asian ones."""


def formula_safe(text: str) -> str:
    """``text`` as a cell that stays text: an apostrophe before what could be a formula, numbers as they are."""
    begin = text.lstrip(" \u00a0\ufeff\u200b")[:1] or text[:1]
    return "'" + text if begin in _STARTS and not _is_number(text) else text


def csv_name(stem: str) -> str:
    """The name of a table for download."""
    return f"{stem}.research-use-only.csv"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and "_" not in text and text.strip() == text
    except ValueError:
        return False


def csv_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8 CSV of text, whole numbers and floats (six digits; NaN and None empty)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # of both line ends: a cell with either is then quoted
    writer.writerow(map(formula_safe, header))
    for row in rows:
        writer.writerow(map(_cell, row))
    return out.getvalue().encode()


def _cell(value: object) -> object:
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return formula_safe(value)
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else value
