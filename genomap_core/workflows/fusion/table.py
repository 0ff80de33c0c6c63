"""A comparison of fusion networks as rows of tables, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genomap_core.data.images.networks import BACKBONES
from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.workflows.comparison.words import markdown
from genomap_core.workflows.fusion.controls import title
from genomap_core.workflows.fusion.scores import FusionResult
from genomap_core.workflows.fusion.verdict import verdict

TITLES = {
    "balanced_accuracy": "Balanced accuracy",
    "roc_auc": "ROC-AUC",
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "brier": "Brier score",
}


def score_rows(result: FusionResult) -> list[dict[str, str]]:
    """One row a run: scores with 95 % intervals, and what it costs."""
    return [
        {"Run": name_of(result, run.name)}
        | {words: str(result.scores[run.name][key]) for key, words in TITLES.items()}
        | {"Parameters": f"{run.parameters:,}", "Training s": f"{run.fit_seconds:.0f}"}
        for run in result.runs
    ]


def gain_rows(result: FusionResult) -> list[dict[str, str]]:
    """What the first run leads each other by: an interval off zero is a difference."""
    first = name_of(result, result.champion)
    return [
        {f"{first}, minus": name_of(result, name)} | {TITLES[key]: str(s) for key, s in row.items()}
        for name, row in result.gain.items()
    ]


def name_of(result: FusionResult, name: str) -> str:
    """The name of a run in this result: without images "omics only" is all types together."""
    return "All omics types" if name == "omics" and not result.has_images else title(name)


def report(result: FusionResult, notes: Sequence[str] = ()) -> str:
    """Tables and verdict as Markdown."""
    return "\n\n".join([*notes, markdown(score_rows(result)), markdown(gain_rows(result)), *verdict(result)]) + "\n"


def heading(result: FusionResult) -> tuple[str, ...]:
    """What a report begins with: whose it is, what was predicted, and how it was trained."""
    counts = np.bincount(result.y, minlength=len(result.classes))
    classes = ", ".join(f"{name} {count}" for name, count in zip(result.classes, counts, strict=True))
    kinds = ", ".join([*(["images"] if result.has_images else []), *result.omics_names])
    options = result.config
    return (
        f"# Images and omics: {result.name}",
        RESEARCH_USE,
        f"{len(result.y):,} patients or spots. Classes: {classes}. Data: {kinds}.",
        f"{options['n_folds']} folds, {options['epochs']} epochs, network {BACKBONES[options['backbone']]}, seed "
        f"{options['seed']}. In brackets: 95 % intervals.",
    )
