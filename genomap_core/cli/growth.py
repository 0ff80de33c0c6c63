"""``growth``: the class of brain MRI slices, where the image is like those that the model was trained on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from genomap_core.cli.answer import Answer
from genomap_core.cli.options import Growth
from genomap_core.errors import InputError
from genomap_core.io.images.preview import read_pixels
from genomap_core.progress import OnProgress, Progress
from genomap_core.workflows.growth.gate import GateVerdict
from genomap_core.workflows.growth.real import FOLDER, MODEL

if TYPE_CHECKING:
    from genomap_core.training.growth_bundle import GrowthBundle


def run(options: Growth, on_progress: OnProgress) -> Answer:
    """One line an image: the verdict, the class where there is one, and why. Of a volume the middle slice."""
    from genomap_core.training.growth_bundle import load_growth

    model = options.model or FOLDER / MODEL
    if not model.is_file():
        raise InputError(f"There is no model {model}: give another with --model.")
    bundle = load_growth(model)
    rows = []
    for k, path in enumerate(options.images):
        on_progress(Progress("looking", k, len(options.images)))
        rows.append(_verdict(bundle, path, options.modality).as_dict(str(path)))
    counts = Counter(str(row["verdict"]) for row in rows)
    lines = [json.dumps(row) if options.as_json else _line(row) for row in rows]
    return Answer("\n".join(lines), {"images": rows, "verdicts": dict(counts)} if not options.as_json else None)


def _verdict(bundle: GrowthBundle, path: Path, modality: str) -> GateVerdict:
    from genomap_core.workflows.growth.gate import examine

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
