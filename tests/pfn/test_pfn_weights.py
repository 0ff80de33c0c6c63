"""Weights on disk: found, described, refused; without torch and without network."""

import json
import os
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from genomap_core.errors import InputError, WeightsMissingError
from genomap_core.pfn import (
    HOW_TO_GET,
    PFNClassifier,
    choose_weights,
    find_weights,
    inspect_weights,
    shipped_card,
    survey_weights,
)
from genomap_core.pfn.header import OPAQUE, plain_data, read_header


def write_header(path: Path, metadata: dict[str, object]) -> Path:
    """A safetensors file without tensors."""
    header = json.dumps({"__metadata__": {k: json.dumps(v) for k, v in metadata.items()}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


@pytest.fixture
def empty_machine(tmp_path, monkeypatch):
    """No weights anywhere; any connection attempt is an error (pytest-socket)."""
    monkeypatch.setenv("TABPFN_MODEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GENOMAP_PFN_WEIGHTS", raising=False)
    monkeypatch.setattr("genomap_core.pfn.weights.SHIPPED", tmp_path / "shipped")
    return tmp_path


def test_importing_the_package_brings_neither_torch_nor_tabpfn():
    code = "import sys, genomap_core.pfn; print([m for m in ('torch', 'tabpfn', 'captum') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize(
    ("metadata", "family", "label_start", "commercial"),
    [
        ({"config": {"max_num_classes": 10, "emsize": 192}}, "v2", "TabPFN v2 (sha256 ", True),
        ({"architecture_name": "base", "config": {"max_num_classes": 10}}, "v2_5", "TabPFN v2.5 (sha256 ", False),
        ({"architecture_name": "tabpfn_v3", "config": {"max_num_classes": 160}}, "v3", "TabPFN v3 (sha256 ", False),
    ],
)
def test_official_weights_are_named_by_version_and_hash(tmp_path, metadata, family, label_start, commercial):
    weights = inspect_weights(write_header(tmp_path / "w.safetensors", metadata))
    assert (weights.family, weights.commercial) == (family, commercial)
    assert weights.label.startswith(label_start + weights.sha256[:8])


def test_in_house_weights_say_that_they_are_not_prior_labs(random_weights):
    assert random_weights.family == "in-house"
    assert random_weights.label.endswith("(not Prior Labs)")
    assert random_weights.commercial is True


def test_both_formats_say_the_same(random_weights, random_weights_ckpt):
    a, b = read_header(random_weights.path), read_header(random_weights_ckpt.path)
    assert a.config == b.config
    assert json.loads(json.dumps(a.inference)) == json.loads(json.dumps(b.inference, default=lambda e: e.value))
    assert a.architecture == b.architecture


def test_reading_a_pickle_calls_nothing(tmp_path):
    marker = tmp_path / "called"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)

    import pickle

    content = plain_data(pickle.dumps({"config": {"a": [1, 2.5, None, True, "x"]}, "state": Evil()}, protocol=2))
    assert content == {"config": {"a": [1, 2.5, None, True, "x"]}, "state": OPAQUE}
    assert not marker.exists()


@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_data_survive_every_protocol(protocol):
    import pickle

    shared = ["same", "same"]
    value = {"a": shared, "b": shared, "n": {"deep": (1, 2, (3, 4, 5, 6))}, "i": 2**40, "neg": -7, "empty": []}
    assert plain_data(pickle.dumps(value, protocol=protocol)) == value


