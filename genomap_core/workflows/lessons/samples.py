"""Results of the lessons that come with the program: ``python -m genomap_core.workflows.lessons.samples``.

Everything is simulated and made with seed 0: 5 to 15 minutes on one core.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.errors import InputError
from genomap_core.files import SAMPLE_DATA, write_atomically
from genomap_core.progress import ignore
from genomap_core.workflows.lessons.growth import DIFFUSION, N_VALUES, RATE, growth_lesson, values
from genomap_core.workflows.lessons.trained import attribution_task, map_task

FOLDER = SAMPLE_DATA / "lessons"
MAP, ATTRIBUTION, MAPS, GROWTH = "map.json", "attribution.json", "attributions.npz", "growth.npz"
GROWN = (float(values(DIFFUSION)[N_VALUES // 2]), float(values(RATE)[N_VALUES // 2]))
"""Diffusion and rate of the tumour that is shipped"""


def shipped(name: str) -> dict[str, Any]:
    """What was computed for a lesson: of a JSON file its content, of an ``npz`` its arrays.

    Raises
    ------
    InputError
        The file is missing.
    """
    path = FOLDER / name
    if not path.is_file():
        raise InputError(f"{path.name} is missing: write it again with `python -m {__spec__.name}`.")
    if path.suffix == ".json":
        return dict(json.loads(path.read_text()))
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def write(folder: Path = FOLDER) -> None:
    """Compute all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    _, seen = growth_lesson({"diffusion": GROWN[0], "rate": GROWN[1]}, {}, {})
    small: dict[str, Any] = {key: array.astype(np.float16) for key, array in seen.items()}
    np.savez_compressed(folder / GROWTH, **small)
    for name, task in ((ATTRIBUTION, attribution_task), (MAP, map_task)):
        found = task({"seed": 0}, folder, ignore)
        write_atomically(folder / name, json.dumps(found, indent=1).encode(), mode=0o666)


if __name__ == "__main__":
    write()
