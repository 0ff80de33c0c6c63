"""A study whose truth is known: every model's effect on the score is planted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from genomap_core.benchmark.catalogue import load_catalogue
from genomap_core.benchmark.protocol import CONDITIONS, Protocol, Run, runs
from genomap_core.benchmark.reading import StudyRecords
from genomap_core.benchmark.records import Record, to_table

SETS = ("colon_alon", "dlbcl_shipp", "tox171", "micromass", "arcene", "sc_pollen", "mice_protein", "glioma_nutt")
MODELS = ("genomap", "genomap_random", "logistic", "forest")
EFFECT = {"genomap": 0.03, "genomap_random": 0.0, "logistic": 0.02, "forest": -0.03}


def record(run: Run, value: float, **more: object) -> Record:
    values: dict[str, object] = {
        **dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "roc_auc"), value),
        **dict.fromkeys(("brier", "log_loss"), 1 - value),
        **{"fit_seconds": 2.0, "predict_seconds": 0.5, "peak_mb": 100.0},
        **{"n_train": 80, "n_test": 20, "n_features": 1000, "n_classes": 2},
    }
    parts = (run.dataset, run.condition.name, run.model, run.seed, run.fold, "ok")
    return Record(*parts, **{**values, **more})  # type: ignore[arg-type]


def planted(protocol: Protocol, effect: dict[str, float] = EFFECT, noise: float = 0.01, seed: int = 0) -> list[Record]:
    """Every run; the score is the set's own level plus the model's effect, less what the condition costs."""
    rng = np.random.default_rng(seed)
    level = {s: rng.uniform(0.6, 0.9) for s in protocol.folds}
    return [
        record(r, float(level[r.dataset] + effect[r.model] - 0.1 * r.condition.noise + rng.normal(0, noise)))
        for r in runs(protocol)
    ]


def study(records: list[Record], models: tuple[str, ...] = MODELS) -> StudyRecords:
    entries = {n: asdict(e) for n, e in load_catalogue().items() if n in SETS}
    return StudyRecords(to_table(records), {"models": list(models), "sets": entries}, Path("made up"))


PROTOCOL = Protocol(dict.fromkeys(SETS, 5), models=MODELS, conditions=CONDITIONS, seeds=(0, 1))
