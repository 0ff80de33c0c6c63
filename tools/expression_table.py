"""From images to expression, with every baseline and control: ``python -m tools.expression_table``.

Every run is kept in ``--out`` when it is done; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from genomap_core.cli.progress import teller
from genomap_core.data.images.expression import ExpressionOptions, expression_cohort
from genomap_core.data.images.networks import FRONTS, FULL, HEADS, LOSSES, PATHS, ExpressionConfig
from genomap_core.data.images.patients import PatientImages
from genomap_core.workflows.expression.compare import ExpressionCompareConfig, compare_expression
from genomap_core.workflows.expression.words import report

_NETWORK = ("front", "paths", "epochs", "batch_size", "learning_rate", "width")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, keep, print."""
    args = _parser().parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "imaging.npz"
    if not kept.is_file():
        _read(args).save(kept)
    options = ExpressionOptions(target=args.target, max_genes=args.genes, by_label=args.by_label)
    cohort = expression_cohort(PatientImages.load(kept), options)
    training = replace(
        FULL if args.full else ExpressionConfig(),
        device=args.device,
        loss=args.loss,
        weights=args.weights,
        **{name: value for name in _NETWORK if (value := getattr(args, name))},
    )
    config = ExpressionCompareConfig(
        heads=tuple(args.heads),
        controls=not args.no_controls,
        ablations=args.ablations,
        per_cohort=args.per_cohort,
        n_folds=args.folds,
        n_permutations=args.permutations,
        seed=args.seed,
        training=training,
    )
    result = compare_expression(cohort, config, teller(sys.stderr), keep=args.out)
    result.save(args.out)
    text = report(result, [str(m) for m in cohort.messages])
    (args.out / "report.md").write_text(text)
    sys.stdout.write(text)
    return 0


def _read(args: argparse.Namespace) -> PatientImages:
    """The cohort of the command line: simulated, spots of a tissue, images and tables, or one table."""
    from genomap_core.data.images.patients import ImagingOptions
    from genomap_core.data.simulated.radiogenomics import simulate_radiogenomics
    from genomap_core.io.images.cohort import read_imaging_cohort
    from genomap_core.io.images.spatial import SpatialOptions, read_spatial
    from genomap_core.workflows.fusion.data import table_cohort

    if args.source == "simulated":
        return simulate_radiogenomics().cohort
    path = Path(args.source)
    if args.spots:
        options = SpatialOptions(side=args.size, n_genes=args.genes, groups=args.spots)
        return read_spatial(path, options, name=path.stem)[0]
    if path.is_file() and path.suffix != ".zip":
        return table_cohort(path)
    cohort, messages = read_imaging_cohort(path, ImagingOptions(side=args.size))
    if cohort is None:
        raise SystemExit("\n".join(str(m) for m in messages))
    return cohort


def _parser() -> argparse.ArgumentParser:
    usual = ExpressionCompareConfig()
    parser = argparse.ArgumentParser(prog="python -m tools.expression_table", description=__doc__)
    parser.add_argument("source", help="simulated; a folder or ZIP of images and tables; a table; with --spots: tissue")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--target", default="", help="omics type that is predicted; empty: found by its name")
    parser.add_argument("--spots", choices=["patient", "section"], help="the source holds sections; what never parts")
    parser.add_argument("--size", type=int, default=64, help="side of the images in pixels")
    parser.add_argument("--genes", type=int, default=1000, help="at most, those that vary most")
    parser.add_argument("--heads", nargs="+", default=list(HEADS), choices=list(HEADS))
    parser.add_argument("--by-label", action="store_true", help="the classes are cohorts")
    parser.add_argument("--per-cohort", action="store_true", help="a network for each cohort")
    parser.add_argument("--no-controls", action="store_true")
    parser.add_argument("--ablations", action="store_true", help="networks that lack a part")
    parser.add_argument("--full", action="store_true", help="the full preset, for a GPU")
    parser.add_argument("--front", choices=list(FRONTS))
    parser.add_argument("--paths", choices=list(PATHS), help="from the CNN to a patient: with the transformer or not")
    parser.add_argument("--loss", default="mse", choices=list(LOSSES))
    parser.add_argument("--weights", default="", help="a 2-D ResNet-18's weights (.safetensors)")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--learning-rate", type=float)
    for name, default in (("folds", usual.n_folds), ("permutations", usual.n_permutations), ("seed", usual.seed)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="auto")
    return parser


if __name__ == "__main__":
    sys.exit(main())
