"""Layouts side by side: ``python -m tools.layout_benchmark [--sizes 1024 20000] [--data FILE ...]``.

Every solver runs in a process of its own on the same data. Printed: seconds on the wall and of CPU (the best of
``--repeats``), peak memory above the data and of the whole process, and the figures of :class:`LayoutQuality`; for the
others, how much more CPU they take than the default, how much higher their distortion is and how much their neighbour
correlation; below each table, which peers some setting of ours beats on both; last, how time grows with the features.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.layout.build import grid_shape
from genomap_core.layout.distances import FeatureTable, check_features
from genomap_core.layout.geometry import Grid
from genomap_core.layout.problem import Problem
from genomap_core.layout.quality import measure
from genomap_core.layout.solvers import get_solver
from tools.layout_peers import PEERS, peer

DEFAULT = "ot (default)"
OURS = {
    DEFAULT: 0.5,
    "ot, distances only": 0.0,
    "ot, global": 0.03,
    "ot, between": 0.2,
    "ot, local": 0.9,
}
"""Name in the table -> trade-off of the ``ot`` solver."""
GROWTH_FROM = 5000
"""Fewest features that count for the growth exponent: below, the schedule does relatively more."""


def synthetic(n: int, p: int, factors: int = 24, seed: int = 0) -> np.ndarray:
    """``(n, p)``: each feature loads on one to three of the latent factors, plus noise of 0.7."""
    rng = np.random.default_rng(seed)
    F, W = rng.normal(size=(n, factors)), np.zeros((factors, p))
    for j in range(p):
        k = rng.integers(1, 4)
        loads_on = rng.choice(factors, k, replace=False)
        W[loads_on, j] = rng.normal(size=k)
    return (F @ W + 0.7 * rng.normal(size=(n, p))).astype(np.float32)


def load(source: str) -> np.ndarray:
    """A synthetic table of 400 samples if ``source`` is a number of features, else the file's numbers."""
    return synthetic(400, int(source)) if source.isdigit() else read_numbers(Path(source))


def read_numbers(path: Path) -> np.ndarray:
    """The numeric columns of a CSV or Parquet file: ``(n, p)`` float32."""
    import pandas as pd

    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, index_col=0)
    return frame.select_dtypes("number").to_numpy(np.float32)


def run(source: str, solver: str, repeats: int) -> dict[str, Any]:
    """Lay the table of an ``.npy`` file out with one solver, in this process: a row of the table."""
    X = np.load(source, allow_pickle=False)
    check_features(X)
    solve = get_solver("ot") if solver in OURS else peer(solver)
    codes = np.zeros(X.shape[1], np.int64)
    table, grid = FeatureTable(X), Grid(grid_shape("auto", codes))
    problem = Problem(table, grid, codes, OURS.get(solver, 0.5))
    loaded = _peak_mb()
    before = _forget_peak()
    seconds, cpu = [], []
    for _ in range(repeats):
        begin, begin_cpu = time.perf_counter(), time.process_time()
        cells = solve(problem)
        seconds.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - begin_cpu)
    peak = _peak_mb()
    quality = measure(table, grid.positions[cells])
    row = {"solver": solver, "p": X.shape[1], "seconds": min(seconds), "cpu_seconds": min(cpu)}
    return row | {"memory_mb": peak - before, "process_mb": max(peak, loaded)} | asdict(quality)


def _forget_peak() -> float:
    """Set the peak back to what is held now, where the system can (Linux), and return it in MB."""
    with suppress(OSError):  # else the peak so far stays: memory above the data then reads too low, never too high
        Path("/proc/self/clear_refs").write_text("5")
    return _peak_mb()


