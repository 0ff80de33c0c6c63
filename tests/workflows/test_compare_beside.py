"""The control's network is fitted in a process of its own beside the others: the same answers, and no orphan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from genomap_core.layout.field import available_cores
from genomap_core.progress import Progress
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.tabular import beside
from genomap_core.workflows.tabular import compare as comparing
from genomap_core.workflows.tabular.compare import CompareConfig, compare
from genomap_core.workflows.tabular.duration import comparison_seconds, elapsed_seconds

CONFIG = CompareConfig(("genomap", "genomap_random"), n_folds=2, max_epochs=2, device="cpu")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process ids of the children, which start however short the work is."""
    monkeypatch.setattr(comparing, "chosen", lambda dataset, config: True)
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


def test_only_slow_work_is_done_beside_and_the_time_said_first_knows_it() -> None:
    wine = load_sample("wine")
    assert not beside.chosen(wine, CONFIG)
    wide = replace(
        wine, X=np.zeros((178, 6000), np.float32), feature_names=tuple(f"f{j}" for j in range(6000)), omics=None
    )
    alone = CompareConfig(("logistic", "genomap_random"))
    assert not beside.chosen(wide, alone)
    config = CompareConfig(("logistic", "genomap", "genomap_random"))
    assert beside.chosen(wide, config) == (available_cores() > 1)
    seconds = comparison_seconds(178, 6000, 3, config)
    if available_cores() > 1:
        assert seconds["genomap"] <= elapsed_seconds(wide, config) < sum(seconds.values())
    assert elapsed_seconds(wide, alone) == sum(comparison_seconds(178, 6000, 3, alone).values())
