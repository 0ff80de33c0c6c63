"""The collection of bad inputs, an optional folder: its files and what must be said of each."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("GENOMAP_BADINPUTS", Path(__file__).resolve().parents[2] / "shared" / "badinputs"))


def expected():
    """The rows of EXPECTED.csv; one that only says why there are none."""
    table = FOLDER / "EXPECTED.csv"
    if not table.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no bad inputs at {FOLDER} (set GENOMAP_BADINPUTS)"))]
    with table.open(encoding="utf-8", newline="") as file:
        return [pytest.param(row, id=row["file"]) for row in csv.DictReader(file)]
