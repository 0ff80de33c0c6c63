"""The table of PhysNet against its baselines on a collection: ``python -m tools.growth_table``.

Every network's run is kept in ``--out`` when it is done; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from genomap_core.cli.progress import teller
from genomap_core.data.images.labelled import LabelledImages
from genomap_core.data.images.networks import NETWORKS
from genomap_core.workflows.growth.compare import BASELINES, GrowthCompareConfig, compare_growth
from genomap_core.workflows.growth.data import folder_cohort, indexed_cohort, simulated_cohort, zip_cohort
from genomap_core.workflows.growth.table import report


def load(source: str, label: str | None, size: int, seed: int) -> LabelledImages:
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
    parser = argparse.ArgumentParser(prog="python -m tools.growth_table", description=__doc__)
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
    cohort = LabelledImages.load(kept)
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
    result = compare_growth(cohort, config, teller(sys.stderr), keep=args.out)
    result.save(args.out)
    text = report(result, cohort.notes)
    (args.out / "report.md").write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
