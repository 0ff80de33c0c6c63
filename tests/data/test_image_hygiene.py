"""Images cleaned, copies found, and classes that can be told without looking at the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.data.images.degrade import CONDITIONS, degrade
from genomap_core.data.images.hygiene import check_image, head_region, normalise, otsu_threshold, to_grey
from genomap_core.data.images.labelled import LabelledImages
from genomap_core.data.images.leakage import find_duplicates, inspect_collection, join_groups, perceptual_hash
from genomap_core.data.simulated.mri import brain_tissue, picture
from genomap_core.errors import InputError


def head(seed: int, size: int = 96) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tissue = brain_tissue(size, rng)
    return picture(tissue, np.zeros(tissue.shape), "t1gd", False, rng)


def heads(n: int, size: int = 96) -> list[np.ndarray]:
    return [head(s, size) for s in range(n)]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 5), gain=st.floats(0.2, 20), offset=st.floats(0, 3))
def test_brightness_and_contrast_leave_no_trace(seed: int, gain: float, offset: float) -> None:
    image = head(seed)
    np.testing.assert_allclose(normalise(gain * image + offset, 64), normalise(image, 64), atol=0.05)


@pytest.mark.parametrize("kind", ["rgb", "rgba", "16 bit", "8 bit"])
def test_the_mode_of_the_file_leaves_no_trace(kind: str) -> None:
    eight = (head(1) * 255).round().astype(np.uint8)
    other = {
        "8 bit": eight,
        "rgb": np.stack([eight] * 3, axis=2),
        "rgba": np.stack([eight] * 3 + [np.full_like(eight, 255)], axis=2),
        "16 bit": eight.astype(np.uint16) * 257,
    }[kind]
    np.testing.assert_allclose(normalise(other, 64), normalise(eight, 64), atol=1e-3)


def test_the_margin_leaves_no_trace() -> None:
    image = head(2)
    wide = np.zeros((140, 200), np.float32)
    wide[20:116, 60:156] = image
    same = np.corrcoef(normalise(wide, 64).ravel(), normalise(image, 64).ravel())[0, 1]
    assert same > 0.97


def test_inside_the_head_the_mean_is_zero_and_outside_everything() -> None:
    clean = normalise(head(3), 96)[0]
    assert abs(clean[clean != 0].mean()) < 0.05
    assert clean[:3].any() or clean[0, 0] == 0
    assert clean[0, 0] == clean[-1, -1] == 0


def test_the_head_is_found() -> None:
    rng = np.random.default_rng(4)
    tissue = brain_tissue(128, rng)
    region = head_region(picture(tissue, np.zeros(tissue.shape), "t1gd", False, rng))
    truth = tissue > 0
    assert (region & truth).sum() / (region | truth).sum() > 0.95


def test_otsu_parts_two_levels() -> None:
    values = np.array([[0.1, 0.12, 0.9], [0.88, 0.11, 0.92]])
    assert 0.12 < otsu_threshold(values) < 0.88


def test_a_picture_that_is_not_square_is_not_stretched() -> None:
    disc = np.zeros((60, 120), np.float32)
    y, x = np.mgrid[:60, :120]
    disc[(y - 30) ** 2 + (x - 60) ** 2 < 25**2] = 1.0
    clean = normalise(disc + 0.01 * np.random.default_rng(0).random(disc.shape), 64)[0]
    rows, columns = (np.flatnonzero((clean != 0).any(a)) for a in (1, 0))
    assert abs(len(rows) - len(columns)) <= 1


@pytest.mark.parametrize(
    ("image", "spacing", "words"),
    [
        (np.zeros((64, 64)), None, "black"),
        (np.full((64, 64), 7.0), None, "one value 7"),
        (np.eye(20), None, "20 x 20 pixels are too few"),
        (np.eye(64) * np.nan, None, "finite"),
        (np.zeros((64, 64, 7)), None, "shape"),
        (np.zeros(64), None, "shape"),
        (np.eye(64), (0.0, 1.0), "spacing"),
        (np.eye(64), (float("nan"), 1.0), "spacing"),
        (np.eye(64).astype(complex), None, "numbers"),
    ],
)
def test_an_image_that_cannot_be_used_says_why(image: np.ndarray, spacing: tuple | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_image(image, "scan.png", spacing)


def test_good_images_pass() -> None:
    for image in (np.eye(64), np.eye(40, 90, dtype=np.uint16), np.random.default_rng(0).random((50, 50, 3))):
        check_image(image, spacing=(0.5, 0.5))
    assert to_grey(np.ones((4, 4, 3))).shape == (4, 4)


def test_planted_copies_are_found_and_others_left_alone() -> None:
    images = [normalise(i, 64)[0] for i in heads(12)]
    rng = np.random.default_rng(0)
    images.append(images[0] + 0.1 * rng.normal(size=(64, 64)).astype(np.float32))
    images.append(images[1][:, ::-1])
    images.append(1.5 * images[2])
    found = find_duplicates(np.stack(images))
    assert {tuple(p) for p in found.pairs} == {(0, 12), (1, 13), (2, 14)}
    assert found.n_copies == 3
    assert found.groups[0] == found.groups[12]
    assert len(np.unique(found.groups[:12])) == 12


def test_the_hash_does_not_see_brightness() -> None:
    images = np.stack(heads(3))
    np.testing.assert_array_equal(perceptual_hash(images), perceptual_hash(3 * images + 1))


def test_planted_leaks_are_named_and_cleaned_away() -> None:
    images, y = heads(36, 64), np.tile([0, 1], 18)
    leaky = [np.stack([i + 0.3] * 3, axis=2) if c else 0.5 * i for i, c in zip(images, y)]
    report = inspect_collection(leaky, y)
    leaks = {leak.name: leak for leak in report.leaks}
    assert leaks["mode"].before == 1.0
    assert leaks["brightness"].before > 0.9
    assert not leaks["size"].present
    assert leaks["mode"].removed
    assert leaks["brightness"].removed
    assert any("colour mode" in line for line in report.messages)
    assert any("patient" in line for line in report.messages)


def test_honest_images_give_no_alarm() -> None:
    report = inspect_collection(heads(36, 64), np.tile([0, 1], 18), patients=np.arange(36))
    assert report.messages == ()


def test_copies_with_different_labels_are_counted() -> None:
    images = heads(12, 64)
    report = inspect_collection([*images, images[0]], np.array([0, 1] * 6 + [1]))
    assert report.n_conflicts == 1
    assert any("different labels" in line for line in report.messages)


def test_groups_are_joined_transitively() -> None:
    joined = join_groups(np.array([0, 0, 1, 2, 3]), np.array([5, 6, 6, 7, 8]))
    assert joined[0] == joined[1] == joined[2]
    assert len({joined[0], joined[3], joined[4]}) == 3


@pytest.mark.parametrize("condition", CONDITIONS)
def test_degrading_does_more_at_higher_levels_and_keeps_the_other_side(condition: str) -> None:
    images = np.stack([normalise(i, 64) for i in heads(3)])
    untouched = (images != 0) if condition == "background" else (images == 0)
    changes = []
    for level in CONDITIONS[condition]:
        worse = degrade(images, condition, level)
        np.testing.assert_array_equal(worse[untouched], images[untouched])
        changes.append(float(((worse - images) ** 2).mean()))
    assert min(changes) > 0
    if condition != "contrast":
        assert changes == sorted(changes)


def test_noise_has_the_strength_it_says() -> None:
    images = np.stack([normalise(i, 64) for i in heads(3)])
    difference = (degrade(images, "noise", 0.5) - images)[images != 0]
    assert difference.std() == pytest.approx(0.5, rel=0.05)


def test_a_cohort_survives_the_disk(tmp_path) -> None:
    images = np.random.default_rng(0).normal(size=(4, 1, 32, 32)).astype(np.float16).astype(np.float32)
    masks = np.zeros((4, 32, 32), np.float32)
    masks[1] = np.nan
    cohort = LabelledImages(
        "c",
        images,
        np.array([0, 1, 0, 1]),
        ("a", "b"),
        tuple("wxyz"),
        np.array([0, 0, 1, 2]),
        masks,
        None,
        ("b",),
        ("a",),
    )
    cohort.save(tmp_path / "c.npz")
    again = LabelledImages.load(tmp_path / "c.npz")
    assert again.digest == cohort.digest
    assert again.infiltrating == ("a",)
    np.testing.assert_array_equal(again.tumour, [1, 0, 1, 0])


def test_a_cohort_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(InputError, match="3 labels for 4 images"):
        LabelledImages("c", np.zeros((4, 1, 32, 32)), np.zeros(3, int), ("a",), tuple("wxyz"))
    with pytest.raises(InputError, match="no such classes"):
        LabelledImages("c", np.zeros((1, 1, 32, 32)), np.zeros(1, int), ("a",), ("w",), infiltrating=("q",))