def test_what_is_no_checkpoint_is_refused_with_its_name_and_reason(tmp_path, random_weights, random_weights_ckpt):
    good, good_zip = random_weights.path.read_bytes(), random_weights_ckpt.path.read_bytes()
    files = {
        "empty.safetensors": b"",
        "text.safetensors": b"gene,value\nA,1\n",
        "cut.safetensors": good[: len(good) // 2],
        "long.safetensors": good + b"0",
        "cut.ckpt": good_zip[: len(good_zip) // 2],
        "text.ckpt": b"hello",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=f"{name}: the file is damaged"):
            inspect_weights(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "other.ckpt", "w") as z:
        z.writestr("readme.txt", "no")
    with pytest.raises(InputError, match="table of contents"):
        inspect_weights(tmp_path / "other.ckpt")
    (tmp_path / "w.pkl").write_bytes(good)
    with pytest.raises(InputError, match="safetensors"):
        inspect_weights(tmp_path / "w.pkl")
    with pytest.raises(InputError, match="no such file"):
        inspect_weights(tmp_path / "absent.ckpt")


def test_regressors_and_unknown_architectures_are_refused(tmp_path):
    with pytest.raises(InputError, match="regression"):
        inspect_weights(write_header(tmp_path / "r.safetensors", {"config": {"max_num_classes": 0}}))
    unknown = {"architecture_name": "tabpfn_v9", "config": {"max_num_classes": 10}}
    with pytest.raises(InputError, match="tabpfn_v9"):
        inspect_weights(write_header(tmp_path / "u.safetensors", unknown))
    with pytest.raises(InputError, match="no architecture"):
        inspect_weights(write_header(tmp_path / "n.safetensors", {"format": "pt"}))


def test_newer_official_weights_come_first_and_broken_ones_are_listed_apart(empty_machine):
    cache = empty_machine / "cache"
    cache.mkdir()
    write_header(cache / "tabpfn-v2-classifier.safetensors", {"config": {"max_num_classes": 10}})
    v3 = {"architecture_name": "tabpfn_v3", "config": {"max_num_classes": 10}}
    write_header(cache / "tabpfn-v3-classifier-v3_default.safetensors", v3)
    write_header(cache / "tabpfn-v3-regressor-v3_default.safetensors", v3)
    (cache / "tabpfn-v2.5-classifier-cut.ckpt").write_bytes(b"PK")
    survey = survey_weights()
    assert [w.family for w in survey.found] == ["v3", "v2"]
    assert [p.name for p, _ in survey.rejected] == ["tabpfn-v2.5-classifier-cut.ckpt"]


def test_a_path_in_the_environment_goes_before_the_cache(empty_machine, monkeypatch, random_weights):
    monkeypatch.setenv("GENOMAP_PFN_WEIGHTS", str(random_weights.path))
    assert find_weights()[0].path == random_weights.path
    monkeypatch.setenv("GENOMAP_PFN_WEIGHTS", str(random_weights.path.parent))
    assert random_weights.sha256 in {w.sha256 for w in find_weights()}


@pytest.mark.disable_socket
def test_without_weights_the_answer_comes_within_three_seconds_and_says_how_to_get_them(empty_machine):
    X, y = np.random.default_rng(0).normal(size=(20, 5)), np.arange(20) % 2
    start = time.perf_counter()
    with pytest.raises(WeightsMissingError) as caught:
        PFNClassifier().fit(X, y)
    assert time.perf_counter() - start < 3
    for card in HOW_TO_GET:
        assert card.page in str(caught.value)
        assert card.licence in str(caught.value)
    assert not (empty_machine / "cache").exists(), "nothing may be written, not even a lock file"


def test_a_fresh_process_without_weights_answers_without_loading_torch(empty_machine):
    code = (
        "import sys, time, pathlib, numpy as np; from genomap_core.pfn import PFNClassifier, weights\n"
        "weights.SHIPPED = pathlib.Path('nowhere'); t = time.perf_counter()\n"
        "try: PFNClassifier().fit(np.eye(4), [0, 1, 0, 1])\n"
        "except Exception as e: print(type(e).__name__, time.perf_counter() - t < 3, 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert out.stdout.split() == ["WeightsMissingError", "True", "False"]


def test_a_changed_file_gets_a_new_hash(tmp_path):
    path = write_header(tmp_path / "w.safetensors", {"config": {"max_num_classes": 10}})
    first = choose_weights(path).sha256
    write_header(path, {"config": {"max_num_classes": 9}, "more": "x"})
    assert choose_weights(path).sha256 != first


def test_the_program_comes_with_weights_their_card_and_their_licence(monkeypatch, tmp_path):
    monkeypatch.setenv("TABPFN_MODEL_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("GENOMAP_PFN_WEIGHTS", raising=False)
    weights = choose_weights()
    assert weights.label == "in-house PFN 1.1 (not Prior Labs)"
    assert (weights.licence, weights.commercial) == ("MIT", True)
    assert weights.megabytes <= 20
    card = shipped_card(weights)
    assert weights.sha256 in card
    assert "Not weights of Prior Labs" in card
    copied = tmp_path / weights.path.name
    copied.write_bytes(weights.path.read_bytes())
    assert shipped_card(inspect_weights(copied)) == "", "a card is shown for our own file alone"


def test_the_shipped_weights_answer_far_better_than_chance_offline(monkeypatch, tmp_path):
    from sklearn.datasets import load_wine
    from sklearn.model_selection import cross_val_score

    monkeypatch.setenv("TABPFN_MODEL_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("GENOMAP_PFN_WEIGHTS", raising=False)
    X, y = load_wine(return_X_y=True)
    assert cross_val_score(PFNClassifier(n_estimators=2), X, y, cv=3).mean() > 0.85
