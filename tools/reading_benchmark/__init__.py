"""How long reading and checking a large table takes, beside ``pyarrow.csv.read_csv``, and how much memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

Orientation = Literal["samples_in_rows", "genes_in_rows"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of every repetition; ``peak``: bytes above the imports, the file's own included, NaN where unknown."""

    seconds: tuple[float, ...]
    peak: float

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def write_table(path: Path, n_samples: int, n_genes: int, orientation: Orientation, seed: int = 0) -> None:
    """Write log-scaled values with six digits as CSV: some 8 bytes a cell."""
    rng = np.random.default_rng(seed)
    genes = [f"GENE{j:05d}" for j in range(n_genes)]
    samples = [f"S{i:04d}" for i in range(n_samples)]
    header, names = (
        (["sample_id", *genes], samples) if orientation == "samples_in_rows" else (["gene", *samples], genes)
    )
    with path.open("w") as file:
        file.write(",".join(header) + (",label\n" if orientation == "samples_in_rows" else "\n"))
        for i, name in enumerate(names):
            values = np.log2(1 + rng.gamma(1.2, 60, len(header) - 1))
            label = "" if orientation == "genes_in_rows" else (",tumour" if i % 2 else ",normal")
            file.write(name + "," + ",".join(f"{v:.6g}" for v in values) + label + "\n")


def read_ours(path: Path) -> None:
    """Read and check a table as an upload is."""
    from genomap_core.data.schema.validate import validate
    from genomap_core.io.tables.read import read_table

    validate(read_table(path, path.name))


def read_arrow(path: Path) -> None:
    """Read a table with Arrow's defaults."""
    import pyarrow.csv

    pyarrow.csv.read_csv(path)


READERS: dict[str, Callable[[Path], None]] = {"genomap": read_ours, "pyarrow": read_arrow}


def measure(reader: str, path: Path, repeats: int) -> Timing:
    """Run a reader ``repeats`` times, each in a fresh process."""
    runs = [_run(reader, path) for _ in range(repeats)]
    return Timing(tuple(run["seconds"] for run in runs), max(run["peak"] for run in runs))


def _run(reader: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tools.reading_benchmark", "--one", reader, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def one(reader: str, path: Path, warm_up: bytes = b"sample_id,a,b,label\ns1,1,2,x\ns2,3,4,y\n") -> dict[str, float]:
    """Time one run in this process. What is imported for a small table is not counted."""
    small = path.with_name("warm_up.csv")
    small.write_bytes(warm_up)
    READERS[reader](small)
    before = _peak()
    start = time.perf_counter()
    READERS[reader](path)
    return {"seconds": time.perf_counter() - start, "peak": _peak() - before}


def _peak() -> float:
    """The process's peak memory in bytes; NaN where the system does not tell."""
    if sys.platform == "win32":
        return float("nan")
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def table_of(results: Sequence[tuple[str, Timing, Timing, int]]) -> str:
    """Lines for people: ``(title, ours, Arrow's, cells)``."""
    lines = [f"{'table':30}{'genomap':>10}{'pyarrow':>10}{'ratio':>8}{'allowed':>10}{'peak / float32 array':>23}"]
    for title, ours, arrow, cells in results:
        allowed = 1.5 * arrow.median + 2
        peak = f"{ours.peak / (4 * cells):.2f} (pyarrow {arrow.peak / (4 * cells):.2f})"
        seconds = f"{ours.median:9.2f}s{arrow.median:9.2f}s{ours.median / arrow.median:8.2f}{allowed:9.2f}s"
        lines.append(f"{title:30}{seconds}{peak:>23}")
    return "\n".join(lines)
