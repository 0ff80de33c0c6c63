"""NIfTI: the header is judged before values are read, and agrees with nibabel's reading of it."""

import gzip
import struct

import numpy as np
import pytest

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.nifti import check_nifti, read_header

nibabel = pytest.importorskip("nibabel")
VALUES = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def write(path, values=VALUES, kind=None, change=None):
    """A volume written by nibabel, its header's bytes changed afterwards."""
    image = (kind or nibabel.Nifti1Image)(values, np.diag([2, 3, 4, 1]))
    nibabel.save(image, path)
    if change:
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(bytes(data))
    return path


def codes(path):
    return [m.code for m in check_nifti(path, name=path.name) if m.code != "content"]


def put(at, fields, *values):
    return lambda data: struct.pack_into("<" + fields, data, at, *values)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", ["Nifti1Image", "Nifti2Image"])
def test_files_of_nibabel_are_ok_and_their_shape_is_read(tmp_path, suffix, kind):
    path = write(tmp_path / f"a{suffix}", kind=getattr(nibabel, kind))
    assert codes(path) == []
    data = gzip.decompress(path.read_bytes()) if suffix.endswith("gz") else path.read_bytes()
    header = read_header(data)
    assert header.shape == VALUES.shape
    np.testing.assert_array_equal(
        np.frombuffer(data, header.dtype, VALUES.size, header.offset).reshape(VALUES.shape, order="F"), VALUES
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (put(252, "hh", 0, 0), "orientation"),
        (put(112, "f", float("nan")), "slope"),
        (put(148, "8s", b"DOE JOHN"), "identifying"),
    ],
)
def test_doubtful_headers_are_said_and_not_quoted(tmp_path, change, code):
    path = write(tmp_path / "a.nii", change=change)
    assert codes(path) == [code]
    assert "DOE" not in repr(check_nifti(path, name="a.nii"))


def test_series_and_missing_voxels_are_counted(tmp_path):
    values = np.ones((4, 5, 6, 5), np.float32)
    values[0, 0, 0, :2] = np.nan
    said = {m.code: m.text for m in check_nifti(write(tmp_path / "a.nii", values), name="a.nii")}
    assert "5 volumes" in said["series"]
    assert said["nan-voxels"].startswith("2 of 600")


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        (put(42, "h", -8), InputError, "dim"),
        (put(108, "f", 1e6), InputError, "damaged"),
        (put(108, "f", float("nan")), InputError, "damaged"),
        (put(70, "h", 9999), InputError, "data type"),
        (put(40, "4h", 3, 32767, 32767, 32767), RefusedError, "limit"),
        (put(0, "i", 7), InputError, "not NIfTI"),
    ],
)
def test_impossible_headers(tmp_path, change, error, word):
    with pytest.raises(error, match=word):
        codes(write(tmp_path / "a.nii", change=change))


def test_compressed_bombs_are_refused_and_cut_files_named(tmp_path):
    path = write(tmp_path / "a.nii.gz", np.zeros((300, 300, 300), np.float64))
    with pytest.raises(RefusedError, match="limit"):
        codes(path)
    path = write(tmp_path / "b.nii.gz", np.random.default_rng(0).normal(size=(9, 9, 9)))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match="truncated"):
        codes(path)
