"""``python -m genomap_core.io.benchmark [--samples 800] [--genes 20000] [--repeats 3]``: a table, both ways round."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import get_args

from genomap_core.io.benchmark import Orientation, measure, one, table_of, write_table


def main() -> None:
    """Print medians of fresh processes, and peak memory in units of the float32 array."""
    parser = argparse.ArgumentParser(prog="python -m genomap_core.io.benchmark", description=__doc__)
    parser.add_argument("--samples", type=int, default=800)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one[0], Path(options.one[1]))))
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
