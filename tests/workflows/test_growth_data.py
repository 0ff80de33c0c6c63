"""Cohorts of images: simulated by the solver, and read from folders."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from genomap_core.data.images.hygiene import normalise
from genomap_core.errors import InputError
from genomap_core.workflows.growth.data import describe, folder_cohort, indexed_cohort, simulated_cohort, zip_cohort
from genomap_core.workflows.growth.samples import FOLDER, grow_arrays, read_samples, sample_lengths, simulated


def png(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def slices():
    return simulated(4, size=64, seed=3)


def folders(slices) -> list[tuple[str, bytes]]:
    """One class lies in grey files, the other in colour files: the class leaks by the mode."""
    files = []
    for i, (image, c) in enumerate(zip(slices.images, slices.y)):
        grey = (image * 255).astype(np.uint8)
        colour = np.stack([grey] * 3, axis=2)
        files.append((f"set/{'glioma' if c < 2 else 'no_tumour'}/{i}.png", png(grey if c < 2 else colour)))
    return files


def test_tumours_grow_from_their_seed_and_stay_in_bounds(slices) -> None:
    assert slices.density.min() >= 0
    assert slices.density.max() <= 1
    tumour = slices.y != 2
    assert (slices.masks[tumour].sum((1, 2)) > 12).all()
    assert not slices.masks[~tumour].any()


def test_longer_growth_is_larger_growth() -> None:
    u0 = np.zeros((3, 24, 24))
    u0[:, 12, 12] = 1
    age = np.array([1.0, 2.0, 4.0])[:, None, None] * np.ones_like(u0)
    mass = grow_arrays(u0, 2 * age, 3 * age).sum((1, 2))
    assert mass[0] < mass[1] < mass[2]


def test_a_simulated_cohort_knows_lengths_of_gliomas_only() -> None:
    cohort = simulated_cohort(2, 48, 0)
    assert cohort.images.shape == (8, 1, 48, 48)
    assert np.isfinite(cohort.lengths[cohort.y == 0]).all()
    assert np.isnan(cohort.lengths[cohort.y != 0]).all()
    np.testing.assert_array_equal(cohort.tumour, cohort.y != 2)


def test_a_slice_depends_on_its_own_number_only(slices) -> None:
    np.testing.assert_array_equal(simulated(1, size=64, seed=3).images, slices.images[:4])


def test_lengths_of_the_samples_are_known_for_gliomas() -> None:
    _, _, y, _ = read_samples()
    lengths = sample_lengths()
    np.testing.assert_array_equal(np.isfinite(lengths), y == 0)
    assert 0.5 < np.nanmin(lengths) < np.nanmax(lengths) < 4


def test_the_sample_data_stay_small() -> None:
    assert sum(f.stat().st_size for f in FOLDER.iterdir()) <= 5_000_000


def test_the_sample_folder_is_what_the_simulation_gives_now() -> None:
    images, masks, y, names = read_samples()
    again = simulated(1)
    assert len(images) == len(masks) == len(y) == len(names) == 120
    for i in range(4):
        difference = np.abs(images[i].astype(int) - (again.images[i] * 255).round())
        assert (difference > 1).mean() < 0.001


def test_folders_become_classes_and_the_leak_by_mode_is_told(slices) -> None:
    cohort, report = folder_cohort(folders(slices), 48, "mine")
    assert cohort.classes == ("glioma", "no_tumour")
    assert cohort.infiltrating == ("glioma",)
    assert cohort.without_tumour == ("no_tumour",)
    assert cohort.images.shape == (16, 1, 48, 48)
    assert any("colour mode" in line for line in cohort.notes)
    told = json.loads(describe(report))
    assert told["leaks"]["mode"]["present"]
    first = folders(slices)[0][1]
    expected = normalise(np.asarray(Image.open(io.BytesIO(first))), 48)
    assert any(np.array_equal(image, expected) for image in cohort.images)


def test_photographs_are_turned_upright_and_animations_told(slices) -> None:
    files, exif, out = folders(slices), Image.Exif(), io.BytesIO()
    upright = np.asarray(Image.open(io.BytesIO(files[0][1])))
    exif[274] = 6
    Image.fromarray(np.rot90(upright)).save(out, "PNG", exif=exif)
    film = io.BytesIO()
    frames = [Image.fromarray(upright), Image.fromarray(upright[::-1])]
    frames[0].save(film, "TIFF", save_all=True, append_images=frames[1:])
    more = [("set/glioma/a.png", out.getvalue()), ("set/glioma/b.tif", film.getvalue())]
    cohort, _ = folder_cohort([*files, *more], 48, "mine")
    for image in cohort.images[-2:]:
        np.testing.assert_array_equal(image, normalise(upright, 48))
    said = " ".join(cohort.notes)
    assert "turned upright" in said
    assert "the first page is used" in said


def test_copies_share_a_group(slices) -> None:
    files = folders(slices)
    cohort, _ = folder_cohort([*files, ("set/glioma/copy.png", files[0][1])], 48, "mine")
    assert cohort.groups[0] == cohort.groups[-1]


def test_a_zip_is_read_and_a_damaged_one_refused(slices, tmp_path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in folders(slices):
            archive.writestr(name, data)
    assert len(zip_cohort(path, 48, "mine")[0].y) == 16
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="damaged"):
        zip_cohort(path, 48, "mine")


def test_files_without_a_folder_and_single_classes_are_refused(slices) -> None:
    files = folders(slices)
    with pytest.raises(InputError, match="no folder"):
        folder_cohort([("1.png", files[0][1])], 48, "mine")
    with pytest.raises(InputError, match="two classes"):
        folder_cohort([(n, d) for n, d in files if "glioma" in n], 48, "mine")
    with pytest.raises(InputError, match="black"):
        folder_cohort([("a/x.png", png(np.zeros((64, 64), np.uint8)))], 48, "mine")


def listed(folder, slices) -> None:
    """A collection with an index: three colours as sequences, masks of some, two slices of each patient."""
    rows = ["patient,slice,grade"]
    for i, (image, mask) in enumerate(zip(slices.images, slices.masks)):
        colours = (np.stack([image, image**2, 1 - image], axis=2) * 255).astype(np.uint8)
        (folder / f"s{i}.png").write_bytes(png(colours))
        if i % 2:
            (folder / f"s{i}_mask.png").write_bytes(png((mask * 255).astype(np.uint8)))
        rows.append(f"P{i // 2},s{i},{'' if i == 15 else f'{1 + i // 8}.0'}")
    (folder / "index.csv").write_text("\n".join(rows))


def test_an_index_gives_sequences_masks_and_patients(slices, tmp_path) -> None:
    listed(tmp_path, slices)
    cohort, _ = indexed_cohort(tmp_path, "grade", 48, "mine")
    assert cohort.images.shape == (15, 3, 48, 48)
    assert cohort.classes == cohort.infiltrating == ("grade 1", "grade 2")
    np.testing.assert_array_equal(np.isnan(cohort.masks).all((1, 2)), np.arange(15) % 2 == 0)
    assert cohort.groups[0] == cohort.groups[1] != cohort.groups[2]
    assert 0 < np.nanmean(cohort.masks[1]) < 0.5


def test_a_missing_column_or_picture_of_an_index_is_named(slices, tmp_path) -> None:
    listed(tmp_path, slices)
    with pytest.raises(InputError, match="no column stage"):
        indexed_cohort(tmp_path, "stage", 48, "mine")
    (tmp_path / "s3.png").unlink()
    with pytest.raises(InputError, match="s3"):
        indexed_cohort(tmp_path, "grade", 48, "mine")
