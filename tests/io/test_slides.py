"""Whole slides: what is cut is what was planted, its place is kept, and memory does not follow the slide's size."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from imaging_files import packed, table
from PIL import Image

from genomap_core.data.images.patients import ImagingOptions, PatientImages, slices_of
from genomap_core.errors import InputError
from genomap_core.io.images.cohort import read_imaging_cohort
from genomap_core.io.images.slide import SlideOptions, open_slide, patches_of_slide, read_slide, tissue
from genomap_core.io.inspect import inspect
from tools.slide_benchmark import kind_at, write_slide

SIDE = 1024
OPTIONS = SlideOptions(side=32, microns=1.0, most=40, tissue=0.9)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / "S0.svs"
    write_slide(path, SIDE)
    return path


@pytest.mark.parametrize("compression", ["none", "deflate"])
def test_a_region_is_what_lies_there_and_white_beyond_the_slide(tmp_path, compression):
    planted = np.random.default_rng(0).integers(0, 256, (600, 900, 3), np.uint8)
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        packing = None if compression == "none" else compression
        about = "Aperio |MPP = 0.5|"
        how = {"tile": (256, 128), "photometric": "rgb", "compression": packing, "metadata": None}
        file.write(planted, description=about, predictor=compression != "none", **how)
        file.write(planted[::4, ::4].copy(), subfiletype=1, **how)
        file.write(np.zeros((100, 400, 3), np.uint8), **how)  # a macro picture of another aspect
    with open_slide(path) as found:
        assert (found.size, found.pixel) == ((900, 600), 0.5)
        assert [found.scale(k) for k in range(len(found.levels))] == [1.0, 4.0]
        np.testing.assert_array_equal(found.region(0, 100, 50, 333, 444), planted[50:494, 100:433])
        np.testing.assert_array_equal(found.region(1, 3, 7, 50, 60), planted[::4, ::4][7:67, 3:53])
        edge = found.region(0, 880, 590, 40, 30)
        np.testing.assert_array_equal(edge[:10, :20], planted[590:, 880:])
        assert edge[10:].min() == edge[:, 20:].min() == 255
        assert [found.level_for(scale) for scale in (0.5, 1.0, 3.9, 4.0, 9.0)] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000"])
def test_tiles_as_scanners_pack_them_have_their_colours(tmp_path, slide, compression):
    path = slide
    if compression != "jpeg":
        path = tmp_path / "b.svs"
        write_slide(path, 512, compression=compression)
    with open_slide(path) as found:
        side = found.size[0]
        assert found.pixel == 0.25
        for x, y in ((0.4, 0.5), (0.6, 0.5), (0.02, 0.02)):
            seen = found.region(0, int(x * side), int(y * side), 40, 40).mean(axis=(0, 1))
            expected = ((243, 242, 244), (120, 70, 150), (224, 170, 205))[int(kind_at(x, y))]
            np.testing.assert_allclose(seen, expected, atol=6)


def test_strips_and_ome_pyramids_are_slides_too(tmp_path):
    planted = np.random.default_rng(1).integers(0, 256, (400, 500, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", planted, photometric="rgb", rowsperstrip=33, resolution=(20000, 20000),
                     resolutionunit="CENTIMETER", metadata=None)  # fmt: skip
    with tifffile.TiffWriter(tmp_path / "b.ome.tif", bigtiff=True) as file:
        how = {"photometric": "rgb", "tile": (64, 64)}
        file.write(planted, subifds=1, metadata={"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "axes": "YXS"}, **how)
        file.write(planted[::2, ::2].copy(), subfiletype=1, **how)
    for name, levels, pixel in (("a.tif", 1, 0.5), ("b.ome.tif", 2, 0.25)):
        with open_slide(tmp_path / name) as found:
            assert (len(found.levels), found.pixel) == (levels, pytest.approx(pixel))
            np.testing.assert_array_equal(found.region(0, 90, 80, 100, 100), planted[80:180, 90:190])


def test_patches_are_tissue_and_know_their_place(slide):
    found = read_slide(slide, OPTIONS)
    assert found.size == (SIDE, SIDE)
    assert found.span == 32 * 1.0 / 0.25
    assert found.found == len(found.values)
    for patch, (x, y) in zip(found.values, found.places / SIDE):
        assert kind_at(x, y) > 0
        if abs(x - 0.5) > 0.15:
            assert (patch.mean() < 150) == (x < 0.5)
    few = read_slide(slide, SlideOptions(side=32, microns=0.25, most=9))
    assert len(few.values) == 9 < few.found
    assert any("drawn at random" in m.text for m in few.messages)


def test_glass_and_grey_are_no_tissue(slide):
    with open_slide(slide) as found:
        overview = found.overview(256)
    mask = tissue(overview)
    assert max(overview.shape[:2]) <= 256
    y, x = ((np.arange(length) + 0.5) / length for length in mask.shape)
    assert (mask == (kind_at(x[None], y[:, None]) > 0)).mean() > 0.97
    assert not tissue(np.full((20, 20, 3), 240, np.uint8)).any()


def test_what_is_not_known_or_not_there_is_asked_or_named(tmp_path, slide):
    path = tmp_path / "a.svs"
    write_slide(path, 512, pixel=0)
    with pytest.raises(InputError, match=r"usually \.25 at 40x"):
        read_slide(path, OPTIONS)
    assert len(read_slide(path, SlideOptions(side=32, microns=0.5, pixel=0.25)).values)
    with pytest.raises(InputError, match="holds 100% tissue"):
        read_slide(slide, SlideOptions(side=512, microns=20, tissue=1.0))
    data = bytearray(slide.read_bytes())
    with tifffile.TiffFile(slide) as tiff:
        offsets = tiff.pages[0].dataoffsets
    for offset in offsets:
        data[offset : offset + 40] = bytes(40)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="can't be decoded"):
        patches_of_slide(path, options='{"side": 32, "microns": 0.5}')
    path.write_bytes(b"II*\0" + bytes(200))
    with pytest.raises(InputError):
        read_slide(path, OPTIONS)


def test_inspect_says_what_a_slide_is(tmp_path, slide):
    report = inspect(slide)
    assert report.verdict == "ok"
    assert report.summary == "Whole slide, 1,024 x 1,024 pixels, 3 levels, 0.25 micrometres a pixel."
    other = tmp_path / "b.ndpi"
    write_slide(other, 512, pixel=0)
    assert inspect(other).verdict == "warn"


def test_slides_of_patients_become_patches_that_are_slices_with_their_places(tmp_path, slide):
    members = {"omics.csv": table(4)} | {f"slides/S{i}.svs": slide.read_bytes() for i in range(4)}
    options = ImagingOptions(side=32, patches=6, microns=1.0)
    cohort, messages = read_imaging_cohort(packed(members), options)
    assert cohort.images.shape == (4, 18, 32, 32)
    assert slices_of(cohort.channels) == (6, 3)
    assert cohort.patches.shape == (4, 6, 2)
    for image, places in zip(cohort.images.reshape(4, 6, 3, 32, 32), cohort.patches):
        for patch, (x, y) in zip(image, places):
            assert kind_at(x, y) > 0 or patch.mean() > 1
            if abs(x - 0.5) > 0.15:
                assert (patch.mean() < 0.3) == (x < 0.5)
    assert "patches" in {m.code for m in messages}
    held = io.BytesIO()
    cohort.save(held)
    held.seek(0)
    np.testing.assert_array_equal(PatientImages.load(held).take([2]).patches, cohort.patches[[2]])


def test_a_slide_of_grey_pixels_is_colours_alike(tmp_path):
    grey = np.full((300, 300), 240, np.uint8)
    tifffile.imwrite(tmp_path / "g.tif", grey, tile=(64, 64), photometric="minisblack", metadata=None)
    with open_slide(tmp_path / "g.tif") as found:
        assert (found.region(0, 0, 0, 9, 9) == 240).all()
    Image.fromarray(grey.astype(np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(InputError, match="8-bit"), open_slide(tmp_path / "f.tif"):
        pass
