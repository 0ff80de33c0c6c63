"""Volumes: DICOM and NIfTI lie on the same axes, in physical units; whatever is odd in a series is named."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from imaging_files import body, dicom, encoded, nifti, series

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.dicom import check_dicom
from genomap_core.io.images.read import read_series, read_volume
from genomap_core.io.images.volume import Volume, face_viewer, nearest_axes

SHARED = Path(os.environ.get("GENOMAP_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FILES = SHARED / "images" / "dicom_nifti"
RNG = np.random.default_rng(0)


def codes(volume: Volume) -> set[str]:
    return {m.code for m in volume.messages}


def test_a_series_is_sorted_along_its_normal_and_is_in_hounsfield_units():
    voxels = body()
    files = series(voxels)
    volume = read_series([files[k] for k in (4, 0, 5, 2, 1, 3)])
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert volume.voxels.dtype == np.int16
    assert volume.spacing == pytest.approx((2.5, 0.5, 0.75))
    assert volume.modality == "CT"
    assert not volume.messages


@pytest.mark.parametrize(
    ("facing", "turn"),
    [
        ((-1, 0, 0, 0, 1, 0), lambda v: v[::-1, :, ::-1]),  # mirrored columns turn the normal too
        ((-1, 0, 0, 0, -1, 0), lambda v: v[:, ::-1, ::-1]),
        ((0, 1, 0, 1, 0, 0), lambda v: v.swapaxes(1, 2)[::-1]),
        ((0, 1, 0, 0, 0, -1), lambda v: v[::-1]),  # sagittal, stacked from left to right
        ((1, 0, 0, 0, 0, -1), lambda v: v),  # coronal, head up
        ((1, 0, 0, 0, 0, 1), lambda v: v[::-1, ::-1]),  # coronal, head down
    ],
)
def test_slices_are_turned_as_they_are_usually_seen(facing, turn):
    voxels = body()
    volume = read_series(series(voxels, facing=facing))
    np.testing.assert_array_equal(volume.voxels, turn(voxels))
    turned = voxels.shape[1:] != volume.voxels.shape[1:] or facing == (0, 1, 0, 1, 0, 0)
    assert volume.pixel == ((0.75, 0.5) if turned else (0.5, 0.75))


def test_a_slightly_oblique_stack_keeps_its_plane():
    axes = np.array([[0.05, 0.1, 1.0], [0.0, 1.0, -0.1], [1.0, 0.0, -0.05]])
    assert nearest_axes(axes).tolist() == [2, 1, 0]
    voxels = RNG.normal(size=(2, 3, 4))
    np.testing.assert_array_equal(face_viewer(voxels, axes), voxels)


def test_a_missing_slice_is_named():
    files = series(body())
    volume = read_series(files[:2] + files[3:])
    (message,) = [m for m in volume.messages if m.code == "missing-slices"]
    assert "1 slice missing" in message.text
    assert volume.spacing[0] == pytest.approx(2.5)


def test_doubled_positions_and_uneven_distances_are_named():
    voxels = body()
    volume = read_series([*series(voxels), series(voxels)[2]])
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert codes(volume) == {"doubled-positions"}
    uneven = [dicom(p.astype(np.int16), ImagePositionPatient=[0, 0, z], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
              for p, z in zip(body(4), (0, 1, 2.3, 3.3))]  # fmt: skip
    assert codes(read_series(uneven)) == {"uneven-slices"}


def test_a_localiser_among_the_slices_is_left_out_and_named():
    scout = series(body(2, 48), uid="1.2.3")
    volume = read_series([*scout, *series(body())])
    assert volume.voxels.shape == (6, 32, 32)
    (message,) = [m for m in volume.messages if m.code == "mixed-series"]
    assert "sizes" in message.text
    assert "2 left out" in message.text
    other = series(body(2), facing=(1, 0, 0, 0, 0, -1))
    (message,) = [m for m in read_series([*other, *series(body())]).messages if m.code == "mixed-series"]
    assert "orientations" in message.text


def test_without_positions_the_numbers_decide():
    voxels = body()
    files = series(voxels, ImagePositionPatient=None)
    volume = read_series(files[::-1])
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert codes(volume) == {"no-positions"}


def test_monochrome1_is_turned_round_but_hounsfield_units_are_not():
    pixels = RNG.integers(0, 4000, (16, 16)).astype(np.uint16)
    inverted = read_volume(dicom(pixels, Modality="MR", PhotometricInterpretation="MONOCHROME1", BitsStored=12), "a")
    np.testing.assert_array_equal(inverted.voxels[0], 4095 - pixels.astype(int))
    hounsfield = {"RescaleIntercept": 0, "RescaleSlope": 1}
    ct = read_volume(dicom(pixels, PhotometricInterpretation="MONOCHROME1", **hounsfield), "a")
    np.testing.assert_array_equal(ct.voxels[0], pixels)


def test_a_fractional_slope_is_applied_and_a_senseless_one_is_told():
    pixels = RNG.integers(0, 4000, (16, 16)).astype(np.uint16)
    scaled = read_volume(dicom(pixels, Modality="PT", RescaleSlope=0.5, RescaleIntercept=3), "a")
    np.testing.assert_allclose(scaled.voxels[0], pixels * 0.5 + 3)
    odd = read_volume(dicom(pixels, Modality="MR", RescaleSlope=0, RescaleIntercept=3), "a")
    np.testing.assert_array_equal(odd.voxels[0], pixels)
    assert codes(odd) == {"slope"}


def test_air_outside_the_scanner_is_air():
    pixels = np.full((16, 16), -3000, np.int16)
    pixels[4:9, 4:9] = 50
    assert read_volume(dicom(pixels), "a").voxels.min() == -1024


def test_an_enhanced_file_has_its_geometry_in_functional_groups():
    from pydicom.dataset import Dataset

    voxels = RNG.integers(0, 900, (4, 16, 16)).astype(np.uint16)

    def item(**tags: object) -> Dataset:
        made = Dataset()
        for keyword, value in tags.items():
            setattr(made, keyword, value)
        return made

    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[0.9, 0.8], SliceThickness=4)],
    )
    frames = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=10 * k, RescaleType="US")],
        )
        for k, z in enumerate((9, 6, 3, 0))
    ]
    volume = read_volume(
        dicom(
            voxels,
            Modality="MR",
            NumberOfFrames=4,
            SharedFunctionalGroupsSequence=[shared],
            PerFrameFunctionalGroupsSequence=frames,
        ),
        "a",
    )
    np.testing.assert_array_equal(volume.voxels, (voxels + 10 * np.arange(4)[:, None, None])[::-1])
    assert volume.spacing == pytest.approx((3, 0.9, 0.8))


@pytest.mark.parametrize("name", ["RLELossless", "JPEGLSLossless", "JPEG2000Lossless", "JPEGLosslessSV1"])
def test_lossless_compression_gives_the_same_values(name):
    import pydicom
    import pydicom.uid

    pixels = RNG.integers(0, 4000, (32, 32)).astype(np.uint16)
    plain = dicom(pixels, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read_volume(compressed(plain, getattr(pydicom.uid, name)), "a").voxels[0], pixels)


def compressed(plain: bytes, syntax: str) -> bytes:
    """The file in another transfer syntax; GDCM writes what pydicom alone can't."""
    import pydicom
    from pydicom.uid import RLELossless

    if syntax == RLELossless:
        data = pydicom.dcmread(io.BytesIO(plain))
        data.compress(RLELossless)
        out = io.BytesIO()
        data.save_as(out)
        return out.getvalue()
    import tempfile

    gdcm = pytest.importorskip("gdcm")
    codes = {
        "1.2.840.10008.1.2.4.80": gdcm.TransferSyntax.JPEGLSLossless,
        "1.2.840.10008.1.2.4.90": gdcm.TransferSyntax.JPEG2000Lossless,
        "1.2.840.10008.1.2.4.70": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    }
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.dcm", Path(folder) / "b.dcm"
        source.write_bytes(plain)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(source))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(codes[str(syntax)]))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return target.read_bytes()


