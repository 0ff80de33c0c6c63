"""P4: ``kill -9`` during a layout and during saving, at every change of a file; the user is told, and can go on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dying import armed_environment, kills
from streamlit.testing.v1 import AppTest
from test_faults import _resumed, restart, small, until

from genomap_core.data.dataset import Dataset
from genomap_core.errors import JobError
from genomap_core.jobs import JobManager
from genomap_core.jobs.ledger import Ledger
from genomap_core.workflows.tabular.genomap import GenomapConfig
from pages._ui import session as tabs

ROOT = Path(__file__).parents[2]
REFIT = "genomap_core.workflows.tabular.genomap:subsample_task"
STABILITY = "genomap_core.workflows.tabular.layout_study:stability_task"
SPECS: dict[str, dict[str, Any]] = {
    REFIT: {"config": asdict(GenomapConfig()), "fraction": 0.6},
    STABILITY: {"config": asdict(GenomapConfig()), "resamples": 3},
}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[JobManager]:
    found = restart(tmp_path)
    yield found
    with contextlib.suppress(Exception):
        found.close(cancel_jobs=True)


def submit(manager: JobManager, task: str, spec: dict[str, Any], tmp_path: Path) -> str:
    path = tmp_path / "dataset.npz"
    small().save(path)
    return manager.submit(task, spec, "ann", "x", {"dataset.npz": path})


def answer(manager: JobManager, job_id: str) -> tuple[dict[str, Any], np.ndarray]:
    """What a done layout job found."""
    with np.load(manager.folder(job_id, "ann") / "moved.npz", allow_pickle=False) as file:
        return manager.result(job_id, "ann"), file["cells_moved"]


def same(one: tuple[dict[str, Any], np.ndarray], other: tuple[dict[str, Any], np.ndarray]) -> bool:
    return one[0] == other[0] and np.array_equal(one[1], other[1], equal_nan=True)


@pytest.mark.slow
def test_a_layout_job_killed_at_any_change_of_a_file_is_told_and_resumed(
    manager: JobManager, tmp_path: Path, monkeypatch, figure
) -> None:
    job_id = submit(manager, REFIT, SPECS[REFIT], tmp_path)
    assert manager.wait(job_id, "ann", 120).status == "done"
    whole, killed = answer(manager, job_id), 0
    for at in range(1, 20):
        job_id = "0" * 16
        with monkeypatch.context() as patch:
            for name, value in armed_environment(tmp_path, at, manager.root).items():
                patch.setenv(name, value)
            job_id = submit(manager, REFIT, SPECS[REFIT], tmp_path)
            job = manager.wait(job_id, "ann", 120)
        if job.status == "done":
            break
        killed += 1
        assert (job.status, "SIGKILL" in (job.cause or "")) == ("lost", True)
        with pytest.raises(JobError, match="SIGKILL"):
            manager.result(job_id, "ann")
        until(lambda job_id=job_id: _resumed(manager, job_id))
        assert manager.wait(job_id, "ann", 120).status == "done"
        assert same(answer(manager, job_id), whole), f"killed at change {at}"
    assert killed >= 4, "the crash log, the result's file, its seal, the seal's name"
    figure("faults survived", killed)


SERVER = """
import json, sys, time
from pathlib import Path
from genomap_core.jobs import JobManager
root, data, task, spec = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
manager = JobManager(root, min_free_bytes=0, poll_s=0.05)
print(manager.submit(task, spec, "ann", "x", {"dataset.npz": data}), flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("worker_too", [False, True])
def test_a_server_killed_during_a_layout_job_loses_nothing(worker_too: bool, tmp_path: Path, figure) -> None:
    small().save(tmp_path / "dataset.npz")
    spec = SPECS[STABILITY] | {"resamples": 12}
    arguments = [str(tmp_path / "jobs"), str(tmp_path / "dataset.npz"), STABILITY, json.dumps(spec)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen([sys.executable, "-c", SERVER, *arguments], env=environment, stdout=-1, text=True)
    assert server.stdout is not None
    job_id = server.stdout.readline().strip()
    ledger = Ledger(tmp_path / "jobs" / "ledger.sqlite")
    until(lambda: ledger.events(job_id, 0))
    found = ledger.find(job_id)
    assert found is not None
    assert found.job.status == "running"
    ledger.close()
    server.kill()
    server.communicate()
    if worker_too:
        os.kill(found.job.pid or 0, signal.SIGKILL)
    manager = restart(tmp_path)
    try:
        job = manager.wait(job_id, "ann", 120)
        if worker_too:
            assert (job.status, "left no result" in (job.cause or "")) == ("lost", True)
            assert not (manager.root / job_id / "result.json").exists()
            until(lambda: _resumed(manager, job_id))
            job = manager.wait(job_id, "ann", 120)
        assert job.status == "done"
        assert manager.result(job_id, "ann")["resamples"] == 12
        assert answer(manager, job_id)[1].shape == (small().n_features,)
    finally:
        manager.close(cancel_jobs=True)
    figure("faults survived", 1 + worker_too)


def submit_once(root: Path, data: Path, armed: Callable[[], None]) -> None:
    armed()
    quiet = JobManager(root, min_free_bytes=0, poll_s=600)
    spec = {"names": ["dataset.npz"]}
    quiet.submit("genomap_core.jobs.selftest:read_inputs", spec, "ann", "x", {"dataset.npz": data})


def test_a_server_killed_at_any_moment_of_submitting_leaves_a_whole_job_or_none(tmp_path: Path, figure) -> None:
    root, data = tmp_path / "jobs", tmp_path / "dataset.npz"
    restart(tmp_path).close()
    small().save(data)
    killed = 0
    for _ in kills(partial(submit_once, root, data), root):
        killed += 1
        manager = restart(tmp_path)
        jobs = {job.id for job in manager.list("ann")}
        for job_id in jobs:
            assert manager.wait(job_id, "ann", 60).status == "done"
            assert manager.result(job_id, "ann")["dataset.npz"] == data.stat().st_size
            manager.remove(job_id, "ann")
        until(lambda: not data_below(root))
        manager.close()
    assert killed >= 3, "its folder, its signature, its data"
    figure("faults survived", killed)


def data_below(root: Path) -> list[Path]:
    """Patients' data in folders of jobs."""
    return [path for path in root.rglob("dataset.npz") if path.stat().st_size]


def cohort(value: float) -> Dataset:
    X = np.full((30, 40), value, np.float32)
    return Dataset("mine", X, tuple(map(str, range(40))), tuple(map(str, range(30))))


TOKEN = "t" * 22


def reopened() -> tabs.Session:
    found = tabs._restore(TOKEN)
    assert found is not None
    return found


def shown(session: tabs.Session) -> object:
    """The sample's key, or the one value of a cohort of one's own."""
    X = np.asarray(session.dataset.X)
    assert session.sample is not None or X.min() == X.max()
    return session.sample or float(X.flat[0])


def use(what: object) -> None:
    sample = what if isinstance(what, str) else None
    tabs.Session(TOKEN, tabs.load_sample("wine")).use(
        tabs.load_sample(sample) if sample else cohort(float(what)),  # type: ignore[arg-type]
        sample,
    )


def use_once(home: Path, what: object, armed: Callable[[], None]) -> None:
    os.environ["GENOMAP_HOME"] = str(home)
    tabs.jobs()
    armed()
    use(what)


@pytest.mark.parametrize(("before", "after"), [(1.0, 2.0), ("wine", 2.0), (1.0, "wine")])
def test_a_server_killed_at_any_moment_of_storing_a_cohort_shows_the_old_one_or_the_new_one(
    before: object, after: object, home: Path, monkeypatch, figure
) -> None:
    told: list[str] = []
    monkeypatch.setattr(tabs.st, "warning", lambda words, **_: told.append(words))
    tabs.jobs()
    use(before)
    killed = []
    for at in kills(partial(use_once, home, after), home):
        told.clear()
        killed.append(shown(reopened()))
        assert killed[-1] in (before, after), f"killed at change {at}"
        noted = (len(told), "stored a cohort" in "".join(told))
        assert noted == (1, True) or (killed[-1], told) in ((before, []), (after, [])), told
        use(before)
    assert len(killed) >= 4
    assert shown(reopened()) == after
    figure("faults survived", len(killed))


PLACING = """
import os, signal, sys
from streamlit.testing.v1 import AppTest
from genomap_core.data.dataset import Dataset
from pages._ui import session as tabs
whole = tabs.fit_genomap
def dying(dataset, config, on_progress):
    def stop(progress):
        if progress.stage == "placing features":
            os.kill(os.getpid(), signal.SIGKILL)
    return whole(dataset, config, stop)
app = AppTest.from_file(sys.argv[1], default_timeout=120)
app.query_params["session"] = "t" * 22
app.run()
app.session_state["session"].use(Dataset.load(sys.argv[2]), None)
app.run()
tabs.fit_genomap = dying
next(s for s in app.selectbox if s.label == "Placement").set_value("random").run()
"""


def test_a_server_killed_while_the_page_places_features_says_so_and_places_them_with_the_same_options(
    home: Path, tmp_path: Path, figure
) -> None:
    small().save(tmp_path / "mine.npz")
    tabs.make_private(tabs.home() / "sessions" / tabs._owner(TOKEN))
    command = [sys.executable, "-W", "ignore", "-c", PLACING, str(ROOT / "app.py"), str(tmp_path / "mine.npz")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params["session"] = TOKEN
    app.run()
    assert not app.exception
    assert any("while it placed the features" in str(w.value) for w in app.warning)
    session = app.session_state["session"]
    assert session.dataset.digest == small().digest
    assert session.layout.solver == "random"
    assert ("genomap", session.dataset.digest, session.layout) in session.cache
    app.run()
    assert not app.warning, "told once"
    figure("faults survived", 1)


def test_an_interrupted_layout_job_is_told_on_its_page_and_resumed(home: Path, figure) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    session = app.session_state["session"]
    session.use(small(), None)
    app.run()
    small().save(session.folder / "copy.npz")
    spec = SPECS[STABILITY] | {"resamples": 12}
    files = {"dataset.npz": session.folder / "copy.npz"}
    job_id = tabs.jobs().submit(STABILITY, spec, session.owner, "x", files)
    until(lambda: tabs.jobs().events(job_id, session.owner))
    os.kill(tabs.jobs().get(job_id, session.owner).pid or 0, signal.SIGKILL)
    assert tabs.jobs().wait(job_id, session.owner, 60).status == "lost"
    app.segmented_control(key="view").set_value("Fewer samples").run()
    assert any("The work was lost" in str(e.value) for e in app.error)
    until(lambda: _pressed(app))
    assert tabs.jobs().get(job_id, session.owner).status != "lost"
    figure("faults survived", 1)


def _pressed(app: AppTest) -> bool:
    """Press Resume until the old process is known to be gone."""
    if not any(b.label == "Resume" for b in app.button):
        return True
    next(b for b in app.button if b.label == "Resume").click().run()
    return not any("still ending" in str(e.value) for e in app.error)
