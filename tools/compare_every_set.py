"""All models at their defaults on small parts of every set of the study: ``python -m tools.compare_every_set``.

Nothing but memory and time may keep a model from answering. A part has at most ``--rows`` rows (every class with as
many as there are folds, where the set has them) and ``--features`` features; one line a set and number of folds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genomap_core.benchmark.catalogue import choose, load_catalogue
from genomap_core.benchmark.sources import Places, data_folder, read_set
from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.workflows.comparison.folds import largest_fold_count
from genomap_core.workflows.tabular.compare import CompareConfig, CompareResult, compare
from genomap_core.workflows.tabular.models import MODELS


def part_of(dataset: Dataset, rows: int, features: int, folds: int, seed: int = 0) -> Dataset:
    """Rows and features drawn by chance; classes in fewer rows (or groups) than folds are left out."""
    assert dataset.y is not None
    rng = np.random.default_rng(seed)
    units = np.arange(dataset.n_samples) if dataset.groups is None else dataset.groups
    kept = [c for c in range(len(dataset.classes)) if len(np.unique(units[dataset.y == c])) >= folds]
    each = max(folds, rows // max(1, len(kept)))
    chosen = []
    for c in kept:
        own = rng.permutation(np.flatnonzero(dataset.y == c))
        first = [own[units[own] == u][0] for u in np.unique(units[own])]  # a row of each group before a second one
        chosen += list(dict.fromkeys([*rng.permutation(first), *own]))[:each]
    columns = np.sort(rng.permutation(dataset.n_features)[:features])
    return dataset.take(np.sort(chosen)).select(columns)


def line(name: str, folds: int, data: Dataset, found: CompareResult, seconds: float) -> str:
    """What came out, for a table."""
    failed = [f"{run.name} {run.status}: {run.message}" for run in found.runs if run.status != "ok"]
    about = f"{name:28} {folds} folds {data.n_samples:4} x {data.n_features:5}, {len(set(data.y.tolist())):2} classes"  # type: ignore[union-attr]
    return f"{about}, {seconds:5.0f} s: {'; '.join(failed) or 'all answered'}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The number of failures that are not memory or time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--folds", nargs="*", type=int, default=[2, 5])
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--features", type=int, default=400)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args(arguments)
    failures = 0
    for name, entry in choose(load_catalogue(), options.sets).items():
        try:
            whole = read_set(entry, Places(data_folder(options.data)))
        except InputError as error:
            sys.stdout.write(f"{name}: not here ({error})\n")
            continue
        for folds in options.folds:
            data = part_of(whole, options.rows, options.features, folds)
            if largest_fold_count(data) < folds:
                sys.stdout.write(f"{name}: no {folds} folds\n")
                continue
            start = time.perf_counter()
            found = compare(data, CompareConfig(tuple(options.models), n_folds=folds))
            failures += sum(run.status in ("error", "refused") for run in found.runs)
            sys.stdout.write(line(name, folds, data, found, time.perf_counter() - start) + "\n")
            sys.stdout.flush()
    sys.stdout.write(f"{failures} failures that are not memory or time\n")
    return failures


if __name__ == "__main__":
    sys.exit(min(1, main()))
