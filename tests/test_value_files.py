"""Values survive the way to a file and back, and what does not fit is named."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.labelled import LabelledImages
from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import InputError, LayoutError
from genomap_core.store import decode, load_arrays, save_arrays


@dataclass(frozen=True)
class Inner:
    edges: tuple[tuple[int, ...], ...] = ((1, 2), (3,))


@dataclass(frozen=True)
class Outer:
    names: tuple[str, ...]
    rate: float = 0.5
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise LayoutError("`rate` must be >= 0.")


def test_a_dataclass_comes_back_equal_through_json() -> None:
    value = Outer(("a", "b"), 0.25, Inner(((7,), ())))
    assert decode(Outer, json.loads(json.dumps(asdict(value)))) == value


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"names": ["a"], "speed": 1}, "Outer: `speed`"),
        ({}, "`names`.*required"),
        ({"names": ["a"], "inner": {"corners": []}}, "`inner.corners`"),
        ({"names": "ab"}, "`names`.*tuple"),
        ({"names": ["a"], "rate": "fast"}, "`rate`.*number"),
    ],
)
def test_what_does_not_fit_is_named(values: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        decode(Outer, values)


def test_a_dataclass_s_own_error_comes_out_as_it_is() -> None:
    with pytest.raises(LayoutError, match="rate"):
        decode(Outer, {"names": [], "rate": -1})


OLD = Path(__file__).parent / "files"
"""Written by version 0.1."""


def test_cohorts_that_version_0_1_stored_are_read() -> None:
    dense, sparse = Dataset.load(OLD / "dataset-0.1.npz"), Dataset.load(OLD / "sparse-0.1.npz")
    assert (dense.feature_names, dense.classes, dense.groups.tolist()) == (("a", "b"), ("x", "y"), [0, 0, 1])
    np.testing.assert_array_equal(sparse.X.toarray(), np.eye(3, 2))
    patients = PatientImages.load(OLD / "patients-0.1.npz")
    assert (patients.images.shape, patients.channels) == ((3, 1, 4, 4), ("ct",))
    assert patients.table.digest == dense.digest
    labelled = LabelledImages.load(OLD / "labelled-0.1.npz")
    assert labelled.classes == ("glioma", "none")
    assert labelled.tumour.tolist() == [1, 0]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save_arrays(path, {"k": [1, "ä"]}, {"a": np.arange(3)})
    path.chmod(0o600)
    with pytest.raises(TypeError):
        save_arrays(path, {"k": object()}, {"a": np.zeros(9)})
    save_arrays(path, {"k": [1, "ä"]}, {"a": np.arange(3)})
    header, arrays = load_arrays(path, "damaged")
    assert header == {"k": [1, "ä"]}
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])
    assert path.stat().st_mode & 0o777 == 0o600, "a private file stays private"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["dataset", "patients", "labelled"])
def test_damage_anywhere_is_an_input_error(tmp_path: Path, name: str) -> None:
    kind = {"dataset": Dataset, "patients": PatientImages, "labelled": LabelledImages}[name]
    whole = (OLD / f"{name}-0.1.npz").read_bytes()
    path = tmp_path / "cut.npz"
    for length in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="damaged"):
            kind.load(path)
