"""Images + omics against each alone, controls and linear models: ``python -m tools.fusion_table``.

Every run is kept in ``--out`` when it is done; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from genomap_core.cli.progress import teller
from genomap_core.data.images.networks import BACKBONES, SPREADS, VARIANTS
from genomap_core.data.images.patients import PatientImages
from genomap_core.workflows.fusion.compare import FusionCompareConfig, compare_fusion
from genomap_core.workflows.fusion.data import load_cohort
from genomap_core.workflows.fusion.words import report


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, keep, print."""
    args = _parser().parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "imaging.npz"
    if not kept.is_file():
        load_cohort(args.source, args.target, args.size, args.samples).save(kept)
    cohort = PatientImages.load(kept)
    config = FusionCompareConfig(
        variants=tuple(args.variants),
        controls=not args.no_controls,
        baselines=not args.no_baselines,
        adaptive=not args.no_adaptive,
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
    result = compare_fusion(cohort, config, teller(sys.stderr), keep=args.out)
    result.save(args.out)
    text = report(result, cohort.notes)
    (args.out / "report.md").write_text(text)
    sys.stdout.write(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    usual = FusionCompareConfig()
    parser = argparse.ArgumentParser(prog="python -m tools.fusion_table", description=__doc__)
    parser.add_argument("source", help="simulated; a stored cohort (.npz); a folder with index.csv; a table")
    parser.add_argument("--target", help="column of classes; of a folder also histology or grade")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--size", type=int, default=64, help="side of the images in pixels")
    parser.add_argument("--samples", type=int, default=240, help="simulated patients")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--no-controls", action="store_true")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--no-adaptive", action="store_true", help="no weights learned on inner folds")
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
