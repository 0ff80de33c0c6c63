"""``growth``: the class of brain MRI slices, where the image is like those that the model was trained on."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from genomap_core.cli.tables import Answer
from genomap_core.errors import InputError
from genomap_core.io.pixels import read_pixels
from genomap_core.progress import OnProgress, Progress
from genomap_core.workflows.growth_gate import GateVerdict
from genomap_core.workflows.growth_real import FOLDER, MODEL

if TYPE_CHECKING:
    from genomap_core.training.growth_bundle import GrowthBundle


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of the command."""
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG, TIFF, DICOM or NIfTI")
    command.add_argument("--model", type=Path, default=FOLDER / MODEL, metavar="MODEL", help="default: the shipped one")
    command.add_argument(
        "--modality", default="", metavar="MR|CT|...", help="of images whose files don't say; default: not known"
    )
    command.add_argument("--json", dest="lines", action="store_true", help="one line of JSON for each image")
    command.set_defaults(json=False)  # the answer is a text of many lines, not one value
    command.add_argument("--quiet", action="store_true", help="no progress on standard error")


def run(options: argparse.Namespace, on_progress: OnProgress) -> Answer:
    """One line an image: the verdict, the class where there is one, and why. Of a volume the middle slice."""
    from genomap_core.training.growth_bundle import load_growth

    if not options.model.is_file():
        raise InputError(f"There is no model {options.model}: give one with --model.")
    bundle = load_growth(options.model)
    rows = []
    for k, path in enumerate(options.images):
        on_progress(Progress("looking", k, len(options.images)))
        rows.append(_verdict(bundle, path, options.modality).as_dict(str(path)))
    counts = Counter(str(row["verdict"]) for row in rows)
    lines = [json.dumps(row) if options.lines else _line(row) for row in rows]
    return Answer("\n".join(lines), {"images": rows, "verdicts": dict(counts)}, ())


def _verdict(bundle: GrowthBundle, path: Path, modality: str) -> GateVerdict:
    from genomap_core.workflows.growth_gate import examine

    if not path.is_file():
        return GateVerdict("refused", "There is no such file: check the path.")
    try:
        stack = read_pixels(path, path.name)
    except InputError as error:
        return GateVerdict("refused", str(error))
    image = stack.slices[stack.middle]
    return examine(bundle, image, modality=stack.modality, stated=modality, name=path.name)


def _line(row: dict[str, object]) -> str:
    chances = row["probabilities"]
    if not isinstance(chances, dict):
        return f"{row['file']}: {row['verdict']}. {row['why']}"
    told = ", ".join(f"{name} {share:.0%}" for name, share in sorted(chances.items(), key=lambda c: -c[1]))
    return f"{row['file']}: {row['class']} ({told}). For research use only."