def test_a_colour_dicom_and_a_gzipped_one_are_read():
    pixels = RNG.integers(0, 255, (16, 20, 3)).astype(np.uint8)
    volume = read_volume(gzip.compress(dicom(pixels, Modality="US")), "a.dcm.gz")
    np.testing.assert_array_equal(volume.voxels[0], pixels)
    assert volume.channels == ("red", "green", "blue")


@pytest.mark.parametrize("turn", ["RAS", "LPS", "LAS", "PSR", "SAL"])
def test_every_stored_orientation_of_one_nifti_volume_gives_the_same_slices(turn):
    voxels = RNG.integers(-50, 900, (7, 8, 9)).astype(np.int16)
    base = nib.Nifti1Image(voxels, np.diag([1.5, 2.0, 3.0, 1]))
    change = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(base.affine), nib.orientations.axcodes2ornt(tuple(turn))
    )
    stored = base.as_reoriented(change)
    volume = read_volume(nifti(np.asarray(stored.dataobj), stored.affine[:3]), "a.nii")
    np.testing.assert_array_equal(volume.voxels, voxels[::-1, ::-1].transpose(2, 1, 0))
    assert volume.spacing == pytest.approx((3.0, 2.0, 1.5))


def test_a_nifti_and_a_dicom_of_one_patient_show_the_same_picture():
    voxels = body()
    lps = nifti(voxels.transpose(2, 1, 0), np.array([[-0.75, 0, 0, 0], [0, -0.5, 0, 0], [0, 0, 2.5, 0]]))
    one, other = read_volume(lps, "a.nii"), read_series(series(voxels))
    np.testing.assert_array_equal(one.voxels, other.voxels)
    assert one.spacing == pytest.approx(other.spacing)


