"""The table of PhysNet against its baselines on a collection: ``python -m genomap_core.workflows.growth_table``.

Every network's run is kept in ``--out`` when it is done; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from genomap_core.data.image_cohort import ImageCohort
from genomap_core.data.image_networks import NETWORKS
from genomap_core.progress import Progress
from genomap_core.workflows.growth import BASELINES, GrowthCompareConfig, compare_growth
from genomap_core.workflows.growth_data import folder_cohort, indexed_cohort, simulated_cohort, zip_cohort
from genomap_core.workflows.growth_scores import ENSEMBLE, GrowthResult
from genomap_core.workflows.scores import Score

TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "roc_auc": "ROC-AUC",
    "brier": "Brier score",
    "calibration": "Calibration error",
}


def interval_text(score: Score) -> str:
    """``.873 (.841 to .901)``"""
    value, low, high = (f"{v:.3f}".replace("0.", ".", 1) for v in (score.value, score.low, score.high))
    return f"{value} ({low} to {high})"


def title(name: str) -> str:
    """A network's name for people."""
    return "Soft vote of the baselines" if name == ENSEMBLE else NETWORKS[name]


def score_rows(result: GrowthResult) -> list[dict[str, str]]:
    """One row a network: scores with 95 % intervals, and what it costs."""
    first = {run.name: run for run in reversed(result.runs) if run.share == result.runs[0].share}
    rows = []
    for name, scores in result.scores.items():
        row = {"Network": title(name)} | {words: interval_text(scores[key]) for key, words in TITLES.items()}
        run = first.get(name)
        row["Parameters"] = f"{run.parameters:,}" if run else ""
        row["Images/s"] = f"{run.images_per_second:.0f}" if run else ""
        row["Training s"] = f"{run.fit_seconds:.0f}" if run else ""
        rows.append(row)
    return rows


def wide_rows(table: dict[str, dict[str, Score]]) -> list[dict[str, str]]:
    """One row a network, one column a condition or a share of the training images."""
    return [{"Network": title(name)} | {k: interval_text(s) for k, s in row.items()} for name, row in table.items()]


def lead_rows(result: GrowthResult) -> list[dict[str, str]]:
    """How far PhysNet leads in macro F1: an interval off zero is a difference."""
    return [
        {"Baseline": title(name), "Macro F1 of PhysNet minus its own": interval_text(s)}
        for name, s in result.lead.items()
    ]


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """Rows as a Markdown table."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([row.get(n, "") for n in names] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def report(result: GrowthResult, notes: Sequence[str] = ()) -> str:
    """Everything as Markdown."""
    parts = [*notes, markdown(score_rows(result))]
    if result.lead:
        parts.append(markdown(lead_rows(result)))
    if result.robustness:
        parts.append("Macro F1 on degraded test images:\n\n" + markdown(wide_rows(result.robustness)))
    if any(len(row) > 1 for row in result.few.values()):
        parts.append("Macro F1 by share of the training images:\n\n" + markdown(wide_rows(result.few)))
    parts.extend(
        f"{title(name)}: Dice of the 16 % contour against the masks {interval_text(s)}."
        for name, s in result.dice.items()
    )
    return "\n\n".join(parts) + "\n"


def load(source: str, label: str | None, size: int, seed: int) -> ImageCohort:
    """``simulated``; a folder or ZIP with a folder for each class; with ``label`` a folder with an ``index.csv``."""
    path = Path(source)
    if source == "simulated":
        return simulated_cohort(60, size, seed)
    if label is not None:
        return indexed_cohort(path, label, size, path.name)[0]
    if path.is_file():
        return zip_cohort(path, size, path.stem)[0]
    files = ((str(p.relative_to(path)), p.read_bytes()) for p in sorted(path.rglob("*")) if p.is_file())
    return folder_cohort(files, size, path.name)[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, keep, print."""
    parser = argparse.ArgumentParser(prog="python -m genomap_core.workflows.growth_table", description=__doc__)
    parser.add_argument("source", help="simulated, or a folder or ZIP of images with a folder for each class")
    parser.add_argument("--label", help="the source is a folder with index.csv; this is its column of classes")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--size", type=int, default=96, help="side of the cleaned images in pixels")
    parser.add_argument("--networks", nargs="+", default=["physnet18", *BASELINES], choices=list(NETWORKS))
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0], help="shares of the training images")
    for name, default in (("folds", 5), ("width", 32), ("epochs", 30), ("batch", 32), ("stem-stride", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--stage", type=int, default=2, help="the growth stands behind this stage of the ResNet")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / f"cohort-{args.size}.npz"
    if not kept.is_file():
        load(args.source, args.label, args.size, args.seed).save(kept)
    cohort = ImageCohort.load(kept)
    config = GrowthCompareConfig(
        networks=tuple(args.networks),
        n_folds=args.folds,
        seed=args.seed,
        width=args.width,
        stem_stride=args.stem_stride,
        stage=args.stage,
        max_epochs=args.epochs,
        batch_size=args.batch,
        learning_rate=args.learning_rate,
        shares=tuple(sorted(args.shares, reverse=True)),  # the first is what the main tables are of
        device=args.device,
    )
    result = compare_growth(cohort, config, Say(), keep=args.out)
    result.save(args.out)
    text = report(result, cohort.notes)
    (args.out / "report.md").write_text(text)
    sys.stdout.write(text)
    return 0


class Say:
    """A line on standard error for each fold."""

    def __init__(self) -> None:
        self.last = ""

    def __call__(self, progress: Progress) -> None:
        if progress.stage != self.last:
            self.last = progress.stage
            sys.stderr.write(f"{progress.step}/{progress.total} {progress.stage}\n")


if __name__ == "__main__":
    sys.exit(main())
