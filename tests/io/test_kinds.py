"""A file is called by its content."""

import io
import pickle
import zlib

import numpy as np
import pytest
from PIL import Image

from genomap_core.io.kinds import NAMES, find_kind


def image(kind):
    data = io.BytesIO()
    Image.new("L", (9, 9)).save(data, kind)
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
