"""A training that was killed goes on where it stopped, bit for bit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from genomap_core.errors import Cancelled, InputError
from genomap_core.progress import Progress
from genomap_core.training import MapClassifier


def maps(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(40) % 2
    x = rng.normal(size=(40, 1, 7, 7)).astype(np.float32)
    x[:, 0, :3, :3] += 0.8 * y[:, None, None]
    return x, y


def model(folder=None, **options) -> MapClassifier:
    fixed = {"max_epochs": 6, "patience": 6, "n_threads": 1, "device": "cpu", "checkpoint_dir": folder}
    return MapClassifier(**fixed | options)


class StopAfter:
    """Raises after so many finished epochs."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def __call__(self, progress: Progress) -> None:
        self.left -= "loss" in progress.values
        if self.left < 0:
            raise Cancelled


@pytest.mark.parametrize("epochs", [0, 1, 4, 8, 12])
def test_resuming_gives_the_network_of_an_unbroken_training(tmp_path, epochs):
    whole = model().fit(*maps())
    try:
        model(tmp_path, on_progress=StopAfter(epochs)).fit(*maps())
    except Cancelled:
        assert list(tmp_path.glob("member-*.safetensors"))
    resumed = model(tmp_path).fit(*maps())
    for name, tensor in whole.module_.state_dict().items():
        assert torch.equal(tensor, resumed.module_.state_dict()[name]), name
    assert whole.history_ == resumed.history_


def test_resuming_does_not_repeat_finished_epochs(tmp_path):
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        model(tmp_path, on_progress=StopAfter(4)).fit(*maps())
    model(tmp_path, on_progress=seen.append).fit(*maps())
    first = next(p for p in seen if "loss" in p.values)
    assert (first.values["member"], first.values["epoch"]) == (0.0, 6.0)


@pytest.mark.slow
def test_a_killed_process_leaves_a_state_that_resumes(tmp_path):
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(__import__("pathlib").Path(__file__).parent)!r})
from test_checkpoint import maps, model
count = 0
def kill(progress):
    global count
    count += "loss" in progress.values
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
model({str(tmp_path)!r}, on_progress=kill).fit(*maps())
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=120).returncode == -9
    whole, resumed = model().fit(*maps()), model(tmp_path).fit(*maps())
    np.testing.assert_array_equal(whole.predict_proba(maps()[0]), resumed.predict_proba(maps()[0]))


def test_a_finished_training_leaves_no_state_behind(tmp_path):
    model(tmp_path).fit(*maps())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("options", "seed"), [({}, 1), ({"learning_rate": 1e-4}, 0), ({"random_state": 5}, 0)])
def test_a_state_of_other_data_or_options_is_refused(tmp_path, options, seed):
    with pytest.raises(Cancelled):
        model(tmp_path, on_progress=StopAfter(2)).fit(*maps())
    with pytest.raises(InputError, match="other data or options"):
        model(tmp_path, **options).fit(*maps(seed))


def test_a_damaged_state_is_named(tmp_path):
    with pytest.raises(Cancelled):
        model(tmp_path, on_progress=StopAfter(2)).fit(*maps())
    path = next(tmp_path.glob("member-*.safetensors"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="delete it to start anew"):
        model(tmp_path).fit(*maps())
