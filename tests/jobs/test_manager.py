from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from job_helpers import SELFTEST, until

from genomap_core.errors import JobError
from genomap_core.jobs import JobManager, current_name, curves
from genomap_core.jobs.entry import resolve

COUNT = SELFTEST + "count"


def test_a_job_runs_in_a_fresh_interpreter_that_leads_its_own_session(manager: JobManager) -> None:
    job_id = manager.submit(COUNT, {"steps": 3}, "ann", "Count")
    job = manager.wait(job_id, "ann", 30)
    assert (job.status, job.cause, job.title) == ("done", None, "Count")
    result = manager.result(job_id, "ann")
    assert result["steps"] == 3
    assert result["pid"] == result["session"] == job.pid
    assert not result["torch"], "the worker imported torch unasked"
    assert job.peak_rss_bytes > 1e6
    assert 0 < job.seconds < 30


def test_files_come_and_go_through_a_private_folder(manager: JobManager, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n")
    files: dict[str, Path | bytes] = {"copied.csv": tmp_path / "table.csv", "given.bin": b"12345"}
    job_id = manager.submit(SELFTEST + "read_inputs", {"names": list(files)}, "ann", "Read", files)
    manager.wait(job_id, "ann", 30)
    assert manager.result(job_id, "ann") == {"copied.csv": 4, "given.bin": 5}
    folder = manager.folder(job_id, "ann")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(manager.root.stat().st_mode) == 0o700
    for path in [*folder.iterdir(), manager.root / "ledger.sqlite"]:
        if path.name not in files:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "result.json", "x" * 101, "a\nb", "é.csv"])
def test_a_file_with_an_unsafe_name_is_refused_and_leaves_nothing(manager: JobManager, name: str) -> None:
    with pytest.raises(JobError, match="can't be the name"):
        manager.submit(COUNT, {"steps": 1}, "ann", "x", {name: b""})
    assert manager.list("ann") == ()
    assert not [path for path in manager.root.iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    "task",
    ["os:system", "genomap_core:x", "genomap_core.jobs.entry:_private", "genomap_core.x.y", "", "genomap_core..a:b"],
)
def test_only_functions_of_this_library_are_run(manager: JobManager, task: str) -> None:
    with pytest.raises(JobError, match="public function of this library"):
        manager.submit(task, {}, "ann", "x")


def test_a_job_queued_under_the_name_of_an_earlier_version_finds_its_function() -> None:
    tasks = ["compare:task", "train:task", "genomap:subsample_task", "layout_study:stability_task", "patient:predict"]
    tasks += [
        f"{kind}_jobs:{task}" for kind in ("fusion", "expression", "growth") for task in ("train_task", "compare_task")
    ]
    tasks += ["lessons:map_task", "lessons:attribution_task", "growth_lesson:growth_lesson", "patient:attribute"]
    tasks += ["patient:predict_bundle", "fusion_view:look", "expression_view:attribute", "growth_view:analyse"]
    assert all(callable(resolve(f"genomap_core.workflows.{task}")) for task in tasks)
    assert current_name("genomap_core.workflows.train:task") == "genomap_core.workflows.tabular.train:task"


def test_a_file_in_the_folder_can_not_pose_as_a_module(manager: JobManager) -> None:
    files = {"numpy.py": b"raise SystemExit('imported an uploaded file')", "json.py": b"1/0"}
    job_id = manager.submit(COUNT, {"steps": 1}, "ann", "x", files)
    assert manager.wait(job_id, "ann", 30).status == "done"


def test_a_spec_that_is_not_json_is_refused(manager: JobManager) -> None:
    with pytest.raises(JobError, match="can't be written as JSON"):
        manager.submit(COUNT, {"steps": object()}, "ann", "x")


def test_another_owner_sees_no_difference_to_a_job_that_does_not_exist(manager: JobManager) -> None:
    job_id = manager.submit(COUNT, {"steps": 1}, "ann", "x")
    manager.wait(job_id, "ann", 30)
    calls: list[Callable[[str], object]] = [
        lambda i: manager.get(i, "bob"),
        lambda i: manager.events(i, "bob"),
        lambda i: manager.spec(i, "bob"),
        lambda i: manager.folder(i, "bob"),
        lambda i: manager.result(i, "bob"),
        lambda i: manager.cancel(i, "bob"),
        lambda i: manager.remove(i, "bob"),
    ]
    for call in calls:
        messages = []
        for tried in (job_id, "f" * 16):
            with pytest.raises(JobError) as caught:
                call(tried)
            messages.append(str(caught.value).replace(tried, "ID"))
        assert messages[0] == messages[1]
    assert manager.list("bob") == ()
    assert manager.result(job_id, "ann")["steps"] == 1


def test_the_second_job_waits_for_the_first_and_then_runs(manager: JobManager) -> None:
    first = manager.submit(COUNT, {"steps": 5, "pause": 0.1}, "ann", "first")
    second = manager.submit(COUNT, {"steps": 1}, "ann", "second")
    until(lambda: manager.get(first, "ann").status == "running")
    waiting = manager.get(second, "ann")
    assert (waiting.status, waiting.ahead, waiting.seconds) == ("queued", 1, 0.0)
    assert manager.wait(second, "ann", 30).status == "done"
    one, two = manager.get(first, "ann"), manager.get(second, "ann")
    assert one.ended is not None
    assert two.started is not None
    assert one.ended <= two.started
    assert [job.title for job in manager.list("ann")] == ["second", "first"]


