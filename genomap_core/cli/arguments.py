"""What can be asked on the command line. Imports no more than argparse, so that ``--help`` is there at once."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

SOLVERS = ("ot", "gromov", "published", "embedding", "sorted", "random")
MODELS = ("genomap", "genomap_random", "genonet", "pfn", "logistic", "forest")
NETWORKS = MODELS[:3]
METHODS = ("integrated_gradients", "deeplift", "gradient_shap", "occlusion", "gradcam", "shapley", "ablation")
DEVICES = ("auto", "cpu", "cuda", "mps")
SCALES = ("as-is", "log2")
"""Names of the library, whose modules are too heavy to import for a help text; a test holds them against it."""

_DESCRIPTION = (
    "GenoMap Studio without a browser: files in, files out. "
    "For research use only. Not for use in diagnostic procedures."
)
_EXIT = "Exit status: 0 done, 1 the data are at fault (what, where and how to mend it is said), 2 wrong arguments."


def parser() -> argparse.ArgumentParser:
    """The parser of every command; ``options.command`` is its name."""
    top = argparse.ArgumentParser(prog="python -m genomap_core", description=_DESCRIPTION, epilog=_EXIT)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    inspect = commands.add_parser("inspect", help="say what is in files, and what is wrong with them")
    inspect.add_argument("files", nargs="+", metavar="FILE")
    inspect.add_argument("--json", action="store_true", help="one line of JSON for each file")
    _layout(_command(commands, "layout", "a place on the grid for every feature of a table"))
    _train(_command(commands, "train", "a network on the maps of a table, tested on held-out rows"))
    _predict(_command(commands, "predict", "class probabilities of a table's samples under a saved model"))
    _explain(_command(commands, "explain", "what each feature did to a saved model's answers"))
    _report(_command(commands, "report", "one patient under two models that never saw him, as HTML or PDF"))
    commands.add_parser("licences", help="the licence of every package that the program uses, as a table")
    return top


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.", epilog=_EXIT)


def _layout(command: argparse.ArgumentParser) -> None:
    _table(command)
    _out(command, ".csv", ".h5ad", about="feature, row, column, channel; or an AnnData file with the layout in it")
    command.add_argument("--maps", type=_ending(".npz"), metavar="NPZ", help="also write the map of every sample")
    command.add_argument("--solver", choices=SOLVERS, default="ot")
    command.add_argument(
        "--balance", type=_number(0, 1), default=0.5, metavar="B", help="0 distances only, 1 neighbourhoods only"
    )
    command.add_argument("--grid", type=grid, metavar="HxW", help="cells; default: the smallest near-square grid")
    command.add_argument("--max-features", type=_whole(1), default=16_384, metavar="N", help="most variable ones kept")
    command.add_argument("--joint", action="store_true", help="all omics types on one map instead of one map each")
    _common(command)


def _train(command: argparse.ArgumentParser) -> None:
    _table(command)
    _out(command, ".safetensors", about="the model: one file without a pickle")
    command.add_argument("--model", choices=NETWORKS, default="genomap", help="those that a model file can hold")
    command.add_argument("--solver", choices=SOLVERS, default="ot", help="of the layout")
    command.add_argument("--epochs", type=_whole(1), metavar="N", help="at most; default: the network's own")
    command.add_argument("--networks", type=_whole(1), default=2, metavar="N", help="whose mean answers (default 2)")
    command.add_argument("--noise", type=_number(0, 10), metavar="SD", help="put on training maps")
    command.add_argument("--max-features", type=_whole(1), default=4096, metavar="N", help="most variable ones kept")
    command.add_argument("--device", choices=DEVICES, default="auto")
    _common(command)


def _predict(command: argparse.ArgumentParser) -> None:
    _saved_model(command)
    _table(command)
    _out(command, ".csv", about="sample_id, predicted, and a column for each class")
    _common(command)


def _explain(command: argparse.ArgumentParser) -> None:
    _saved_model(command)
    _table(command)
    _out(command, ".csv", about="one row a sample: the class explained, then a column for each feature")
    command.add_argument("--sample", action="append", metavar="ID", help="only this one; may be repeated")
    command.add_argument("--class", dest="explained", metavar="NAME", help="default: the most likely of each sample")
    command.add_argument("--method", choices=("auto", *METHODS), default="auto")
    command.add_argument(
        "--background", type=Path, metavar="TABLE", help="rows of the baseline of shapley, ablation, gradient_shap"
    )
    _common(command)


def _report(command: argparse.ArgumentParser) -> None:
    _table(command)
    _out(command, ".html", ".pdf", about="the report")
    command.add_argument("--sample", required=True, metavar="ID", help="the patient")
    command.add_argument("--models", nargs=2, choices=MODELS, default=("genomap", "pfn"), metavar=("A", "B"))
    command.add_argument("--class", dest="explained", metavar="NAME", help="explained; default: the patient's label")
    command.add_argument("--name", help='on the report; default "Patient" and the row\'s number: no identifier')
    command.add_argument("--folds", type=_whole(2), default=5, metavar="N")
    command.add_argument("--epochs", type=_whole(1), metavar="N", help="of networks, at most")
    command.add_argument("--max-features", type=_whole(1), default=4096, metavar="N", help="on the map")
    command.add_argument("--weights", metavar="FILE", help="of the tabular model; default: the first that are found")
    command.add_argument("--run", type=Path, metavar="FOLDER", help="keep the comparison there for more reports")
    command.add_argument("--device", choices=DEVICES, default="auto")
    _common(command)


def _saved_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=Path, metavar="MODEL", help="as `train` or the app wrote it")


def _table(command: argparse.ArgumentParser) -> None:
    command.add_argument("table", type=Path, metavar="TABLE", help="CSV, TSV, gzip, Excel, Parquet or h5ad")
    roles = command.add_argument_group("columns of the table (default: as `inspect` proposes)")
    roles.add_argument("--target", metavar="COL", help="the classes")
    roles.add_argument("--id", metavar="COL", help="names of the samples")
    roles.add_argument("--group", metavar="COL", help="what must stay together in splits")
    roles.add_argument("--set-aside", action="append", default=[], metavar="COL", help="no feature; may be repeated")
    roles.add_argument("--scale", choices=SCALES, help="log2: log2(1 + x) of all numbers")
    roles.add_argument("--sheet", help="of a workbook")
    roles.add_argument("--layer", help="of an h5ad file, or raw")


def _out(command: argparse.ArgumentParser, *endings: str, about: str) -> None:
    command.add_argument("--out", type=_ending(*endings), required=True, metavar="FILE", help=about)


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seed", type=_whole(0), default=0)
    command.add_argument("--json", action="store_true", help="say the figures as one line of JSON")
    command.add_argument("--quiet", action="store_true", help="no progress and no notes on standard error")


def grid(text: str) -> tuple[int, int]:
    """``32x40`` -> height and width."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and 0 < int(side) <= 10_000 for side in sides):
        raise argparse.ArgumentTypeError(f"{text!r} is no grid: write height and width as in 32x40")
    return int(sides[0]), int(sides[1])


def _ending(*endings: str) -> Callable[[str], Path]:
    def convert(text: str) -> Path:
        if Path(text).suffix.lower() not in endings:
            raise argparse.ArgumentTypeError(f"{text!r} must end in {' or '.join(endings)}")
        return Path(text)

    return convert


def _whole(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, at least {least}")
        return int(text)

    return convert


def _number(low: float, high: float) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} must be a number from {low:g} to {high:g}")
        return value

    return convert


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; ends the process with status 2 where they are wrong."""
    return parser().parse_args(arguments)
