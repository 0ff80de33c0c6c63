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
from genomap_core.modelfile import REQUIRED, checksum
from genomap_core.training.bundle import load_bundle

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


def test_tensors_without_a_header_are_no_harm_and_no_model(tmp_path):
    said = check(safetensors(tmp_path / "a.safetensors", {"__metadata__": META, "w": TENSOR}))
    assert [m.severity for m in said] == ["ok", "ok"]
    assert "`predict` refuses it" in said[1].text


def bundle(tensors=None, **fields):
    """A model of two features as ``training.bundle`` writes it: (header, bytes); ``None`` leaves a field out."""
    arrays = {
        "layout/positions": np.zeros((2, 2), np.int32),
        "network/w": np.ones((2, 2), np.float32),
        "preprocess/median_": np.zeros(2, np.float32),
        "preprocess/kept_": np.arange(2, dtype=np.int32),
        "preprocess/mean_": np.zeros(2, np.float32),
        "preprocess/scale_": np.ones(2, np.float32),
    } | (tensors or {})
    own = {"features": ["a", "b"], "classes": ["x", "y"], "labels": {"kind": "int", "values": [0, 1]}}
    own |= {name: {} for name in ("preprocess", "transformer", "layout", "training")}
    own |= {"network": {"n_classes": 2}, "sha256": checksum(arrays)}
    own = {name: value for name, value in (own | fields).items() if value is not None}
    header, data = {"__metadata__": META | {"header": json.dumps(own)}}, b""
    kinds = {"float32": "F32", "int32": "I32"}
    for name, array in arrays.items():
        places = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kinds[str(array.dtype)], "shape": list(array.shape), "data_offsets": places}
        data += array.tobytes()
    return header, data


def test_a_bundle_of_this_program_is_ok(tmp_path):
    (said,) = check(safetensors(tmp_path / "a.safetensors", *bundle()))
    assert said.severity == "ok"


@pytest.mark.parametrize("field", REQUIRED["genomap"])
def test_a_model_whose_header_lacks_a_field_is_an_error_that_names_it(tmp_path, field):
    with pytest.raises(InputError, match=f"lacks {field}"):
        check(safetensors(tmp_path / "a.safetensors", *bundle(**{field: None})))


@pytest.mark.parametrize("path", sorted(SAMPLE_DATA.glob("*/*.safetensors"))[::4], ids=lambda path: path.stem)
def test_a_network_of_images_that_lacks_a_field_is_an_error_too(tmp_path, path):
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    fields = json.loads(header["__metadata__"]["genomap"])
    del fields["config"]
    header["__metadata__"]["genomap"] = json.dumps(fields)
    with pytest.raises(InputError, match="lacks config"):
        check(safetensors(tmp_path / "a.safetensors", header, data[8 + size :]))


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"features": ["a", "b", "c", "d", "e"]}, "names 5"),
        ({"classes": ["x"]}, "classes"),
        ({"network": {"n_classes": 3}}, "classes"),
        ({"tensors": {"preprocess/kept_": np.array([0, 7], np.int32)}}, "preprocessing"),
        ({"tensors": {"layout/positions": np.zeros((1, 2), np.int32)}}, "layout"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_an_error(tmp_path, changed, word):
    with pytest.raises(InputError, match=word):
        check(safetensors(tmp_path / "a.safetensors", *bundle(**changed)))


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
    assert {"fusion": "fusion", "growth": "growth", "growth_real": "growth", "radiogenomics": "expression"}[
        path.parent.name
    ] in said.text
    with pytest.raises(InputError) as refused:  # as `predict` does
        load_bundle(path)
    assert str(refused.value).split(": ")[-1] in said.text


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
    header, data = bundle({"network/w": weights})
    changed = data.replace(weights.tobytes(), (weights + 1).tobytes())
    assert check(safetensors(tmp_path / "a.safetensors", header, data))[0].severity == "ok"
    with pytest.raises(InputError, match="checksum"):
        check(safetensors(tmp_path / "a.safetensors", header, changed))


def test_tensors_that_share_bytes_are_refused(tmp_path):
    header = {"__metadata__": META, "w": TENSOR, "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}
    with pytest.raises(RefusedError, match="offset"):
        check(safetensors(tmp_path / "a.safetensors", header))
