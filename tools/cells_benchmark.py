"""Training on many cells, as a user starts it: ``python -m tools.cells_benchmark --cells 20000 100000 --genes 3000``.

Counts of simulated cell types (negative binomial, sparse) are written as h5ad, and `genomap train` learns
from them in a process of its own. Seconds of wall clock and of processor (children included), peak resident memory; of
several sizes the power of the cells that the processor seconds grow with.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import scipy.sparse as sp

TYPES = 8


def write_cells(path: Path, n: int, p: int, seed: int = 0) -> None:
    """Cells of eight types in two levels: four kinds that differ in a twentieth of the genes, each in two states."""
    import anndata
    import pandas as pd

    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.4, 1.0, p)
    shift = np.zeros((TYPES, p))
    for k in range(TYPES):
        shift[k // 2 * 2 : k // 2 * 2 + 2, rng.permutation(p)[: p // 20]] += rng.normal(scale=0.8, size=p // 20)
        shift[k, rng.permutation(p)[: p // 100]] += rng.normal(scale=0.8, size=p // 100)
    y = rng.integers(0, TYPES, n)
    parts = []
    for rows in np.array_split(np.arange(n), max(1, n // 1000)):
        rate = mean * np.exp(shift[y[rows]]) * rng.lognormal(0, 0.3, (len(rows), 1))
        parts.append(sp.csr_matrix(rng.poisson(rate * rng.gamma(2.0, 0.5, rate.shape)).astype(np.float32)))
    obs = pd.DataFrame({"cell_type": pd.Categorical([f"type {k}" for k in y])}, index=[f"c{i}" for i in range(n)])
    var = pd.DataFrame(index=[f"G{j}" for j in range(p)])
    anndata.AnnData(sp.vstack(parts).tocsr(), obs, var).write_h5ad(path)


def measured(command: Sequence[str]) -> tuple[str, float]:
    """Run a command; what it said with its seconds and peak memory, and its processor seconds."""
    start, peak, cpu = time.perf_counter(), 0, 0.0
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    process = psutil.Process(child.pid)
    while child.poll() is None:
        try:
            family = [process, *process.children(recursive=True)]
            peak = max(peak, sum(member.memory_info().rss for member in family))
            cpu = sum(process.cpu_times()[:4])
        except psutil.Error:
            break
        time.sleep(0.1)
    said = (child.communicate()[0] or "").strip()
    seconds = time.perf_counter() - start
    facts = f"{seconds:.0f} s, processor {cpu:.0f} s, peak {peak / 1e9:.2f} GB, exit {child.returncode}"
    return f"{said}\n-> {facts}", cpu


def main() -> None:
    """Print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[20_000])
    parser.add_argument("--genes", type=int, default=3_000)
    options = parser.parse_args()
    seconds = []
    for cells in options.cells:
        with tempfile.TemporaryDirectory() as made:
            table, model = Path(made) / "cells.h5ad", Path(made) / "model.safetensors"
            write_cells(table, cells, options.genes)
            train = ["train", str(table), "--out", str(model), "--target", "cell_type"]
            said, cpu = measured([sys.executable, "-m", "genomap_core", *train])
        seconds.append(cpu)
        sys.stdout.write(f"{cells:,} cells x {options.genes:,} genes\n{said}\n")
        sys.stdout.flush()
    if len(set(options.cells)) > 1:
        power = np.polyfit(np.log(options.cells), np.log(seconds), 1)[0]
        sys.stdout.write(f"processor seconds grow as cells^{power:.2f}\n")


if __name__ == "__main__":
    main()
