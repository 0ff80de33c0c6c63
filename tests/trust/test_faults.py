"""P4: killed at any stage, nothing that was finished is lost, nothing half-written is read, and the rest is resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError, JobError, StorageError
from genomap_core.jobs import JobManager
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.tabular.train import BUNDLE, CHECKPOINTS, TrainConfig, train

ROOT = Path(__file__).parents[2]
CONFIG = TrainConfig(max_epochs=6, n_seeds=1, device="cpu")


def small() -> Dataset:
    return load_sample("wine")


def restart(tmp_path: Path) -> JobManager:
    """A server that starts again on the same folder."""
    return JobManager(tmp_path / "jobs", min_free_bytes=0, poll_s=0.05)


def submit(manager: JobManager, tmp_path: Path) -> str:
    path = tmp_path / "dataset.npz"
    small().save(path)
    spec = {"config": asdict(CONFIG)}
    return manager.submit("genomap_core.workflows.tabular.train:task", spec, "ann", "x", {"dataset.npz": path})


def epochs(manager: JobManager, job_id: str) -> list[int]:
    reports = (e.progress.values for e in manager.events(job_id, "ann"))
    return [int(values["epoch"]) for values in reports if "epoch" in values]


def until(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def weights(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


@pytest.mark.slow
def test_a_training_killed_with_its_server_goes_on_from_its_last_epoch(tmp_path: Path, figure) -> None:
    manager = restart(tmp_path)
    job_id = submit(manager, tmp_path)
    state = tmp_path / "jobs" / job_id / CHECKPOINTS
    until(lambda: len(epochs(manager, job_id)) >= 2 or not manager.get(job_id, "ann").active)
    job = manager.get(job_id, "ann")
    assert job.active
    assert list(state.glob("*.safetensors"))
    manager.close()
    os.kill(job.pid or 0, signal.SIGKILL)
    again = restart(tmp_path)
    before = epochs(again, job_id)
    try:
        assert again.wait(job_id, "ann", 30).status == "lost"
        assert "left no result" in (again.get(job_id, "ann").cause or ""), "the user is told"
        until(lambda: _resumed(again, job_id))
        assert again.wait(job_id, "ann", 200).status == "done"
        after = epochs(again, job_id)[len(before) :]
        assert not state.exists()
        unbroken: list[int] = []
        train(small(), CONFIG, tmp_path, lambda p: unbroken.extend(int(v) for k, v in p.values.items() if k == "epoch"))
        assert after == unbroken[-len(after) :]
        assert len(before) + len(after) <= len(unbroken), "finished epochs were run again"
        whole, resumed = weights(tmp_path / BUNDLE), weights(again.folder(job_id, "ann") / BUNDLE)
        for name, tensor in whole.items():
            np.testing.assert_array_equal(tensor, resumed[name], err_msg=name)
    finally:
        again.close(cancel_jobs=True)
    figure("faults survived", 2)


def _resumed(manager: JobManager, job_id: str) -> bool:
    try:
        manager.resume(job_id, "ann")
    except JobError:
        return False
    return True


SAVE = """
import sys
from pathlib import Path
import numpy as np
from genomap_core.data.dataset import Dataset
from pages._ui import session
from pages._ui.session import Session, home
tab = Session("t" * 22, session.load_sample("wine"))
X = np.full((400, 2000), float(sys.argv[1]), np.float32)
print("ready", flush=True)
while True:
    tab.use(Dataset("mine", X, tuple(map(str, range(2000))), tuple(map(str, range(400)))), None)
    print("saved", flush=True)
