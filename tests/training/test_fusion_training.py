"""Training of fusion networks: what is learned from whom, missing types, a stopped training, the file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from planted_fusion import planted

from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import BundleError, Cancelled, InputError
from genomap_core.progress import Progress
from genomap_core.training.fusion import FusionClassifier, FusionConfig
from genomap_core.training.fusion_bundle import load_fusion, save_fusion

TINY = FusionConfig(width=4, hidden=16, epochs=3, n_seeds=2, device="cpu")


def changed(cohort: PatientImages, **table: object) -> PatientImages:
    return dataclasses.replace(cohort, table=dataclasses.replace(cohort.table, **table))


@pytest.fixture(scope="module")
def model() -> FusionClassifier:
    return FusionClassifier(TINY).fit(planted(40, missing=0.2))


def test_probabilities_are_those_of_the_mean_logits(model: FusionClassifier) -> None:
    cohort = planted(30, seed=1)
    logits = model.logits(model.inputs(cohort))
    assert logits.shape == (30, 4)
    np.testing.assert_allclose(
        model.predict_proba(cohort), np.exp(logits) / np.exp(logits).sum(1, keepdims=True), atol=1e-12
    )
    given = model.inputs(cohort)
    parts = [torch.from_numpy(a) for a in (given.images, given.maps, given.present)]
    with torch.inference_mode():
        each = torch.stack([module(*parts) for module in model.modules_])
    np.testing.assert_allclose(logits, each.mean(0).numpy(), atol=1e-5)


def test_one_call_of_many_patients_is_many_calls_of_one(model: FusionClassifier) -> None:
    cohort = planted(70, seed=2)
    alone = np.vstack([model.predict_proba(cohort.take([i])) for i in range(70)])
    np.testing.assert_allclose(model.predict_proba(cohort), alone, atol=1e-5)


def test_the_same_seed_gives_the_same_networks() -> None:
    cohort = planted(32)
    torch.manual_seed(5)
    first = FusionClassifier(TINY).fit(cohort).predict_proba(cohort)
    state = torch.get_rng_state()
    torch.manual_seed(6)
    np.testing.assert_array_equal(FusionClassifier(TINY).fit(cohort).predict_proba(cohort), first)
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), state), "the caller's randomness is untouched"


def test_test_rows_play_no_part_in_what_is_fitted() -> None:
    cohort = planted(60)
    spoilt = changed(cohort, X=np.where(np.arange(60)[:, None] < 40, cohort.table.X, 1e4).astype(np.float32))
    spoilt = dataclasses.replace(spoilt, images=np.where(np.arange(60)[:, None, None, None] < 40, cohort.images, 50))
    a, b = (FusionClassifier(TINY).fit(c.take(np.arange(40))) for c in (cohort, spoilt))
    np.testing.assert_array_equal(a.layout_.positions, b.layout_.positions)
    np.testing.assert_array_equal(a.scaling_.mean, b.scaling_.mean)
    new = planted(10, seed=3)
    np.testing.assert_array_equal(a.predict_proba(new), b.predict_proba(new))
    alone, beside = a.inputs(cohort.take([3])), a.inputs(spoilt.take([3, 50]))
    np.testing.assert_array_equal(alone.maps[0], beside.maps[0])
    np.testing.assert_array_equal(alone.images[0], beside.images[0])


@pytest.mark.parametrize(("variant", "kind"), [("image", "X"), ("omics", "images")])
def test_a_network_of_one_kind_answers_the_same_whatever_the_other_is(variant: str, kind: str) -> None:
    model = FusionClassifier(dataclasses.replace(TINY, variant=variant)).fit(planted(32))
    new, other = planted(12, seed=1), planted(12, seed=2)
    mixed = changed(new, X=other.table.X) if kind == "X" else dataclasses.replace(new, images=other.images)
    np.testing.assert_array_equal(model.predict_proba(new), model.predict_proba(mixed))


def test_a_patient_who_lacks_a_type_is_answered_and_its_mask_says_so(model: FusionClassifier) -> None:
    new = planted(20, seed=4, missing=0.5)
    given = model.inputs(new)
    lacking = given.present[:, 1] == 0
    assert 0 < lacking.sum() < 20
    assert not given.maps[lacking, 1].any()
    assert np.isfinite(model.predict_proba(new)).all()


def test_standardised_images_and_maps_have_mean_zero_in_the_training_rows() -> None:
    cohort = planted(40)
    given = FusionClassifier(dataclasses.replace(TINY, epochs=1)).fit(cohort).inputs(cohort)
    np.testing.assert_allclose(given.images.mean((0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(given.images.std((0, 2, 3)), 1, atol=1e-4)
    np.testing.assert_allclose(np.sinh(given.maps).mean(0), 0, atol=1e-4)
    assert given.images.dtype == given.maps.dtype == given.present.dtype == np.float32


def test_images_of_another_brightness_answer_alike(model: FusionClassifier) -> None:
    cohort = planted(24)
    scaled = dataclasses.replace(cohort, images=5 * cohort.images + 100)
    a, b = (FusionClassifier(TINY).fit(c).predict_proba(c) for c in (cohort, scaled))
    np.testing.assert_allclose(a, b, atol=2e-3)


def test_a_cohort_without_images_is_trained_on_its_omics_only() -> None:
    cohort = planted(40, images=False)
    model = FusionClassifier(dataclasses.replace(TINY, variant="omics")).fit(cohort)
    assert model.inputs(cohort).images.shape[1] == 0
    assert model.predict_proba(cohort).shape == (40, 4)
    with pytest.raises(InputError, match="no images: choose the variant 'omics'"):
        FusionClassifier(TINY).fit(cohort)


def test_a_stopped_training_goes_on_to_the_same_networks(tmp_path: Path) -> None:
    cohort = planted(32)
    whole = FusionClassifier(TINY).fit(cohort)
    calls = 0

    def stop(progress: Progress) -> None:
        nonlocal calls
        calls += progress.stage == "training" and bool(progress.values)
        if calls == 5:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        FusionClassifier(TINY, stop, tmp_path).fit(cohort)
    again = FusionClassifier(TINY, checkpoint_dir=tmp_path).fit(cohort)
    np.testing.assert_array_equal(again.predict_proba(cohort), whole.predict_proba(cohort))
    assert again.history_ == whole.history_
    with pytest.raises(InputError, match="other data or options"):
        FusionClassifier(dataclasses.replace(TINY, width=5), checkpoint_dir=tmp_path).fit(cohort)


@pytest.mark.parametrize("variant", ["stacked", "late", "attention", "omics", "image"])
def test_a_saved_model_predicts_the_same(variant: str, tmp_path: Path) -> None:
    cohort = planted(32, missing=0.2)
    config = dataclasses.replace(TINY, variant=variant, epochs=1, spread="smooth")
    model = FusionClassifier(config).fit(cohort)
    save_fusion(tmp_path / "m.safetensors", model, metrics={"auc": 0.5}, provenance={"seed": 1})
    loaded = load_fusion(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.model.predict_proba(cohort), model.predict_proba(cohort))
    assert loaded.model.classes_ == cohort.table.classes
    assert loaded.model.history_ == model.history_
    assert loaded.metrics == {"auc": 0.5}
    save_fusion(tmp_path / "half.safetensors", model, half=True)
    small = load_fusion((tmp_path / "half.safetensors").read_bytes()).model
    np.testing.assert_allclose(small.predict_proba(cohort), model.predict_proba(cohort), atol=5e-3)


def test_a_damaged_or_foreign_file_is_refused(model: FusionClassifier, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_fusion(path, model)
    data = bytearray(path.read_bytes())
    with pytest.raises(BundleError, match="no fusion model"):
        load_fusion(b"something else")
    with pytest.raises(BundleError, match="damaged"):
        load_fusion(bytes(data[:-100]))
    data[-50] ^= 0xFF
    with pytest.raises(BundleError, match="checksum"):
        load_fusion(bytes(data))


def test_other_features_are_refused_by_name(model: FusionClassifier) -> None:
    cohort = planted(10)
    names = ("a:unknown", *cohort.table.feature_names[1:])
    with pytest.raises(BundleError, match=r"missing in the table \(1\): a:0"):
        model.predict_proba(changed(cohort, feature_names=names))


def test_images_of_another_size_or_kind_are_refused(model: FusionClassifier) -> None:
    cohort = planted(10)
    with pytest.raises(InputError, match="images of 24 x 24 pixels, these have 32 x 32"):
        model.predict_proba(planted(10, size=32))
    with pytest.raises(InputError, match="trained on the image channels grey"):
        model.predict_proba(
            dataclasses.replace(cohort, images=np.repeat(cohort.images, 2, axis=1), channels=("grey", "other"))
        )


@pytest.mark.parametrize(
    ("cohort", "words"),
    [
        (changed(planted(20), y=None), "no labels"),
        (changed(planted(20), y=np.zeros(20, np.int64)), "at least two classes"),
        (dataclasses.replace(planted(20), images=np.full((20, 1, 24, 24), np.nan, np.float32)), "no finite number"),
        (changed(planted(20), omics_names=("a", "b", "c")), "no feature is of the type 'c'"),
        (planted(20, size=4, p=80), "do not fit on images of 4 x 4"),
        (changed(planted(20), X=np.full((20, 24), np.inf, np.float32)), "Infinite value"),
    ],
    ids=["labels", "classes", "pixels", "types", "size", "infinite"],
)
def test_what_can_not_be_trained_on_is_refused(cohort: PatientImages, words: str) -> None:
    with pytest.raises(InputError, match=words):
        FusionClassifier(TINY).fit(cohort)


@pytest.mark.parametrize(
    "change",
    [{"spread": "magic"}, {"epochs": 0}, {"noise": -1.0}, {"channel_dropout": 1.0}, {"learning_rate": 0.0}],
)
def test_options_out_of_range_are_refused_by_name(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"`{next(iter(change))}`"):
        FusionConfig(**change)  # type: ignore[arg-type]


def volumes(n: int, seed: int = 0) -> PatientImages:
    """Four slices; only their order tells the first word of a class: bright below or bright above."""
    cohort = planted(n, seed, images=False)
    rng = np.random.default_rng(seed + 50)
    up = (2 * (np.asarray(cohort.table.y) % 2) - 1)[:, None, None, None]
    slope = np.linspace(-1, 1, 4)[None, :, None, None]
    pixels = rng.normal(0, 0.5, (n, 4, 16, 16)) + 0.8 * up * slope
    channels = tuple(f"slice {k + 1}" for k in range(4))
    return PatientImages(pixels.astype(np.float32), cohort.table, channels)


def test_a_network_in_3d_learns_what_only_the_depth_shows(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, variant="image", backbone="small3d", epochs=10, n_seeds=1)
    model = FusionClassifier(config).fit(volumes(64))
    new = volumes(60, seed=9)
    brighter = model.predict_proba(new)[:, [1, 3]].sum(axis=1) > 0.5
    assert (brighter == (np.asarray(new.table.y) % 2 == 1)).mean() > 0.8
    save_fusion(tmp_path / "m.safetensors", model)
    loaded = load_fusion(tmp_path / "m.safetensors").model
    np.testing.assert_array_equal(loaded.predict_proba(new), model.predict_proba(new))


def test_a_network_in_3d_needs_slices() -> None:
    with pytest.raises(InputError, match="needs several slices"):
        FusionClassifier(dataclasses.replace(TINY, backbone="small3d")).fit(planted(24))