def _peak_mb() -> float:
    """Most memory this process held since the peak was last set back; Linux's own figure where there is one.

    (getrusage passes the parent's peak on to a child.)
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(float(text.split()[1]) / 1024 for text in lines if text.startswith("VmHWM"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def in_child(source: str, solver: str, repeats: int, timeout: float) -> dict[str, Any]:
    """:func:`run` in a process of its own; a failure is a row that says why."""
    command = [sys.executable, "-m", "tools.layout_benchmark", "--one", source, solver, str(repeats)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"solver": solver, "failed": f"over {timeout:.0f} s"}
    if done.returncode:
        return {"solver": solver, "failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:70]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def line(row: dict[str, Any], default: dict[str, Any]) -> str:
    """A row of the printed Markdown table."""
    if "failed" in row:
        return f"| {row['solver']} | - | | | | | | | | {row['failed']} |"
    ratio = ""
    if "seconds" in default and row is not default:
        ratio = (
            f"{row['cpu_seconds'] / default['cpu_seconds']:.1f} x CPU, "
            f"{row['gw_distortion'] - default['gw_distortion']:+.4f}, "
            f"{row['neighbour_correlation'] - default['neighbour_correlation']:+.3f}"
        )
    quality = (row[k] for k in ("gw_distortion", "spearman", "neighbour_correlation", "knn_recall"))
    gw, *others = (f"{value:.3f}" if k else f"{value:.4f}" for k, value in enumerate(quality))
    memory = f"{row['memory_mb']:.0f} MB | {row['process_mb']:.0f} MB"
    cost = f"{row['seconds']:.2f} s | {row['cpu_seconds']:.2f} s | {memory}"
    return f"| {row['solver']} | {cost} | {gw} | {' | '.join(others)} | {ratio} |"


def verdict(rows: list[dict[str, Any]]) -> list[str]:
    """For each peer, which setting of ours has less distortion and more neighbour correlation at once."""
    done = [row for row in rows if "failed" not in row]
    ours = [row for row in done if row["solver"] in OURS]
    lines = []
    for row in done:
        if row["solver"] not in OURS:
            ahead = [o["solver"] for o in ours if _ahead(o, row)]
            lines.append(
                f"- {row['solver']}: " + (f"beaten on both by {', '.join(ahead)}" if ahead else "on the front")
            )
    return lines


def _ahead(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return bool(a["gw_distortion"] <= b["gw_distortion"] and a["neighbour_correlation"] >= b["neighbour_correlation"])


def growth(rows: list[dict[str, Any]], clock: str = "seconds") -> float | None:
    """Exponent k of time ~ p^k of the default by least squares on logarithms; None with fewer than two sizes."""
    points = [(row["p"], row[clock]) for row in rows if row["solver"] == DEFAULT and row.get("p", 0) >= GROWTH_FROM]
    if len({p for p, _ in points}) < 2:
        return None
    p, seconds = np.log(np.array(points)).T
    return float(np.polyfit(p, seconds, 1)[0])


def compare(
    source: str, solvers: list[str], repeats: int, timeout: float, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Run all solvers on one data set; ``say`` gets each line of the table as it is measured."""
    rows: list[dict[str, Any]] = []
    default: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        X, file = load(source), Path(folder) / "X.npy"
        name = f"{source} features" if source.isdigit() else Path(source).stem
        say(f"\n### {name} ({X.shape[0]} x {X.shape[1]})\n")
        say("| layout | time | CPU | memory | process | GW | Spearman | nbr | knn | against the default |")
        say("|---|---|---|---|---|---|---|---|---|---|")
        np.save(file, X)
        for solver in solvers:
            most = PEERS[solver][1] if solver in PEERS else math.inf
            if X.shape[1] > most:
                row = {"solver": solver, "failed": f"not tried above {most:,} features"}
            else:
                row = in_child(str(file), solver, repeats if solver in OURS else 1, timeout)
            default = row if solver == DEFAULT else default
            rows.append(row)
            say(line(row, default))
    say("\n" + "\n".join(verdict(rows)))
    return rows


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.layout_benchmark", description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=["1024"], help="features of synthetic tables, 400 samples")
    parser.add_argument("--data", nargs="*", default=[], help="CSV or Parquet files, samples in rows")
    parser.add_argument("--solvers", nargs="*", default=[*OURS, *PEERS], help="which to run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900)
    parser.add_argument("--json", type=Path, help="also write all rows here")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        source, solver, repeats = options.one
        _say(json.dumps(run(source, solver, int(repeats))))
        return
    solvers = list(dict.fromkeys(options.solvers))
    rows = [
        {"source": source, **row}
        for source in [*options.sizes, *options.data]
        for row in compare(source, solvers, options.repeats, options.timeout, _say)
    ]
    slopes = [growth(rows, clock) for clock in ("seconds", "cpu_seconds")]
    if slopes[0] is not None:
        _say(f"\nFrom {GROWTH_FROM:,} features on, time grows as p^{slopes[0]:.2f}, CPU time as p^{slopes[1]:.2f}.")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