"""


def run_saving(home: Path, value: float) -> subprocess.Popen[str]:
    environment = os.environ | {"GENOMAP_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", SAVE, str(value)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.slow
def test_a_server_killed_while_a_cohort_is_stored_leaves_the_old_one_or_the_new_one(tmp_path: Path, figure) -> None:
    seen = set()
    for attempt in range(3):
        process = run_saving(tmp_path, attempt + 1.0)
        assert process.stdout is not None
        until(lambda out=process.stdout: "saved" in out.readline())
        time.sleep(0.013 * attempt)
        process.kill()
        process.communicate()
        (path,) = tmp_path.glob("sessions/*/dataset.npz")
        X = np.asarray(Dataset.load(path).X)
        assert X.min() == X.max()
        seen.add(float(X.flat[0]))
        assert json.loads((path.parent / "state.json").read_text())["sample"] is None
    assert seen == {1.0, 2.0, 3.0}
    figure("faults survived", 3)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_damaged_cohort_is_told_and_never_read(share: float, tmp_path: Path) -> None:
    path = tmp_path / "dataset.npz"
    small().save(path)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 0x55
    path.write_bytes(content)
    try:
        read = Dataset.load(path).digest
    except InputError:
        return
    assert read == small().digest, "other numbers were read"


@pytest.mark.parametrize("length", [0, 10, 1000, -1])
def test_a_cut_cohort_is_told(length: int, tmp_path: Path) -> None:
    path = tmp_path / "dataset.npz"
    small().save(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="damaged"):
        Dataset.load(path)


def test_a_tab_whose_stored_cohort_is_damaged_opens_on_the_sample_and_says_so(home: Path) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    app.session_state["session"].use(small(), None)
    found = app.query_params["session"]
    token = found if isinstance(found, str) else found[0]
    (path,) = home.glob("sessions/*/dataset.npz")
    path.write_bytes(path.read_bytes()[:5000])
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    again.query_params["session"] = token
    again.run()
    assert not again.exception
    assert any("could not be read again" in str(w.value) for w in again.warning)


def test_a_full_disk_is_told_and_the_stored_cohort_stays(home: Path, monkeypatch) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    session = app.session_state["session"]
    session.use(small(), None)
    (path,) = home.glob("sessions/*/dataset.npz")
    kept = path.read_bytes()

    def full(self: Dataset, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Dataset, "save", full)
    session.attempt(lambda: session.use(load_sample("clinical"), None))
    assert "The disk is full" in (session.failure or "")
    app.run()
    assert any("disk is full" in str(e.value) for e in app.error)
    assert path.read_bytes() == kept
    assert list(path.parent.glob("*writing*")) == []


def test_work_that_was_interrupted_is_told_and_can_be_resumed_on_its_page(home: Path) -> None:
    from pages._ui.session import jobs

    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    session = app.session_state["session"]
    job_id = jobs().submit(
        "genomap_core.workflows.tabular.train:task", {"config": {}}, session.owner, "x"
    )  # no data with it
    assert jobs().wait(job_id, session.owner, 100).status == "failed"
    app.switch_page("pages/train.py").run()
    assert any("ended with an error" in str(e.value) for e in app.error)
    until(lambda: _swept(app, job_id))
    assert jobs().get(job_id, session.owner).active


def _swept(app: AppTest, job_id: str) -> bool:
    """Press Resume until the old process is known to be gone."""
    if not any(b.label == "Resume" for b in app.button):
        return True
    next(b for b in app.button if b.label == "Resume").click().run()
    return not any("still ending" in str(e.value) for e in app.error)


def test_a_worker_on_a_full_disk_fails_with_words(tmp_path: Path) -> None:
    manager = restart(tmp_path)
    try:
        job_id = manager.submit("genomap_core.jobs.selftest:fail", {"disk": True}, "ann", "x")
        job = manager.wait(job_id, "ann", 60)
        assert (job.status, "The disk is full" in (job.cause or "")) == ("failed", True)
    finally:
        manager.close(cancel_jobs=True)


def test_a_working_folder_that_can_not_be_made_is_told_on_every_page(tmp_path: Path, monkeypatch) -> None:
    import streamlit as st

    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GENOMAP_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.chdir(ROOT)
    st.cache_resource.clear()
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    assert not app.exception
    assert any("working folder" in str(e.value) for e in app.error)


@pytest.mark.parametrize(
    ("number", "word"), [(28, "disk is full"), (30, "can't be written"), (13, "can't be written"), (5, "EIO")]
)
def test_storage_errors_say_what_to_do_and_name_no_path(number: int, word: str) -> None:
    said = str(StorageError.of(OSError(number, "x", "/home/jane/doe.csv")))
    assert word in said
    assert "jane" not in said
