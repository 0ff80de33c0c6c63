"""A cohort of images and omics: rows stay together, and what is written is read again."""

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import InputError


def cohort(n: int = 6) -> PatientImages:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5)).astype(np.float32)
    X[2, 3:] = np.nan  # this patient lacks the second type
    table = Dataset(
        name="Pictures",
        X=X,
        feature_names=tuple("abcde"),
        sample_ids=tuple(f"P{i}" for i in range(n)),
        y=np.arange(n) % 2,
        classes=("one", "two"),
        omics=np.array([0, 0, 0, 1, 1]),
        omics_names=("expression", "methylation"),
    )
    images = rng.normal(size=(n, 1, 8, 8)).astype(np.float16).astype(np.float32)
    return PatientImages(images, table, ("T1",), regions=rng.integers(0, 3, (n, 8, 8)).astype(np.uint8))


def test_what_is_written_is_read_again(tmp_path):
    before = cohort()
    before.save(tmp_path / "cohort.npz")
    after = PatientImages.load(tmp_path / "cohort.npz")
    assert after.digest == before.digest
    assert after.channels == ("T1",)


def test_rows_stay_together():
    some = cohort().take([4, 1])
    assert some.table.sample_ids == ("P4", "P1")
    np.testing.assert_array_equal(some.images, cohort().images[[4, 1]])
    np.testing.assert_array_equal(some.regions, cohort().regions[[4, 1]])


def test_a_patient_without_a_value_of_a_type_lacks_it():
    present = cohort().present
    assert present.shape == (6, 2)
    assert present.sum() == 11
    assert not present[2, 1]


def test_other_pixels_are_another_cohort():
    one = cohort()
    images = one.images.copy()
    images[0, 0, 0, 0] += 1
    assert PatientImages(images, one.table, one.channels, regions=one.regions).digest != one.digest


def test_images_of_other_patients_are_named():
    with pytest.raises(InputError, match="5 images for 6 patients"):
        PatientImages(cohort().images[:5], cohort().table, ("T1",))
    with pytest.raises(InputError, match="2 names for 1 channels"):
        PatientImages(cohort().images, cohort().table, ("T1", "T2"))


def test_a_damaged_file_is_named(tmp_path):
    cohort().save(tmp_path / "cohort.npz")
    content = bytearray((tmp_path / "cohort.npz").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "cohort.npz").write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged"):
        PatientImages.load(tmp_path / "cohort.npz")
