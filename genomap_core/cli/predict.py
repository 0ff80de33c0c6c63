"""``predict``: class probabilities of every sample of a table under a saved model."""

from __future__ import annotations

from collections import Counter

from genomap_core.cli.answer import Answer
from genomap_core.cli.files import check_out, write_files
from genomap_core.cli.options import Predict
from genomap_core.cli.saved_model import open_bundle, table_for
from genomap_core.io.tables.export import csv_table
from genomap_core.progress import OnProgress, Progress
from genomap_core.workflows.tabular.saved_model import predict_rows


def run(options: Predict, on_progress: OnProgress) -> Answer:
    """One row a sample, in the table's order; labels in the table play no part."""
    check_out(options.out, options.table, options.model)
    bundle = open_bundle(options.model)
    dataset, notes = table_for(bundle, options.table, options, lacking=True)
    on_progress(Progress("predicting", 0, 1))
    proba = predict_rows(bundle, dataset)
    predicted = [bundle.classes[k] for k in proba.argmax(axis=1)]
    header = ("sample_id", "predicted", *(f"probability_{name}" for name in bundle.classes))
    rows = ((name, guess, *p) for name, guess, p in zip(dataset.sample_ids, predicted, proba.tolist(), strict=True))
    write_files({options.out: lambda: csv_table(header, rows)})
    counts = Counter(predicted)
    listed = ", ".join(f"{name} {counts[name]}" for name in bundle.classes)
    facts: dict[str, object] = {
        "out": str(options.out),
        "samples": dataset.n_samples,
        "classes": list(bundle.classes),
        "predicted": {name: counts[name] for name in bundle.classes},
    }
    return Answer(f"{options.out}: {dataset.n_samples:,} samples ({listed}).", facts, notes)
