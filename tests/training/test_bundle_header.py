"""Bundles are judged before their weights are read, and without torch."""

from __future__ import annotations

import csv
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomap_core.errors import BundleError, GenomapError, InputError, RefusedError
from genomap_core.io.modelfiles import check_model
from genomap_core.modelfile import own_fields, read_container
from genomap_core.training.bundle_header import check_features, read_header

BAD = Path(os.environ.get("GENOMAP_BADINPUTS", Path(__file__).parents[3] / "shared" / "badinputs"))


def container(header: dict | str, body: bytes = b"") -> bytes:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + body


def tensor(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def expected_rows() -> list[dict[str, str]]:
    if not (BAD / "EXPECTED.csv").is_file():
        return []
    with (BAD / "EXPECTED.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["file"].endswith(".safetensors")]


@pytest.mark.shared
@pytest.mark.skipif(not expected_rows(), reason="needs the folder of malformed inputs")
@pytest.mark.parametrize("row", expected_rows(), ids=lambda row: row["file"])
def test_malformed_files_get_the_expected_verdict(row):
    path = BAD / "files" / row["file"]
    try:
        found = [(m.severity, m.text) for m in check_model(path, name=path.name)]
    except InputError as error:
        found = [("refuse" if isinstance(error, RefusedError) else "error", str(error))]
    assert found[0][0] == row["verdict"]
    assert row["must_say"] in " ".join(text for _, text in found).lower() or row["verdict"] == "ok"


@pytest.mark.shared
@pytest.mark.skipif(not expected_rows(), reason="needs the folder of malformed inputs")
def test_another_gene_order_names_the_first_gene_that_differs():
    columns = (BAD / "files" / "t00_good.csv").read_text().splitlines()[0].split(",")[1:-1]
    header = own_fields(*read_container(BAD / "files" / "m20_gene_mismatch.safetensors"))
    with pytest.raises(BundleError, match="column 1: the model has 'NKG7', the table 'TP53'"):
        check_features(header["features"], columns)


def test_reading_a_header_needs_no_torch():
    code = (
        "import sys; from genomap_core.training.bundle_header import read_header; import genomap_core.training; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_good_container_is_read():
    metadata, tensors = read_container(
        container({"__metadata__": {"a": "b"}, "w": tensor([2, 2], 0, 16), "v": tensor([3], 16, 19, "I8")}, bytes(19))
    )
    assert metadata == {"a": "b"}
    assert tensors["v"].shape == (3,)


@pytest.mark.parametrize(
    ("header", "body", "words"),
    [
        ({"w": tensor([2], 0, 8), "v": tensor([2], 4, 12)}, 12, "invalid offset for tensor `v`"),
        ({"w": tensor([2], 4, 12)}, 12, "invalid offset"),
        ({"w": tensor([2], 0, 8)}, 20, "not fully covered"),
        ({"w": tensor([2], 0, 8)}, 4, "not fully covered"),
        ({"w": tensor([-2], 0, 8)}, 8, "-2"),
        ({"w": tensor([2], 0, 8, "OBJ")}, 8, "OBJ"),
        ({"w": tensor([True], 0, 4)}, 4, "true"),
        ({"w": {"dtype": "F32"}}, 0, "missing field `shape`"),
        ({"w": [1]}, 0, "invalid type"),
        ({"__metadata__": {"format": 1}}, 0, "string"),
        ("[1, 2]", 0, "JSON object"),
        ('{"a": ', 0, "not JSON"),
        ('{"a": ' + "[" * 100_000, 0, "not JSON"),
        ('{"w": {"shape": [1], "shape": [2]}}', 0, "duplicate"),
        ('{"a": ' + "9" * 10_000 + "}", 0, "not JSON"),
    ],
)
def test_contradictions_are_refused(header, body, words):
    with pytest.raises(RefusedError, match=words):
        read_container(container(header, bytes(body)))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_never_crash(data):
    with pytest.raises(GenomapError):
        read_header(data)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)))
def test_any_json_as_header_is_refused_and_never_crashes(value):
    for text in (
        json.dumps(value),
        json.dumps({"__metadata__": {"format": "genomap", "version": "1", "header": "{}"}}),
    ):
        with pytest.raises(GenomapError):
            read_header(container(text))
    meta = {"format": "genomap", "version": "1", "header": json.dumps(value)}
    with pytest.raises(GenomapError):
        read_header(container({"__metadata__": meta}))


@pytest.mark.parametrize("version", ["", "one", "-1", "1e9", "9" * 50])
def test_a_version_that_is_no_number_is_an_error(version):
    with pytest.raises(BundleError, match="version"):
        read_header(container({"__metadata__": {"format": "genomap", "version": version}}))


def test_the_difference_of_names_is_short_however_long_the_lists():
    with pytest.raises(BundleError) as error:
        check_features([f"a{i}" for i in range(20_000)], [f"b{i}" for i in range(20_000)])
    assert len(str(error.value)) < 700
    assert "and 19992 more" in str(error.value)
