"""The gate: no class without an answer, other modalities refused by name, what is unlike is told from what is like."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genomap_core.data.simulated.mri import CLASSES
from genomap_core.errors import InputError
from genomap_core.io.images.raster import shown_pixels
from genomap_core.models.physnet import PhysicsConfig
from genomap_core.training.growth import GrowthClassifier, GrowthTraining
from genomap_core.training.growth_bundle import GrowthBundle, load_growth, save_growth
from genomap_core.training.growth_likeness import Calibration, fit_calibration, fit_likeness
from genomap_core.workflows.growth import real
from genomap_core.workflows.growth.data import simulated_cohort
from genomap_core.workflows.growth.gate import VERDICTS, GateVerdict, examine, refuse_modality
from genomap_core.workflows.growth.samples import read_samples, simulated
from tools import outside_slices

SIZE = 48
DATA = Path(os.environ.get("GENOMAP_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
COLLECTION = DATA / "images" / "brain_mri_4class" / "Testing"


@pytest.fixture(scope="module")
def bundle() -> GrowthBundle:
    """A PhysNet hardly trained on simulated slices, that are here what real ones are to the shipped model."""
    cohort = simulated_cohort(40, SIZE, seed=3)
    rows = np.random.default_rng(0).permutation(len(cohort.y))
    train, held = rows[:110], rows[110:]
    config = GrowthTraining(width=8, stem_stride=2, physics=PhysicsConfig(n_steps=4), max_epochs=2, device="cpu")
    model = GrowthClassifier(config).fit(cohort.images[train], cohort.y[train], 4)
    likeness = fit_likeness(model.modules_, cohort.images[train], cohort.y[train], cohort.images[held])
    calibration = Calibration(1.5, -0.3, 2)
    return GrowthBundle(model, CLASSES, ("glioma",), SIZE, {}, {"simulated": False}, calibration, likeness)


def others() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:128, :128]
    disc = np.hypot(y - 64, x - 64) < 50
    text = np.full((128, 128), 255, np.uint8)
    text[10:120:8, 8:120] = rng.integers(0, 2, (14, 112)) * 255
    return {
        "noise": rng.integers(0, 256, (128, 128)).astype(np.uint8),
        "disc of noise": (disc * rng.integers(60, 256, (128, 128))).astype(np.uint8),
        "plain disc": (disc * 200).astype(np.uint8),
        "gradient": np.tile(np.arange(128, dtype=np.uint8), (128, 1)),
        "stripes": ((x // 8 % 2) * 255).astype(np.uint8),
        "text": text,
        "blank": np.zeros((128, 128), np.uint8),
    }


def test_slices_of_the_training_kind_are_answered_and_other_things_are_not(bundle: GrowthBundle) -> None:
    slices = simulated(20, 128, seed=77).images
    answered = [examine(bundle, image).verdict == "answer" for image in slices]
    assert np.mean(answered) >= 0.9
    for name, image in others().items():
        verdict = examine(bundle, image)
        assert verdict.verdict != "answer", name
        assert verdict.name is None
        assert not verdict.probabilities
        assert verdict.as_dict("f")["class"] is None


def test_an_unlike_image_is_told_which_kinds_are_nearest(bundle: GrowthBundle) -> None:
    verdict = examine(bundle, others()["disc of noise"])
    assert verdict.verdict == "unlike"
    assert len(verdict.nearest) == 2
    assert set(verdict.nearest) <= set(CLASSES)
    assert all(name in verdict.why for name in verdict.nearest)


@pytest.mark.parametrize("modality", ["CT", "US", "NM", "PT", "SEG"])
def test_other_modalities_are_refused_by_name_whatever_the_image_shows(bundle: GrowthBundle, modality: str) -> None:
    image = simulated(1, 128, seed=78).images[0]
    verdict = examine(bundle, image, modality=modality)
    assert verdict.verdict == "refused"
    assert modality in verdict.why
    assert examine(bundle, image, stated=modality).verdict == "refused"
    assert examine(bundle, image, modality="MR", stated=modality).verdict == "answer", "the file knows better"


def test_unknown_modality_is_no_refusal() -> None:
    assert refuse_modality("") is None
    assert refuse_modality("mr") is None


def test_models_of_simulated_slices_and_without_a_gate_answer_nothing_from_outside(bundle: GrowthBundle) -> None:
    image = simulated(1, 128, seed=79).images[0]
    simulated_only = dataclasses.replace(bundle, provenance={"simulated": True})
    assert "simulated" in examine(simulated_only, image).why
    without = dataclasses.replace(bundle, likeness=None)
    assert {examine(b, image).verdict for b in (simulated_only, without)} == {"refused"}


def test_a_verdict_can_not_hold_a_class_without_an_answer() -> None:
    for verdict in VERDICTS[1:]:
        with pytest.raises(InputError, match="answer"):
            GateVerdict(verdict, "because", ("a", "b"), (0.5, 0.5))
    with pytest.raises(InputError):
        GateVerdict("answer", "because")
    with pytest.raises(InputError, match="verdict"):
        GateVerdict("perhaps", "because")  # type: ignore[arg-type]


def test_a_file_gives_gate_and_calibration_back(bundle: GrowthBundle, tmp_path) -> None:
    path = tmp_path / "m.safetensors"
    save_growth(
        path,
        bundle.model,
        classes=bundle.classes,
        size=SIZE,
        provenance=bundle.provenance,
        calibration=bundle.calibration,
        likeness=bundle.likeness,
    )
    again = load_growth(path)
    for image in (simulated(1, 128, seed=80).images[0], others()["stripes"]):
        one, other = examine(bundle, image), examine(again, image)
        assert one.verdict == other.verdict
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)


def test_too_few_images_set_no_limit(bundle: GrowthBundle) -> None:
    x = np.zeros((50, 1, SIZE, SIZE), np.float32)
    with pytest.raises(InputError, match="held-out"):
        fit_likeness(bundle.model.modules_, x, np.zeros(50, int), x[:10])


def test_calibration_finds_a_planted_temperature_and_offset() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 3))
    true = Calibration(1.0, 0.8, 1)(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    y = np.array([rng.choice(3, p=p) for p in true])
    sharp = np.exp(2 * logits) / np.exp(2 * logits).sum(1, keepdims=True)
    weights = np.bincount(y) / len(y)
    found = fit_calibration(sharp, y, 1)
    assert found.temperature == pytest.approx(2.0, rel=0.1)
    # Classes weigh alike in the fit, so the offset is that of equally frequent classes.
    assert found.offset == pytest.approx(0.8 - np.log(weights[1] / np.mean(weights[[0, 2]])), abs=0.15)


def test_simulated_slices_as_pictures_get_no_more_than_their_verdict(tmp_path: Path, capsys) -> None:
    images, *_ = read_samples()
    for k, folder in enumerate(real.FOLDERS):
        where = tmp_path / "Testing" / folder / "1.jpg"
        where.parent.mkdir(parents=True)
        Image.fromarray(images[k]).convert("L").save(where)
    assert outside_slices.main([str(tmp_path)]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == ["1"] * 4
    assert {row[-1] for row in rows} == {"0 |"}


def test_more_than_a_verdict_allows_is_a_fault() -> None:
    unlike, answer = {"verdict": "unlike", "class": None}, {"verdict": "answer", "class": "glioma"}
    clean = outside_slices.OnPage("unlike", named=False, drawn=False, figure=False)
    shown = outside_slices.OnPage("answer", named=True, drawn=True, figure=False)
    assert outside_slices.faults([unlike, answer], [clean, shown]) == 0
    assert outside_slices.faults([answer, unlike], [clean, shown]) == 2
    for what in ("named", "drawn", "figure"):
        assert outside_slices.faults([unlike], [dataclasses.replace(clean, **{what: True})]) == 1
    assert outside_slices.faults([answer], [dataclasses.replace(shown, figure=True)]) == 1


@pytest.fixture(scope="module")
def shipped() -> GrowthBundle:
    return load_growth(real.FOLDER / real.MODEL)


def test_the_shipped_model_is_small_and_its_card_says_what_it_was_trained_on(shipped: GrowthBundle) -> None:
    assert (real.FOLDER / real.MODEL).stat().st_size <= 12e6
    assert shipped.model.config.n_seeds == len(shipped.model.modules_) == 3
    assert shipped.size >= 96
    assert not shipped.simulated
    card = json.loads((real.FOLDER / real.CARD).read_text())
    assert card["testing"] == shipped.metrics
    assert len(card["networks"]) == 3
    assert card["trained_on"]["images"] == shipped.provenance["images"]
    assert "EfficientNet-Lite0" in card["trained_on"]["starts_from"]
    assert card["not_for"]


def test_the_shipped_model_answers_nothing_that_is_no_head(shipped: GrowthBundle) -> None:
    for name, image in others().items():
        assert examine(shipped, image).verdict != "answer", name


@pytest.mark.shared
def test_the_shipped_model_answers_real_slices_through_its_density(shipped: GrowthBundle) -> None:
    if not COLLECTION.is_dir():
        pytest.skip("no collection of real slices in the data folder")
    right, seen = [], []
    for c, folder in enumerate(real.FOLDERS):
        for path in sorted((COLLECTION / folder).glob("*.jpg"))[:10]:
            image = shown_pixels(path.read_bytes(), path.name)[0]
            verdict = examine(shipped, image)
            if verdict.verdict == "answer":
                right.append(verdict.name == real.CLASSES[c])
                seen.append(c)
    assert len(right) >= 32
    assert np.mean(right) >= 0.8
