"""``predict``: class probabilities of every sample of a table under a saved model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from genomap_core.cli.answer import Answer
from genomap_core.cli.files import check_out, write_files
from genomap_core.cli.options import Predict
from genomap_core.cli.saved_model import open_bundle, table_for
from genomap_core.data.message import plural
from genomap_core.io.tables.export import csv_table
from genomap_core.progress import OnProgress, Progress
from genomap_core.workflows.tabular.saved_model import predict_rows, seen_in_training, seen_in_words


def run(options: Predict, on_progress: OnProgress) -> Answer:
    """One row a sample, in the table's order; labels in the table play no part, but stand beside the answers."""
    check_out(options.out, options.table, options.model)
    bundle = open_bundle(options.model)
    given = table_for(bundle, options.table, options, lacking=True)
    dataset, notes = given.dataset, given.notes
    on_progress(Progress("predicting", 0, 1))
    proba = predict_rows(bundle, dataset)
    predicted = [bundle.classes[k] for k in proba.argmax(axis=1)]
    seen = seen_in_training(bundle, dataset.X)
    columns: dict[str, Sequence[object]] = {"sample_id": dataset.sample_ids, "predicted": predicted}
    columns |= {f"probability_{name}": proba[:, k].tolist() for k, name in enumerate(bundle.classes)}
    if given.labels:
        columns["label"] = [given.labels.get(name, "") for name in dataset.sample_ids]
    if seen is not None:
        columns["in_training"] = ["yes" if known else "no" for known in seen]
    header, rows = tuple(columns), zip(*columns.values(), strict=True)
    write_files({options.out: lambda: csv_table(header, rows)})
    counts = Counter(predicted)
    listed = ", ".join(f"{name} {counts[name]}" for name in bundle.classes)
    facts: dict[str, object] = {
        "out": str(options.out),
        "samples": dataset.n_samples,
        "classes": list(bundle.classes),
        "predicted": {name: counts[name] for name in bundle.classes},
    }
    if seen is not None:
        facts["in_training"] = int(seen.sum())
    if words := seen_in_words(seen):
        notes = (*notes, words)
    return Answer(f"{options.out}: {plural(dataset.n_samples, 'sample')} ({listed}).", facts, notes)