def test_an_owner_with_many_jobs_does_not_shut_others_out(manager: JobManager) -> None:
    ids = [(manager.submit(COUNT, {"steps": 1}, "ann", str(k)), "ann") for k in range(3)]
    ids.append((manager.submit(COUNT, {"steps": 1}, "bob", "b"), "bob"))
    jobs = [manager.wait(job_id, owner, 60) for job_id, owner in ids]
    order = [job.title for job in sorted(jobs, key=lambda job: job.started or 0)]
    assert order.index("b") <= 1
    assert [title for title in order if title != "b"] == ["0", "1", "2"], "first come, first served within an owner"


def test_one_owner_gets_no_more_than_its_share_of_the_slots(make_manager: Callable[..., JobManager]) -> None:
    manager = make_manager(slots=2, per_owner=1)
    spec = {"steps": 600, "pause": 0.1}
    ann = [manager.submit(COUNT, spec, "ann", "a") for _ in range(2)]
    bob = manager.submit(COUNT, spec, "bob", "b")
    until(lambda: manager.get(bob, "bob").status == "running")
    assert manager.get(ann[1], "ann").status == "queued"


def test_the_queue_of_one_owner_is_limited(make_manager: Callable[..., JobManager]) -> None:
    manager = make_manager(max_waiting=2)
    running = manager.submit(COUNT, {"steps": 100, "pause": 0.1}, "ann", "x")
    until(lambda: manager.get(running, "ann").status != "queued")
    for _ in range(2):
        manager.submit(COUNT, {"steps": 1}, "ann", "x")
    with pytest.raises(JobError, match="are waiting already"):
        manager.submit(COUNT, {"steps": 1}, "ann", "x")
    manager.submit(COUNT, {"steps": 1}, "bob", "x")


def test_a_nearly_full_disk_is_told_before_a_job_starts(make_manager: Callable[..., JobManager]) -> None:
    with pytest.raises(JobError, match="GB left"):
        make_manager(min_free_bytes=10**18).submit(COUNT, {"steps": 1}, "ann", "x")


def test_an_owners_quota_counts_all_files_of_its_jobs_and_of_no_other(make_manager: Callable[..., JobManager]) -> None:
    manager = make_manager(owner_bytes=100_000)
    job_id = manager.submit(COUNT, {"steps": 1}, "ann", "x", {"big.bin": bytes(200_000)})
    manager.wait(job_id, "ann", 30)
    with pytest.raises(JobError, match="Remove some first"):
        manager.submit(COUNT, {"steps": 1}, "ann", "x")
    manager.submit(COUNT, {"steps": 1}, "bob", "x")
    manager.remove(job_id, "ann")
    manager.submit(COUNT, {"steps": 1}, "ann", "x")


def test_old_jobs_are_removed_and_recent_ones_kept(make_manager: Callable[..., JobManager]) -> None:
    manager = make_manager()
    job_id = manager.submit(COUNT, {"steps": 1}, "ann", "x")
    manager.wait(job_id, "ann", 30)
    folder = manager.folder(job_id, "ann")
    make_manager(keep_days=1)
    time.sleep(0.5)
    assert folder.exists()
    make_manager(keep_days=0.1 / 86400)
    until(lambda: not folder.exists())
    assert manager.list("ann") == ()


def test_only_an_ended_job_can_be_removed_and_then_nothing_is_left(manager: JobManager) -> None:
    job_id = manager.submit(COUNT, {"steps": 20, "pause": 0.05}, "ann", "x")
    with pytest.raises(JobError, match="cancel it first"):
        manager.remove(job_id, "ann")
    manager.wait(job_id, "ann", 30)
    folder = manager.folder(job_id, "ann")
    manager.remove(job_id, "ann")
    assert not folder.exists()
    with pytest.raises(JobError):
        manager.events(job_id, "ann")


def test_every_epochs_figures_survive_however_fast_they_come(manager: JobManager) -> None:
    job_id = manager.submit(COUNT, {"steps": 3000}, "ann", "x")
    manager.wait(job_id, "ann", 30)
    steps, values = curves(manager.events(job_id, "ann"))["counting"]["loss"]
    assert steps.tolist() == list(range(1, 3001))
    assert values.tolist() == [1.0 / step for step in range(1, 3001)]
    progress = manager.get(job_id, "ann").progress
    assert progress is not None
    assert progress.step == 3000


def test_reports_without_figures_are_throttled(manager: JobManager) -> None:
    job_id = manager.submit(SELFTEST + "chatter", {"seconds": 1.5}, "ann", "x")
    manager.wait(job_id, "ann", 30)
    events = manager.events(job_id, "ann")
    assert manager.result(job_id, "ann")["reports"] > 100
    assert 2 <= len(events) <= 8
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert manager.events(job_id, "ann", after=events[-2].seq) == events[-1:]


def test_no_result_is_an_error_that_says_why(manager: JobManager) -> None:
    job_id = manager.submit(COUNT, {"steps": 100, "pause": 0.1}, "ann", "x")
    with pytest.raises(JobError, match="no result: it is"):
        manager.result(job_id, "ann")
    manager.cancel(job_id, "ann")
    manager.wait(job_id, "ann", 30)
    with pytest.raises(JobError, match=r"Cancelled before it started|Stopped by the user"):
        manager.result(job_id, "ann")
