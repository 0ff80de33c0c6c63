"""Images + omics against each alone, controls and linear models: ``python -m genomap_core.workflows.fusion_table``.

Every run is kept in ``--out`` when it is done; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genomap_core.data.fusion_networks import BACKBONES, SPREADS, VARIANTS
from genomap_core.data.imaging import ImagingCohort
from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.workflows.fusion import FusionCompareConfig, compare_fusion
from genomap_core.workflows.fusion_controls import title
from genomap_core.workflows.fusion_data import load_cohort
from genomap_core.workflows.fusion_scores import FusionResult
from genomap_core.workflows.fusion_verdict import verdict
from genomap_core.workflows.growth_table import Say, interval_text, markdown

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
        | {words: interval_text(result.scores[run.name][key]) for key, words in TITLES.items()}
        | {"Parameters": f"{run.parameters:,}", "Training s": f"{run.fit_seconds:.0f}"}
        for run in result.runs
    ]


def gain_rows(result: FusionResult) -> list[dict[str, str]]:
    """What the first run leads each other by: an interval off zero is a difference."""
    first = name_of(result, result.champion)
    return [
        {f"{first}, minus": name_of(result, name)} | {TITLES[key]: interval_text(s) for key, s in row.items()}
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, keep, print."""
    args = _parser().parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "imaging.npz"
    if not kept.is_file():
        load_cohort(args.source, args.target, args.size, args.samples).save(kept)
    cohort = ImagingCohort.load(kept)
    config = FusionCompareConfig(
        variants=tuple(args.variants),
        controls=not args.no_controls,
        baselines=not args.no_baselines,
        n_folds=args.folds,
        seed=args.seed,
        backbone=args.backbone,
        width=args.width,
        hidden=args.hidden,
        epochs=args.epochs,
        batch_size=args.batch,
        learning_rate=args.learning_rate,
        spread=args.spread,
        max_features=args.max_features,
        n_seeds=args.seeds,
        device=args.device,
    )
    result = compare_fusion(cohort, config, Say(), keep=args.out)
    result.save(args.out)
    text = report(result, cohort.notes)
    (args.out / "report.md").write_text(text)
    sys.stdout.write(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    usual = FusionCompareConfig()
    parser = argparse.ArgumentParser(prog="python -m genomap_core.workflows.fusion_table", description=__doc__)
    parser.add_argument("source", help="simulated; a stored cohort (.npz); a folder with index.csv; a table")
    parser.add_argument("--target", help="column of classes; of a folder also histology or grade")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--size", type=int, default=64, help="side of the images in pixels")
    parser.add_argument("--samples", type=int, default=240, help="simulated patients")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--no-controls", action="store_true")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--backbone", default=usual.backbone, choices=list(BACKBONES))
    parser.add_argument("--spread", default=usual.spread, choices=list(SPREADS))
    for name, default in (("folds", usual.n_folds), ("seed", usual.seed), ("seeds", usual.n_seeds)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("width", usual.width), ("hidden", usual.hidden), ("epochs", usual.epochs)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("batch", usual.batch_size), ("max-features", usual.max_features)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--learning-rate", type=float, default=usual.learning_rate)
    parser.add_argument("--device", default=usual.device)
    return parser


if __name__ == "__main__":
    sys.exit(main())
