"""Saved models are judged by their headers; no pickle is ever opened."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from genomap_core.errors import InputError, RefusedError
from genomap_core.files import SAMPLE_DATA
from genomap_core.io.modelfiles import check_model
from genomap_core.modelfile import checksum

TENSOR = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
META = {"format": "genomap", "version": "1"}


class Canary:
    """Running it would raise."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def safetensors(path, header, data=bytes(16)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def check(path):
    return check_model(path, name=path.name)


def test_a_bundle_is_ok(tmp_path):
    (said,) = check(safetensors(tmp_path / "a.safetensors", {"__metadata__": META, "w": TENSOR}))
    assert said.severity == "ok"


def test_a_bundle_of_this_program_is_ok(tmp_path):
    """Written as ``training.bundle`` writes it: the features stand in the header's JSON."""
    fields = {"header": json.dumps({"features": ["a", "b"]})}
    (said,) = check(safetensors(tmp_path / "a.safetensors", {"__metadata__": META | fields, "w": TENSOR}))
    assert said.severity == "ok"


@pytest.mark.parametrize(
    ("header", "error", "word"),
    [
        ({"w": TENSOR}, InputError, "no model of this program"),
        ({"__metadata__": META | {"version": "999"}, "w": TENSOR}, InputError, "999"),
        ({"__metadata__": META | {"genes": json.dumps(["G1"] * 5)}, "w": TENSOR}, InputError, "genes"),
        ({"__metadata__": META, "w": TENSOR | {"shape": [10**6, 10**6]}}, RefusedError, "shape"),
        ({"__metadata__": META, "w": TENSOR | {"data_offsets": [0, 99]}}, RefusedError, "shape"),
        ({"__metadata__": META, "w": {"dtype": "F32"}}, InputError, "damaged"),
        ({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(5001)}, RefusedError, "limit"),
        (b'{"w": 1, "w": 2}', RefusedError, "duplicate"),
        (b"not json", InputError, "JSON"),
        (b"[" * 100_000, InputError, "JSON"),
    ],
)
def test_headers_that_lie(tmp_path, header, error, word):
    with pytest.raises(error, match=word):
        check(safetensors(tmp_path / "a.safetensors", header))


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes((2**63 - 1).to_bytes(8, "little") + b"{}")
    with pytest.raises(RefusedError, match="header"):
        check(path)


def test_pickles_in_any_dress_are_refused(tmp_path):
    plain, torch_like, objects = tmp_path / "a.pkl", tmp_path / "a.pt", tmp_path / "a.npz"
    plain.write_bytes(pickle.dumps(Canary()))
    with zipfile.ZipFile(torch_like, "w") as archive:
        archive.writestr("m/data.pkl", pickle.dumps(Canary()))
    np.savez(objects, a=np.array([Canary()], object))
    for path, word in ((plain, "pickle"), (torch_like, "weights_only"), (objects, "pickle")):
        with pytest.raises(RefusedError, match=word):
            check(path)


def test_arrays_are_judged_by_their_header(tmp_path):
    good, bad, huge = tmp_path / "a.npy", tmp_path / "b.npy", tmp_path / "c.npy"
    np.save(good, np.zeros((3, 4)))
    assert "(3, 4)" in check(good)[0].text
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    huge.write_bytes(data.getvalue() + bytes(64))
    with pytest.raises(RefusedError, match="limit"):
        check(huge)
    bad.write_bytes(b"\x93NUMPY\x01\x00v\x00" + b"__import__('os').abort()".ljust(117) + b"\n")
    with pytest.raises(InputError, match="header"):
        check(bad)


@pytest.mark.parametrize("path", sorted(SAMPLE_DATA.glob("*/*.safetensors")), ids=lambda path: path.stem)
def test_every_kind_of_model_of_this_program_is_known(path):
    (said,) = check(path)
    assert said.severity == "ok"
    assert {"fusion": "fusion", "growth": "growth", "radiogenomics": "expression"}[path.parent.name] in said.text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["F16", "F32", "F64"])
def test_a_model_with_a_value_that_is_no_number_is_an_error(tmp_path, value, dtype):
    weights = np.arange(4, dtype=f"f{int(dtype[1:]) // 8}")
    header = {"__metadata__": META, "w": {"dtype": dtype, "shape": [4], "data_offsets": [0, weights.nbytes]}}
    assert check(safetensors(tmp_path / "a.safetensors", header, weights.tobytes()))[0].severity == "ok"
    weights[2] = value
    with pytest.raises(InputError, match="NaN"):
        check(safetensors(tmp_path / "a.safetensors", header, weights.tobytes()))


def test_a_model_that_differs_from_its_checksum_is_an_error(tmp_path):
    weights = np.arange(4, dtype=np.float32).reshape(2, 2)
    fields = {"header": json.dumps({"sha256": checksum({"w": weights})})}
    header = {"__metadata__": META | fields, "w": TENSOR}
    assert check(safetensors(tmp_path / "a.safetensors", header, weights.tobytes()))[0].severity == "ok"
    with pytest.raises(InputError, match="checksum"):
        check(safetensors(tmp_path / "a.safetensors", header, (weights + 1).tobytes()))


def test_tensors_that_share_bytes_are_refused(tmp_path):
    header = {"__metadata__": META, "w": TENSOR, "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}
    with pytest.raises(RefusedError, match="offset"):
        check(safetensors(tmp_path / "a.safetensors", header))
