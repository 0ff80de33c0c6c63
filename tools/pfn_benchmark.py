"""What a user waits for from the tabular foundation model: ``python -m tools.pfn_benchmark``.

Training and predicting beside logistic regression and random forest; a slider's release under both models of a
comparison, asked of the warm worker as the pages ask it; explanations of one patient; and five folds of a table of
7,129 columns. On simulated cohorts; wall clock and peak memory of this machine. Every line is measured in a process of
its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.simulated.tables import ExpressionConfig, expression_cohort
from genomap_core.workflows.comparison.runner import measure

PATIENT = "genomap_core.workflows.tabular.patient"
ROWS = 17
"""Of a slider's release: what is shown, and the draws of its interval."""


@dataclass(frozen=True, slots=True)
class Line:
    """One piece of work: seconds of wall clock (median of ``repeats``) and peak memory in MB above the start."""

    work: str
    seconds: float
    repeats: int
    peak_mb: float | None = None
    goal_s: float | None = None


def cohort(n: int, p: int, n_classes: int = 3) -> Dataset:
    """A simulated expression cohort, logarithms of counts: ``(n, p)``."""
    classes = tuple(f"class {k + 1}" for k in range(n_classes))
    made = expression_cohort(ExpressionConfig(n, p, classes, n_modules=max(6, min(40, p // 5))))
    ids = tuple(f"s{i}" for i in range(n))
    return Dataset(
        "simulated", np.log2(1 + made.values).astype(np.float32), made.feature_names, ids, made.labels, classes
    )


def beside(model: str, repeats: int) -> Line:
    """Fit on 400 x 30 and predict 200 rows, with the benchmark's untuned settings."""
    from genomap_core.workflows.tabular.models import make_classifier

    data = cohort(600, 30)
    assert data.y is not None
    X, y = np.asarray(data.X), data.y

    def work() -> None:
        make_classifier(model, random_state=0).fit(X[:400], y[:400]).predict_proba(X[400:])

    work()  # imports
    with measure() as used:
        seconds = _median(work, repeats)
    return Line(f"{model}: 200 rows predicted from 400 x 30", seconds, repeats, used.peak_mb)


def patient(n: int, p: int, methods: Sequence[tuple[str, float]], repeats: int) -> list[Line]:
    """A comparison of the map classifier and the tabular model on two folds, then one patient under both."""
    from genomap_core.jobs.warm import WarmWorker
    from genomap_core.workflows.tabular.compare import CompareConfig, compare

    data, lines = cohort(n, p), []
    size = f"{n} x {p:,}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data.save(folder / "dataset.npz")
        found = compare(data, CompareConfig(models=("genomap", "pfn"), n_folds=2, max_epochs=5), folder)
        row = int(np.flatnonzero(found.fold_of_row == 0)[0])
        x = np.asarray(data.X)[row]
        noise = np.random.default_rng(0).normal(size=(repeats + 1, ROWS, p)).astype(np.float32)
        worker = WarmWorker()
        try:
            spec = {"run": str(folder), "fold": 0, "models": ["genomap", "pfn"]}

            def release(k: int) -> float:
                began = time.perf_counter()
                worker.call(
                    "genomap_core.workflows.tabular.patient:predict", spec, {"X": x + 0.1 * noise[k]}, timeout=600
                )
                return time.perf_counter() - began

            release(repeats)  # fills the caches
            waits = [release(k) for k in range(repeats)]
            lines.append(Line(f"slider released: both models, {ROWS} rows, {size}", median(waits), repeats, goal_s=0.5))
            groups = np.arange(p) * 64 // p
            for method, goal in methods:
                asked = {"run": str(folder), "fold": 0, "model": "pfn", "method": method, "target": 0}
                began = time.perf_counter()
                worker.call(
                    "genomap_core.workflows.tabular.patient:attribute", asked, {"x": x, "groups": groups}, timeout=600
                )
                lines.append(Line(f"{method}, one patient, {size}", time.perf_counter() - began, 1, goal_s=goal))
        finally:
            worker.close()
    return lines


def wide(data: Dataset) -> Line:
    """Five folds of the tabular model alone."""
    from genomap_core.workflows.tabular.compare import CompareConfig, compare

    with measure() as used:
        found = compare(data, CompareConfig(models=("pfn",)))
    facts = found.run("pfn").facts
    given = ", ".join(dict.fromkeys(facts["answered"] if "answered" in facts else facts["selections"]))
    size = f"{data.n_samples} x {data.n_features:,}"
    return Line(f"pfn, five folds, {size} (given {given})", used.seconds, 1, used.peak_mb, 60)


def text(lines: Sequence[Line]) -> str:
    """A Markdown table; beside the goals where there are any."""
    rows = ["| work | seconds | peak MB | goal |", "|---|---|---|---|"]
    for line in lines:
        peak = "" if line.peak_mb is None else f"{line.peak_mb:,.0f}"
        goal = "" if line.goal_s is None else f"{line.goal_s:g} s" + ("" if line.seconds <= line.goal_s else ", missed")
        rows.append(f"| {line.work} | {line.seconds:.3g} | {peak} | {goal} |")
    return "\n".join(rows)


def _median(work: Callable[[], None], repeats: int) -> float:
    waits = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        waits.append(time.perf_counter() - began)
    return median(waits)


def _part(name: str, repeats: int, table: Path | None) -> list[Line]:
    if name in ("logistic", "forest", "pfn"):
        return [beside(name, repeats)]
    if name == "wide":
        return [wide(cohort(72, 7_129, 2) if table is None else _read(table))]
    methods = ("shapley", "integrated_gradients")
    if name == "patient":
        return patient(200, 100, [(method, 10.0) for method in methods], repeats)
    return patient(72, 7_129, [(method, 30.0) for method in methods], repeats)


PARTS = ("logistic", "forest", "pfn", "patient", "wide patient", "wide")


def _read(path: Path) -> Dataset:
    from genomap_core import read_table, to_dataset, validate

    table = read_table(path)
    return to_dataset(table, validate(table), name=path.stem)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; every part is measured by this command in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m tools.pfn_benchmark", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--table", type=Path, help="a wide table of your own instead of the simulated 72 x 7,129")
    parser.add_argument("--part", choices=PARTS, help="only this one, as JSON")
    options = parser.parse_args(arguments)
    if options.part is not None:
        lines = _part(options.part, options.repeats, options.table)
        sys.stdout.write(json.dumps([asdict(line) for line in lines]) + "\n")
        return 0
    own = [sys.executable, "-m", "tools.pfn_benchmark", "--repeats", str(options.repeats)]
    own += [] if options.table is None else ["--table", str(options.table)]
    found: list[Line] = []
    for part in PARTS:
        said = subprocess.run([*own, "--part", part], check=True, stdout=subprocess.PIPE, text=True).stdout
        found += [Line(**values) for values in json.loads(said.splitlines()[-1])]
    sys.stdout.write(text(found) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
