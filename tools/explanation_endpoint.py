"""The explanation endpoint as a table: ``python -m tools.explanation_endpoint --data FOLDER [--models ridge pfn]``.

Prints, for each model and way to group features, the mean over data sets of stability between halves of a cohort and of
deletion at equal size; ``--out`` keeps the records as JSON (the shipped ones: sample_data/explanation_endpoint.json).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from genomap_core.benchmark import explanation
from genomap_core.benchmark.catalogue import choose, load_catalogue
from genomap_core.benchmark.sources import Places, data_folder, read_set
from genomap_core.errors import InputError


def main() -> None:
    """Run what is asked, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets; if not given, $GENOMAP_DATA")
    parser.add_argument("--sets", nargs="+", help="if not given, all 22")
    parser.add_argument("--models", nargs="+", default=["ridge"], choices=list(explanation.MODELS))
    parser.add_argument("--features", type=int, default=1024, help="at most, those of highest variance")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--out", type=Path, help="records are added to this file and read from it")
    asked = parser.parse_args()
    records = explanation.read_records(asked.out) if asked.out and asked.out.is_file() else []
    done = {(r.dataset, r.model, r.n_features) for r in records}
    for name, entry in choose(load_catalogue(), asked.sets).items():
        for model in asked.models:
            if (name, model, asked.features) in done:
                continue
            try:
                dataset = read_set(entry, Places(data_folder(asked.data)))
                records += explanation.endpoint(dataset, model, asked.splits, asked.features)
            except InputError as error:
                sys.stderr.write(f"{error}\n")
            if asked.out:
                explanation.write_records(records, asked.out)
    sys.stdout.write(table(records))


def table(records: list[explanation.ExplanationRecord]) -> str:
    """Means over the sets, and the map's regions minus each other grouping with its 95 % interval."""
    from genomap_core.benchmark.statistics import over_sets

    lines = []
    for model, size in sorted({(r.model, r.n_features) for r in records}):
        own = {(r.dataset, r.groups): r for r in records if (r.model, r.n_features) == (model, size)}
        sets = sorted({dataset for dataset, _ in own})
        for groups in sorted({r.groups for r in own.values()}, key=explanation.GROUPS.index):
            line = f"{model:8} {size:5} {groups:16} {len(sets):2} sets"
            for what in ("stability", "deletion"):
                values = np.array([getattr(own[s, groups], what) for s in sets])
                ours = np.array([getattr(own[s, "map regions"], what) for s in sets])
                found, _ = over_sets(ours - values)
                ahead = f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
                line += f"  {what} {values.mean():.3f}, map - it {ahead}"
            lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
