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
from genomap_core.workflows.lessons.growth import growth_lesson
from genomap_core.workflows.lessons.trained import attribution_task, map_task
from genomap_core.workflows.lessons.unscramble import Unscrambled, collection, unscramble

FOLDER = SAMPLE_DATA / "lessons"
MAP, ATTRIBUTION, MAPS, GROWTH = "map.json", "attribution.json", "attributions.npz", "growth.npz"
UNSCRAMBLED = "unscrambled.npz"
PICTURES = (3, 4, 10, 30, 100, 400)
"""How many pictures the layout looked at in the shipped results"""
GROWN = (0.08, 0.2)
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


def unscrambled(n: int, control: bool = False) -> Unscrambled:
    """The shipped rebuilding of ``n`` textures; ``control``: every picture's pixels were shuffled in its own way."""
    found, name = shipped(UNSCRAMBLED), f"{'control' if control else 'together'}_{n}"
    frames = tuple(found[name].astype(np.int32))
    kept, before, off = found[f"{name}_scores"].tolist()
    return Unscrambled(_pictures(n, control), frames[0], frames, kept, before, off)


def _pictures(n: int, control: bool) -> np.ndarray:
    pictures = collection("textures", n)
    flat = np.random.default_rng(0).permuted(pictures.reshape(n, -1), axis=1) if control else pictures
    return flat.reshape(pictures.shape)


def write(folder: Path = FOLDER) -> None:
    """Compute all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    _, seen = growth_lesson({"diffusion": GROWN[0], "rate": GROWN[1]}, {}, {})
    small: dict[str, Any] = {key: array.astype(np.float16) for key, array in seen.items()}
    np.savez_compressed(folder / GROWTH, **small)
    rebuilt: dict[str, Any] = {}
    for n in PICTURES:
        for name, control in (("together", False), ("control", True)):
            one = unscramble(_pictures(n, control))
            rebuilt[f"{name}_{n}"] = np.stack(one.frames).astype(np.int8)
            rebuilt[f"{name}_{n}_scores"] = np.array([one.kept, one.kept_shuffled, one.off])
    np.savez_compressed(folder / UNSCRAMBLED, **rebuilt)
    for name, task in ((ATTRIBUTION, attribution_task), (MAP, map_task)):
        found = task({"seed": 0}, folder, ignore)
        write_atomically(folder / name, json.dumps(found, indent=1).encode(), mode=0o666)


if __name__ == "__main__":
    write()
