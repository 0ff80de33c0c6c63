"""The control's network is fitted in a process of its own beside the others: the same answers, and no orphan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest

from genomap_core.progress import Progress
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.tabular import beside
from genomap_core.workflows.tabular import compare as comparing
from genomap_core.workflows.tabular.compare import CompareConfig, compare

CONFIG = CompareConfig(("genomap", "genomap_random"), n_folds=2, max_epochs=2, device="cpu")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process ids of the children, which start however short the work is."""
    monkeypatch.setattr(comparing, "worth_it", lambda name, dataset, config: True)
    pids, make = [], beside.subprocess.Popen

    def popen(*args: object, **options: object) -> object:
        child = make(*args, **options)  # type: ignore[call-overload]
        pids.append(child.pid)
        return child

    monkeypatch.setattr(beside.subprocess, "Popen", popen)
    return pids


def test_the_control_beside_answers_as_in_one_process(started: list[int], tmp_path: Path) -> None:
    stages: list[str] = []
    found = compare(load_sample("wine"), CONFIG, tmp_path, lambda p: stages.append(p.stage))
    alone = compare(load_sample("wine"), CONFIG)
    assert len(started) == 1
    for name in CONFIG.models:
        a, b = found.run(name), alone.run(name)
        assert a.status == b.status == "ok"
        assert a.proba is not None
        assert b.proba is not None
        np.testing.assert_allclose(a.proba, b.proba, atol=1e-5)
        assert (tmp_path / f"{name}-fold1.safetensors").is_file()
    # The control's second fold was never told of here: it was not fitted in this process.
    assert not [s for s in stages if "control" in s and "fold 2" in s]
    assert not (tmp_path / "beside.npz").exists()
    assert found.run("genomap_random").fit_seconds > 0


def test_a_child_that_gives_up_is_replaced(started: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside.sys, "executable", "/bin/false")
    found = compare(load_sample("wine"), CONFIG, tmp_path)
    assert len(started) == 1
    assert found.run("genomap_random").status == "ok"


def test_the_child_ends_with_a_stopped_comparison(started: list[int], tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        assert psutil.pid_exists(started[0])
        raise Stopped

    with pytest.raises(Stopped):
        compare(load_sample("wine"), CONFIG, tmp_path, stop)
    assert not psutil.pid_exists(started[0])
    assert not (tmp_path / "beside.npz").exists()


def test_small_work_stays_in_one_process() -> None:
    wine = load_sample("wine")
    assert not beside.worth_it("genomap_random", wine, CONFIG)
    assert not beside.worth_it("genomap_random", wine, CompareConfig(("genomap_random",), n_folds=2))
