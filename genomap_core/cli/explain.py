"""``explain``: what each feature of a table did to a saved model's answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from genomap_core.cli.answer import Answer
from genomap_core.cli.files import check_out, write_files
from genomap_core.cli.options import Explain
from genomap_core.cli.saved_model import open_bundle, table_for
from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.io.tables.export import csv_table
from genomap_core.progress import OnProgress
from genomap_core.workflows.tabular.patient import row_of
from genomap_core.workflows.tabular.saved_model import Explained, explain_rows

COLUMNS = ("sample_id", "explained_class", "log_odds", "baseline_log_odds", "completeness_gap")
"""Before a column for each feature."""


def run(options: Explain, on_progress: OnProgress) -> Answer:
    """One row a sample; how far the values are from the sum that the method promises is said."""
    check_out(options.out, options.table, options.model, options.background)
    bundle = open_bundle(options.model)
    given = table_for(bundle, options.table, options)
    dataset, notes = given.dataset, given.notes
    around = None if options.background is None else table_for(bundle, options.background, options).dataset
    rows = tuple(range(dataset.n_samples))
    if options.sample:
        rows = tuple(dict.fromkeys(row_of(dataset, name) for name in options.sample))
    found = explain_rows(
        bundle,
        dataset,
        rows,
        target=options.explained,
        method=options.method,
        background=around,
        seed=options.seed,
        on_progress=on_progress,
    )
    header = (*COLUMNS, *dataset.feature_names)
    write_files({options.out: lambda: csv_table(header, _rows(dataset, found))})
    facts: dict[str, object] = {
        "out": str(options.out),
        "samples": len(rows),
        "method": found.method,
        "complete": found.complete,
        "largest_gap": float(np.abs(found.gap).max()),
        "largest_sum": float(np.abs(found.output - found.baseline_output).max()),
    }
    return Answer(_text(options, dataset, found), facts, notes)


def _rows(dataset: Dataset, found: Explained) -> Iterator[tuple[object, ...]]:
    for i, row in enumerate(found.rows):
        told = (float(found.output[i]), float(found.baseline_output[i]), float(found.gap[i]))
        name = found.classes[found.targets[i]]
        yield (dataset.sample_ids[row], name, *told, *found.values[i].tolist())


def _text(options: Explain, dataset: Dataset, found: Explained) -> str:
    lines = [
        f"{options.out}: {plural(len(found.rows), 'sample')} x {plural(dataset.n_features, 'feature')}, {found.method}."
    ]
    gap, moved = np.abs(found.gap).max(), np.abs(found.output - found.baseline_output).max()
    if found.complete:
        lines.append(
            f"Completeness: attributions sum to the change of log-odds from the baseline up to {gap:.2g} (the largest "
            f"change is {moved:.3g})."
        )
    else:
        lines.append(f"Completeness: {found.method} does not promise a sum; {gap:.2g} is left of at most {moved:.3g}.")
    if len(found.rows) == 1:
        top = np.argsort(-np.abs(found.values[0]), kind="stable")[:10]
        lines += [f"  {dataset.feature_names[j]:30}{found.values[0, j]:+.3g}" for j in top]
    return "\n".join(lines)
