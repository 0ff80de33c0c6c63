"""A bundle: limits, crashes and refusals become records, the rest of the bundle goes on, nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from study_helpers import WINE, small_protocol, write_plugin

from genomap_core.benchmark.bundle import STOPPING, Order, RunLimits, WorkerError, memory_mb, run_bundle
from genomap_core.benchmark.catalogue import Entry
from genomap_core.benchmark.protocol import FULL, Run, RunBundle
from genomap_core.benchmark.records import Record
from genomap_core.benchmark.sources import Places
from genomap_core.benchmark.store import Store, create_store

pytestmark = pytest.mark.usefixtures("_running")


@pytest.fixture
def _running() -> None:
    STOPPING.clear()


def order_of(tmp_path: Path, *models: str, **more: object) -> Order:
    protocol = small_protocol(models=models, conditions=(FULL,))
    store = create_store(tmp_path / "study", protocol, {})
    runs = tuple(Run("wine", FULL, m, 0, 0) for m in models)
    values: dict[str, object] = {"limits": RunLimits(memory_mb=1500, seconds=60), "plugin": None}
    return Order(RunBundle("wine", 0, 0, runs), store.folder, WINE, Places(), 2, **{**values, **more})  # type: ignore[arg-type]


def records(order: Order) -> dict[str, Record]:
    return {r.model: r for r in Store(order.store, {}).records()}


def test_every_way_to_fail_is_a_record_and_the_bundle_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    hows = ("fine", "polluting", "wrong", "picky", "broken", "hungry", "asleep", "prior")
    order = order_of(tmp_path, *hows, plugin=write_plugin(tmp_path), limits=RunLimits(memory_mb=500, seconds=10))
    assert run_bundle(order) == 4  # one interpreter, and another after each of broken, hungry and asleep
    found = records(order)
    assert {m: r.status for m, r in found.items()} == {
        "fine": "ok", "polluting": "ok", "wrong": "crash", "picky": "refused",
        "broken": "crash", "hungry": "oom", "asleep": "timeout", "prior": "ok",
    }  # fmt: skip
    assert "SIGSEGV" in found["broken"].message
    assert "own_models.py" in found["broken"].message
    assert "500 MB allowed" in found["hungry"].message
    assert "after 10 s" in found["asleep"].message
    assert all(r.memory_limit_mb == 500 and r.finished > 1.7e9 for r in found.values())
    assert '"python"' in found["fine"].versions
    assert run_bundle(order) == 0  # nothing is done twice


def test_a_set_that_cannot_be_read_refuses_every_run_of_the_bundle(tmp_path: Path) -> None:
    order = replace(order_of(tmp_path, "prior", "svm"), entry=Entry("wine", "", file="absent"), places=Places(tmp_path))
    assert run_bundle(order) == 1
    assert {r.status for r in records(order).values()} == {"refused"}
    assert all("absent.parquet" in r.message for r in records(order).values())


def test_a_plugin_that_cannot_be_imported_is_an_error_of_the_command(tmp_path: Path) -> None:
    order = order_of(tmp_path, "prior", plugin="no_such_module")
    with pytest.raises(WorkerError, match="no_such_module"):
        run_bundle(order)
    assert not records(order)


def _children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "genomap_core.benchmark.child" in " ".join(p.cmdline())]


def _wait_for_child() -> psutil.Process:
    end = time.monotonic() + 60
    while not (found := _children()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found[0]


def test_a_child_killed_once_from_outside_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    order = order_of(tmp_path, "slow", "prior", plugin=write_plugin(tmp_path), options={"slow": {"seconds": 2.0}})
    interpreters: list[int] = []
    thread = threading.Thread(target=lambda: interpreters.append(run_bundle(order)))
    thread.start()
    child = _wait_for_child()
    time.sleep(0.2)
    child.kill()
    thread.join(60)
    assert interpreters == [2]
    assert {m: r.status for m, r in records(order).items()} == {"slow": "ok", "prior": "ok"}


def test_a_stopping_driver_kills_its_children_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    order = order_of(tmp_path, "asleep", plugin=write_plugin(tmp_path))
    thread = threading.Thread(target=lambda: run_bundle(order))
    thread.start()
    child = _wait_for_child()
    STOPPING.set()
    thread.join(5)
    assert not thread.is_alive()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert not records(order)


@pytest.mark.slow
def test_a_child_dies_with_its_parent_even_by_kill_9(tmp_path: Path) -> None:
    write_plugin(tmp_path)
    code = (
        "import pathlib, test_bundle_runner as t\n"
        f"t.run_bundle(t.order_of(pathlib.Path({str(tmp_path)!r}), 'asleep', plugin='own_models'))"
    )
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent), str(tmp_path)])
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    watched = psutil.Process(parent.pid)
    end = time.monotonic() + 60
    while not (children := watched.children()):
        assert time.monotonic() < end
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


def test_memory_counts_what_the_child_starts() -> None:
    code = "import subprocess, sys, time; b = bytearray(50_000_000); p = subprocess.Popen([sys.executable, '-c', "
    code += (
        "'b = bytearray(100_000_000); print(1, flush=True); import time; time.sleep(60)'], stdout=subprocess.PIPE); "
    )
    code += "p.stdout.readline(); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        family = [*psutil.Process(process.pid).children(), process]
        assert 150 < memory_mb(process.pid) < 230
        for member in family:
            member.kill()
    assert memory_mb(process.pid) == 0
