"""``train``: a network on the maps of a table as one model file, with its scores on held-out rows."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from genomap_core.cli.answer import Answer
from genomap_core.cli.files import check_out
from genomap_core.cli.options import Train
from genomap_core.cli.tables import cohort, need_labels
from genomap_core.files import USUAL, replacing
from genomap_core.progress import OnProgress
from genomap_core.workflows.comparison.scores import METRICS
from genomap_core.workflows.tabular.train import BUNDLE, TrainConfig, train


def run(options: Train, on_progress: OnProgress) -> Answer:
    """Fit on four fifths of the rows, test on the rest; the roles of the table's columns stay with the model."""
    check_out(options.out, options.table)
    dataset, report = cohort(options)
    need_labels(dataset, report)
    config = TrainConfig(
        network=options.model,
        solver=options.solver,
        max_features=options.max_features,
        max_epochs=options.epochs,
        n_seeds=options.networks,
        noise=options.noise,
        device=options.device,
        seed=options.seed,
    )
    with tempfile.TemporaryDirectory(prefix="genomap-train-") as work:
        result = train(dataset, config, Path(work), on_progress)
        with replacing(options.out, USUAL) as beside:
            beside.write_bytes((Path(work) / BUNDLE).read_bytes())
    scores = {name: asdict(score) for name, score in result.scores.items()}
    n_test = len(result.test_rows)
    lines = [
        f"{options.out}: {options.model} on {dataset.n_samples - n_test:,} samples x {dataset.n_features:,} features, "
        f"{len(dataset.classes)} classes ({os.path.getsize(options.out) / 1e6:.1f} MB, {result.seconds:.0f} s).",
        f"{result.words} Scores with 95 % intervals:",
        *(f"  {METRICS[m]:20}{s}" for m, s in result.scores.items()),
    ]
    facts = {
        "out": str(options.out),
        "model": options.model,
        "training_rows": dataset.n_samples - n_test,
        "test_rows": n_test,
        "features": dataset.n_features,
        "features_on_map": result.made_of["on_map"],
        "networks": result.made_of["networks"],
        "classes": list(dataset.classes),
        "target": report.roles.target,
        "unit": dataset.unit,
        "scores": scores,
        "seconds": result.seconds,
    }
    return Answer("\n".join(lines), facts, dataset.notes)
