"""Damaged files of every kind end in a table, a report or our error: no crash, no hang, no flood of memory.

A few seconds of what ``fuzz_readers.py`` does for hours; the same files every time.
"""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
from fuzz_mutations import mutate
from fuzz_readers import LIMITS, fuzz
from fuzz_seeds import NAMES, seeds

from genomap_core.errors import InputError
from genomap_core.io.tables.read import read_table

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory of a process is read from /proc")


@pytest.mark.parametrize("kind", NAMES)
def test_damaged_files_are_read_or_refused(kind, figure):
    run = fuzz(kind, seconds=3, rounds=80, guided=False)
    assert not run.findings, list(run.findings)
    assert run.refused + run.contained > 0, "nothing was damaged"
    figure("damaged files", run.tried)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_of_a_damaged_text_are_its_own_numbers(seed):
    """Every number of the table stands in the file: none is made up, shifted into, or joined from two cells."""
    rng, corpus = random.Random(seed), seeds("csv")[:1]
    for _ in range(40):
        data = mutate(rng, corpus[0], corpus, "csv")
        try:
            table = read_table(data, "t.csv", limits=LIMITS)
        except InputError:
            continue
        cells = set(data.decode("utf-8", "replace").replace('"', "").replace("\r", "\n").replace("\n", ",").split(","))
        written = {np.float32(value) for value in map(_number, cells) if value is not None}
        if table.source.delimiter == "," and table.source.decimal == "." and table.source.encoding == "utf-8":
            read = {np.float32(value) for value in table.numbers.ravel().tolist() if value == value}
            assert read <= written, (read - written, data)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