@pytest.mark.parametrize(
    ("data", "error", "word"),
    [
        (b"plain words", InputError, "text"),
        (dicom(np.ones((9, 9), np.uint16), PixelData=None), InputError, "pixel data"),
        (dicom(np.ones((9, 9), np.uint16), Rows=4000), InputError, "can't be decoded"),
        (dicom(np.ones((9, 9), np.uint16), Rows=60000, Columns=60000), RefusedError, "limit"),
        (b"\x1f\x8b broken", InputError, "damaged"),
    ],
)
def test_what_holds_no_image_says_why(data, error, word):
    with pytest.raises(error, match=word):
        read_volume(data, "a")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_of_many_channels_keeps_them(dtype):
    tifffile = pytest.importorskip("tifffile")
    pixels = (RNG.random((5, 40, 30)) * 200).astype(dtype)
    for how in ({"metadata": {"axes": "CYX"}}, {"planarconfig": "separate"}, {"compression": "zlib"}):
        out = io.BytesIO()
        tifffile.imwrite(out, pixels, photometric="minisblack", **how)
        volume = read_volume(out.getvalue(), "a.tif")
        np.testing.assert_array_equal(np.moveaxis(volume.voxels[0], 2, 0), pixels)
        assert len(volume.channels) == 5


def test_pictures_of_8_and_16_bits_in_colour_and_grey():
    grey, wide = RNG.integers(0, 255, (20, 30)).astype(np.uint8), RNG.integers(0, 60000, (20, 30)).astype(np.uint16)
    np.testing.assert_array_equal(read_volume(encoded(grey), "a.png").voxels[0], grey)
    np.testing.assert_array_equal(read_volume(encoded(wide), "a.png").voxels[0], wide)
    colour = RNG.integers(0, 255, (20, 30, 3)).astype(np.uint8)
    assert read_volume(encoded(colour, "TIFF"), "a.tif").channels == ("red", "green", "blue")


def tiff() -> bytes:
    tifffile = pytest.importorskip("tifffile")
    out = io.BytesIO()
    tifffile.imwrite(out, RNG.integers(0, 60000, (5, 20, 20)).astype(np.uint16), planarconfig="separate")
    return out.getvalue()


@pytest.mark.parametrize(
    "make",
    [
        lambda: series(body(1), **{"PatientName": "X"})[0],
        lambda: nifti(body().transpose(2, 1, 0), np.eye(4)[:3]),
        lambda: encoded(RNG.integers(0, 255, (20, 20, 3)).astype(np.uint8)),
        tiff,
    ],
    ids=["dicom", "nifti", "png", "tiff"],
)
def test_damage_ends_in_a_volume_or_in_our_error(make):
    whole = make()
    rng = np.random.default_rng(0)
    header = min(len(whole), 1400)
    for k in range(120):
        spoiled = bytearray(whole)
        for at in rng.integers(0, header, 3):
            spoiled[at] = rng.integers(256)
        data = bytes(spoiled)[: rng.integers(header // 2, len(whole) + 1) if k % 3 == 0 else None]
        try:
            volume = read_volume(data, "a.dcm")
        except InputError:
            continue
        assert volume.voxels.ndim in (3, 4)


@pytest.mark.shared
@pytest.mark.skipif(not FILES.is_dir(), reason="the optional data folder is absent (GENOMAP_DATA)")
def test_every_real_file_loads_or_says_why():
    loaded, refused = 0, {}
    for path in sorted(FILES.iterdir()):
        try:
            volume = read_volume(path.read_bytes(), path.name)
        except InputError as error:
            refused[path.name] = str(error)
            continue
        loaded += 1
        assert np.isfinite(volume.voxels).all()
        if ".nii" in path.name:
            canonical = nib.as_closest_canonical(nib.load(path))
            values = np.asarray(canonical.dataobj, np.float32).reshape(*canonical.shape[:3], -1)[..., 0]
            np.testing.assert_allclose(volume.voxels, values[::-1, ::-1].transpose(2, 1, 0), atol=1e-3)
            assert volume.spacing[::-1] == pytest.approx(canonical.header.get_zooms()[:3], rel=1e-4)
    assert loaded >= 20
    assert set(refused) <= {"COPYING.nibabel", "LICENSE.pydicom", "rtstruct.dcm"}
    assert all(refused.values())


@pytest.mark.parametrize(("dtype", "lowest", "highest"), [("uint16", 0, 4095), ("int16", -2048, 2047)])
@pytest.mark.parametrize("high", [11, 13, 15])
def test_twelve_bits_are_found_wherever_high_bit_says(dtype, lowest, highest, high):
    planted = np.linspace(lowest, highest, 256).reshape(16, 16).astype(dtype)
    stored = (planted.view(np.uint16) & 0xFFF) << (high - 11)
    volume = read_volume(dicom(stored.astype(dtype), BitsStored=12, HighBit=high, Modality="MR"), "a.dcm")
    np.testing.assert_array_equal(volume.voxels[0], planted)
    assert "bits" not in codes(volume)


def test_a_high_bit_that_the_values_contradict_is_told():
    planted = np.linspace(0, 4095, 256).reshape(16, 16).astype(np.uint16)
    for high in (5, 15, 40):
        volume = read_volume(dicom(planted, BitsStored=12, HighBit=high, Modality="MR"), "a.dcm")
        np.testing.assert_array_equal(volume.voxels[0], planted)
        assert "bits" in codes(volume)


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "float32"), ("DoubleFloatPixelData", "float64")])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_pixels_of_floating_point_are_read(tmp_path, keyword, dtype, photometric):
    planted = np.linspace(-90.5, 90.5, 256).reshape(16, 16).astype(dtype)
    tags = {keyword: planted.tobytes(), "PixelData": None, "BitsStored": None, "HighBit": None}
    tags |= {"PixelRepresentation": None, "Modality": "MR", "PhotometricInterpretation": photometric}
    data = dicom(planted, **tags)
    sign = -1 if photometric == "MONOCHROME1" else 1
    np.testing.assert_allclose(read_volume(data, "a.dcm").voxels[0], sign * planted, rtol=1e-6)
    (tmp_path / "a.dcm").write_bytes(data)
    assert "float" not in {m.code for m in check_dicom(tmp_path / "a.dcm", name="a.dcm")}


