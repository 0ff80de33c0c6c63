"""``growth``: one verdict an image, as text and as a line of JSON, and no class where there is no answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genomap_core.cli import growth
from genomap_core.cli.options import Growth
from genomap_core.cli.parse import parse
from genomap_core.errors import InputError
from genomap_core.progress import ignore
from genomap_core.workflows.growth.view import PHYSNET, sample_models

SIMULATED = Path(sample_models()["physnet"])
KEYS = ["file", "verdict", "class", "probabilities", "why"]


def options(*arguments: str) -> Growth:
    name, found = parse(["growth", *arguments, "--quiet"])
    assert name == "growth"
    assert isinstance(found, Growth)
    return found


@pytest.fixture
def images(tmp_path: Path) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (90, 90))
    arrays = {"noise": noise, "tiny": noise[:9, :9], "blank": 0 * noise}
    paths = {name: tmp_path / f"{name}.png" for name in arrays}
    for name, array in arrays.items():
        Image.fromarray(array.astype(np.uint8)).save(paths[name])
    paths["text"] = tmp_path / "text.png"
    paths["text"].write_text("no picture")
    paths["missing"] = tmp_path / "missing.png"
    return paths


def test_every_image_gets_its_line_and_what_is_no_head_no_class(images: dict[str, Path]) -> None:
    names = [str(path) for path in images.values()]
    answer = growth.run(options(*names, "--json"), ignore)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["file"] for line in lines] == names
    for line in lines:
        assert list(line) == KEYS
        assert line["verdict"] in ("unlike", "refused")
        assert line["class"] is None
        assert line["probabilities"] is None
    assert {line["verdict"] for line in lines[1:]} == {"refused"}


def test_the_models_of_simulated_slices_answer_no_file(images: dict[str, Path]) -> None:
    slice_ = SIMULATED.parent / "glioma_01.png"
    answer = growth.run(options(str(slice_), "--model", str(SIMULATED)), ignore)
    assert SIMULATED.name == PHYSNET
    assert "refused" in answer.text
    assert "simulated" in answer.text


def test_a_stated_modality_is_refused_by_name(images: dict[str, Path]) -> None:
    answer = growth.run(options(str(images["noise"]), "--model", str(SIMULATED), "--modality", "CT", "--json"), ignore)
    assert "computed tomography" in json.loads(answer.text)["why"]


def test_a_model_that_is_not_there_is_said(images: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model"):
        growth.run(options(str(images["noise"]), "--model", str(tmp_path / "m.safetensors")), ignore)
