"""The benchmark runs; its figures are for people."""

import numpy as np
import pytest

from genomap_core.io.tables.read import read_table
from tools.reading_benchmark import measure, table_of, write_table


@pytest.mark.parametrize("orientation", ["samples_in_rows", "genes_in_rows"])
def test_the_table_has_the_size_asked_for(tmp_path, orientation):
    path = tmp_path / "t.csv"
    write_table(path, 12, 40, orientation)
    table = read_table(path, path.name)
    assert sorted(table.numbers.shape) == [12, 40]
    assert (table.n_rows == 12) == (orientation == "samples_in_rows")


def test_fresh_processes_are_timed(tmp_path):
    path = tmp_path / "t.csv"
    write_table(path, 12, 40, "samples_in_rows")
    timing = measure("genomap", path, 1)
    assert 0 < timing.median < 60
    assert timing.peak >= 0 or np.isnan(timing.peak)
    assert "samples" in table_of([("samples", timing, timing, 480)])


def test_a_series_is_timed_to_its_picture(tmp_path):
    from tools.reading_benchmark.series import series_line, time_series, write_series

    size = write_series(tmp_path / "P0", 6, 64)
    seconds, busy = time_series(tmp_path)
    assert 0 < seconds < 60
    assert 0 < busy < 60
    assert "64 x 64 x 6" in series_line(6, 64, size, [(seconds, busy)])