def test_whole_numbers_of_32_bits_do_not_wrap():
    planted = np.linspace(1e9, 4e9, 256).reshape(16, 16).astype(np.uint32)
    for photometric, sign in (("MONOCHROME2", 1), ("MONOCHROME1", -1)):
        shown = read_volume(dicom(planted, Modality="NM", PhotometricInterpretation=photometric), "a").voxels[0]
        np.testing.assert_allclose(np.ptp(shown), 3e9, rtol=1e-6)
        assert (np.sign(np.diff(shown.ravel())) == sign).all()


def test_pixel_data_of_another_length_are_told_by_the_import_and_by_the_check(tmp_path):
    planted = np.linspace(0, 900, 512).reshape(2, 16, 16).astype(np.int16)
    longer = dicom(planted[0], PixelData=planted.tobytes()[:700], Modality="MR")
    volume = read_volume(longer, "a.dcm")
    np.testing.assert_array_equal(volume.voxels, planted[:1])
    assert "pixel-length" in codes(volume)
    (tmp_path / "a.dcm").write_bytes(longer)
    assert "pixel-length" in {m.code for m in check_dicom(tmp_path / "a.dcm", name="a.dcm")}
    shorter = dicom(planted[0], PixelData=planted[0].tobytes()[:100])
    a_second_frame = dicom(planted[0], PixelData=planted.tobytes(), Modality="MR")
    for unfit in (shorter, a_second_frame):
        (tmp_path / "b.dcm").write_bytes(unfit)
        for read in (lambda data: read_volume(data, "b.dcm"), lambda _: check_dicom(tmp_path / "b.dcm", name="b.dcm")):
            with pytest.raises(InputError, match="do not fit its header"):
                read(unfit)


def test_frames_without_places_are_told():
    film = np.random.default_rng(0).integers(0, 900, (5, 16, 16)).astype(np.int16)
    assert "frames" in codes(read_volume(dicom(film, NumberOfFrames=5, Modality="US"), "a.dcm"))
    assert "frames" not in codes(read_volume(dicom(film[0], Modality="US"), "a.dcm"))


@pytest.mark.parametrize("scale", [1e60, 1e-60])
def test_a_nifti_beyond_float32_is_scaled_and_told(scale):
    planted = np.linspace(1, 9, 24 * 24 * 4).reshape(24, 24, 4)
    image = nib.Nifti1Image(planted * scale, np.eye(4))
    plain = nib.Nifti1Image(planted, np.eye(4))
    volume, usual = read_volume(image.to_bytes(), "a.nii"), read_volume(plain.to_bytes(), "a.nii")
    np.testing.assert_allclose(volume.voxels, (usual.voxels - 1) / 8, atol=1e-6)
    assert "range" in codes(volume)
    assert "range" not in codes(usual)
