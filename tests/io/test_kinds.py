"""A file is called by its content."""

import io
import pickle
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from genomap_core.io.inspect import inspect
from genomap_core.io.kinds import NAMES, find_kind


def image(kind):
    data = io.BytesIO()
    Image.new("L", (9, 9), 7).save(data, kind)
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"sample_id,a\n", "text"),
        (b"BM1,BM2\n1,2\n", "text"),
        (b"MZ,RT\n100.5,2\n", "text"),
        (b"x^2,b\n1,2\n", "text"),
        ("a,b\n".encode("utf-16"), "text"),
        ("a,b\n1,2\n".encode("utf-16-le") * 40, "text"),
        ("患者,1\n".encode("gb18030"), "text"),
        (image("PNG"), "png"),
        (image("JPEG"), "jpeg"),
        (image("TIFF"), "tiff"),
        (image("BMP"), "bmp"),
        (pickle.dumps({"a": 1}), "pickle"),
        (zlib.compress(b"x" * 50), "pickle"),
        (b"\x93NUMPY\x01\x00", "npy"),
        (b"  <HTML><body>", "html"),
        (b'\n[{"a": 1}]', "json"),
        (bytes(128) + b"DICM" + bytes(20), "dicom"),
        (np.int32(348).tobytes() + bytes(400), "nifti"),
        (bytes(257) + b"ustar\0" + bytes(300), "tar"),
        (b"PAR1abc", "parquet"),
        (bytes(range(256)), "binary"),
    ],
)
def test_kind(data, kind):
    assert find_kind(data) == kind
    assert kind in NAMES


@pytest.mark.parametrize(
    ("name", "head", "word"),
    [
        ("a.bmp", image("BMP"), "BMP"),
        ("a.png", b"RIFF\x10\0\0\0WEBPVP8 ", "WebP"),
        ("IMG_1.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        ("a.psd", b"8BPS\0\1", "Photoshop"),
        ("s.czi", b"ZISRAWFILE", "Zeiss"),
        ("s.mrxs", image("JPEG"), "whole slide"),
        ("brain.mgz", b"\x1f\x8b\x08", "mri_convert"),
        ("brain.mha", b"ObjectType = Image\nNDims = 3\n", "MetaImage"),
        ("brain.nrrd", b"NRRD0004\ntype: float\n", "NRRD"),
        ("t.sav", b"$FL2@(#) SPSS", "SPSS"),
        ("t.rds", b"X\n\0\0\0\3", "R data"),
    ],
)
def test_what_is_not_read_is_named_with_how_to_convert_it_however_large_it_is(tmp_path, name, head, word):
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(head)
        file.truncate(3 << 30)
    began = time.monotonic()
    report = inspect(path)
    assert report.verdict == "error"
    (said,) = report.messages
    assert word in said.text
    assert not any(bad in said.text for bad in ("damaged", "danger"))
    assert time.monotonic() - began < 1


def test_a_png_that_is_called_bmp_is_an_image(tmp_path):
    (tmp_path / "a.bmp").write_bytes(image("PNG"))
    assert "PNG image" in inspect(tmp_path / "a.bmp").summary
