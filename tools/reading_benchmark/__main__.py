"""``python -m tools.reading_benchmark [--samples 800] [--genes 20000] [--repeats 3]``: a table, both ways round.

``--series 200`` instead times a CT series of so many DICOM files of 512 x 512 pixels, to its picture.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import get_args

from tools.reading_benchmark import Orientation, measure, one, table_of, write_table
from tools.reading_benchmark.series import series_line, time_series, write_series


def main() -> None:
    """Print medians of fresh processes, and peak memory in units of the float32 array."""
    parser = argparse.ArgumentParser(prog="python -m tools.reading_benchmark", description=__doc__)
    parser.add_argument("--samples", type=int, default=800)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--series", type=int, metavar="SLICES", help="a CT series instead of tables")
    parser.add_argument("--side", type=int, default=512, help="pixels of its slices")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one[0], Path(options.one[1]))))
        return
    if options.series:
        with tempfile.TemporaryDirectory() as folder:
            size = write_series(Path(folder) / "P0", options.series, options.side)
            runs = [time_series(Path(folder)) for _ in range(options.repeats)]
        print(series_line(options.series, options.side, size, runs))
        return
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for orientation in get_args(Orientation):
            path = Path(folder) / f"{orientation}.csv"
            write_table(path, options.samples, options.genes, orientation)
            title = f"{orientation} {path.stat().st_size / 1e6:.0f} MB"
            ours, arrow = (measure(reader, path, options.repeats) for reader in ("genomap", "pyarrow"))
            results.append((title, ours, arrow, options.samples * options.genes))
    print(table_of(results))


if __name__ == "__main__":
    main()
