"""Pixels of uploads: pictures, DICOM and NIfTI, read in a child process."""

from __future__ import annotations

import gzip
import io
import struct

import numpy as np
import pytest
from PIL import Image

from genomap_core.errors import InputError
from genomap_core.io.images.preview import read_pixels

RNG = np.random.default_rng(0)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def nifti(volume: np.ndarray, spacing: tuple[float, float, float]) -> bytes:
    """A NIfTI-1 file of int16, written by hand."""
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *volume.shape, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, 4, 16)
    struct.pack_into("<8f", head, 76, 1, *spacing, 1, 1, 1, 1)
    struct.pack_into("<3f", head, 108, 352, 1, 0)
    head[344:348] = b"n+1\0"
    return bytes(head) + volume.astype("<i2").tobytes(order="F")


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "RGBA"])
def test_a_picture_keeps_its_pixels(mode: str) -> None:
    top = 65535 if mode == "I;16" else 255
    shape = {"L": (40, 50), "I;16": (40, 50), "RGB": (40, 50, 3), "RGBA": (40, 50, 4)}[mode]
    pixels = RNG.integers(0, top, shape).astype(np.uint16 if top > 255 else np.uint8)
    stack = read_pixels(encoded(Image.fromarray(pixels)), "scan.png")
    np.testing.assert_array_equal(stack.slices[0], pixels)
    assert stack.kind == "picture"
    assert stack.spacing is None


def test_a_palette_becomes_colours() -> None:
    image = Image.fromarray(RNG.integers(0, 255, (40, 40, 3), dtype=np.uint8)).quantize(8)
    stack = read_pixels(encoded(image), "scan.png")
    np.testing.assert_array_equal(stack.slices[0], np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("packed", [False, True])
def test_a_volume_gives_slices_with_their_spacing(packed: bool) -> None:
    volume = RNG.integers(-500, 900, (34, 41, 3))
    data = nifti(volume, (0.5, 0.75, 3.0))
    stack = read_pixels(gzip.compress(data, mtime=0) if packed else data, "scan.nii")
    assert stack.slices.shape == (3, 41, 34)
    assert stack.spacing == (0.75, 0.5)
    np.testing.assert_array_equal(stack.slices[1], np.rot90(volume[:, :, 1]))


def test_spacing_zero_is_no_spacing() -> None:
    assert read_pixels(nifti(RNG.integers(0, 9, (34, 41, 2)), (0.0, 1.0, 1.0)), "scan.nii").spacing is None


def test_dicom_gives_pixels_and_spacing(tmp_path) -> None:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = MRImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    scan = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    pixels = RNG.integers(0, 4000, (36, 44), dtype=np.uint16)
    scan.Rows, scan.Columns, scan.SamplesPerPixel = 36, 44, 1
    scan.BitsAllocated, scan.BitsStored, scan.HighBit, scan.PixelRepresentation = 16, 16, 15, 0
    scan.PhotometricInterpretation, scan.PixelSpacing, scan.Modality = "MONOCHROME2", [0.9, 0.8], "MR"
    scan.PixelData = pixels.tobytes()
    pydicom.dcmwrite(tmp_path / "a.dcm", scan, enforce_file_format=True)
    stack = read_pixels(tmp_path / "a.dcm", "a.dcm")
    np.testing.assert_array_equal(stack.slices[0], pixels)
    assert stack.spacing == (0.9, 0.8)


@pytest.mark.parametrize(
    "data", [b"", b"a,b\n1,2\n", b"\x89PNG\r\n\x1a\nbroken", gzip.compress(b"text" * 100, mtime=0), b"%PDF-1.4"]
)
def test_other_files_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(InputError):
        read_pixels(data, "file.bin")
