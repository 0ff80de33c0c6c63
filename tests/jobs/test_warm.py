from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from job_helpers import SELFTEST, until

from genomap_core.errors import InputError, JobError
from genomap_core.jobs import WarmWorker
from genomap_core.process import worker_environment

ECHO, DIE, REMEMBER = SELFTEST + "echo", SELFTEST + "die", SELFTEST + "remember"


@pytest.fixture
def make_warm() -> Iterator[Callable[..., WarmWorker]]:
    made: list[WarmWorker] = []

    def make(**options: object) -> WarmWorker:
        made.append(WarmWorker(**options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for warm in made:
        warm.close()


@pytest.fixture
def warm(make_warm: Callable[..., WarmWorker]) -> WarmWorker:
    return make_warm()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_arrays_come_back_and_the_child_stays_whatever_libraries_print(warm: WarmWorker) -> None:
    X = np.random.default_rng(0).normal(size=(300, 2000)).astype(np.float32)
    answers = [warm.call(ECHO, {"n": n}, {"X": X, "names": np.array(["TP53", "µ"])}) for n in range(3)]
    assert [answer["calls"] for answer, _ in answers] == [1, 2, 3]
    assert {answer["pid"] for answer, _ in answers} == {warm.pid} != {os.getpid()}
    assert answers[1][0]["spec"] == {"n": 1}
    for _, arrays in answers:
        np.testing.assert_array_equal(arrays["X"], X)
        assert arrays["names"].tolist() == ["TP53", "µ"]


def test_torch_is_imported_only_where_it_is_asked_for(make_warm: Callable[..., WarmWorker]) -> None:
    plain, other = make_warm(), make_warm()
    other.start(preload=("colorsys",))
    assert plain.call(ECHO, {})[0]["torch"] is False
    assert other.call(ECHO, {})[0]["calls"] == 1


def test_start_returns_at_once_and_the_first_call_waits_for_the_import(make_warm: Callable[..., WarmWorker]) -> None:
    warm = make_warm()
    began = time.monotonic()
    warm.start(preload=("torch",))
    returned = time.monotonic()
    assert warm.call(ECHO, {}, timeout=120)[0]["torch"] is True
    assert returned - began < (time.monotonic() - returned) / 2


def test_the_cache_forgets_what_was_unused_for_longest(make_warm: Callable[..., WarmWorker]) -> None:
    warm = make_warm(cache_items=3)
    warm.call(REMEMBER, {"keys": ["a", "b", "c"]})
    warm.call(REMEMBER, {"keys": ["a"]})
    assert warm.call(REMEMBER, {"keys": ["d"]})[0]["cached"] == ["a", "c", "d"]


def test_our_errors_come_through_as_themselves_and_the_child_lives_on(warm: WarmWorker) -> None:
    with pytest.raises(InputError, match=r"^Column 3 has no numbers: choose another\.$"):
        warm.call(DIE, {"ours": True})
    with pytest.raises(JobError, match=r"^ValueError: the first line$"):
        warm.call(DIE, {})
    assert warm.call(ECHO, {})[0]["calls"] == 1
    assert warm.call(ECHO, {})[0]["calls"] == 2


def test_tracebacks_go_to_the_log_only(make_warm: Callable[..., WarmWorker], tmp_path: Path, capfd: object) -> None:
    warm = make_warm(log=tmp_path / "warm.log")
    with pytest.raises(JobError):
        warm.call(DIE, {})
    warm.close()
    assert "names a patient" in (tmp_path / "warm.log").read_text()
    assert capfd.readouterr() == ("", "")  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
def test_a_crash_is_told_and_the_next_call_gets_a_new_child(warm: WarmWorker, name: str) -> None:
    before = warm.call(ECHO, {})[0]["pid"]
    with pytest.raises(JobError, match=name):
        warm.call(DIE, {"signal": name})
    answer = warm.call(ECHO, {})[0]
    assert answer["pid"] != before
    assert answer["calls"] == 1


def test_a_child_that_died_between_calls_is_replaced_unnoticed(warm: WarmWorker) -> None:
    pid = warm.call(ECHO, {})[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    assert warm.call(ECHO, {})[0]["pid"] != pid


@pytest.mark.parametrize("hang", ["busy", "stopped", "stopped before the request"])
def test_a_call_past_its_time_is_ended_and_the_next_works(warm: WarmWorker, hang: str) -> None:
    pid = warm.call(ECHO, {})[0]["pid"]
    if hang == "stopped before the request":
        os.kill(pid, signal.SIGSTOP)
    elif hang == "stopped":
        threading.Timer(0.2, os.kill, (pid, signal.SIGSTOP)).start()
    began = time.monotonic()
    with pytest.raises(JobError, match=r"longer than 0\.6 s"):
        warm.call(ECHO, {"pause": 30}, {"X": np.zeros(3_000_000)}, timeout=0.6)
    assert time.monotonic() - began < 3
    assert gone(pid)
    assert warm.call(ECHO, {})[0]["calls"] == 1


def test_what_can_not_be_sent_is_an_error_and_harms_nothing(warm: WarmWorker) -> None:
    pid = warm.call(ECHO, {})[0]["pid"]
    with pytest.raises(JobError, match="can't be sent"):
        warm.call(ECHO, {}, {"X": np.array([object()])})
    with pytest.raises(JobError, match="JSON"):
        warm.call(ECHO, {"a": object()})
    with pytest.raises(JobError, match="public function"):
        warm.call("os:system", {})
    assert warm.call(ECHO, {})[0]["pid"] == pid


def test_threads_take_turns_and_get_their_own_answers(warm: WarmWorker) -> None:
    got: dict[int, tuple[int, float]] = {}

    def ask(k: int) -> None:
        answer, arrays = warm.call(ECHO, {"k": k}, {"x": np.full(50_000, k)})
        got[k] = answer["spec"]["k"], float(arrays["x"].mean())

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {k: (k, float(k)) for k in range(12)}


def test_the_end_of_the_thread_that_called_first_does_not_end_the_child(warm: WarmWorker) -> None:
    pids: list[int] = []
    thread = threading.Thread(target=lambda: pids.append(warm.call(ECHO, {})[0]["pid"]))
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert warm.call(ECHO, {})[0]["pid"] == pids[0]


def test_waiting_for_others_counts_as_time(warm: WarmWorker) -> None:
    warm.call(ECHO, {})
    thread = threading.Thread(target=warm.call, args=(ECHO, {"pause": 1.0}))
    thread.start()
    time.sleep(0.2)
    with pytest.raises(JobError, match="busy"):
        warm.call(ECHO, {}, timeout=0.2)
    thread.join()


def test_a_child_that_has_grown_too_large_is_replaced_after_its_answer(make_warm: Callable[..., WarmWorker]) -> None:
    warm = make_warm(max_rss_bytes=1)
    assert warm.call(ECHO, {})[0]["calls"] == 1
    assert warm.call(ECHO, {})[0]["calls"] == 1


def test_a_closed_worker_says_so(make_warm: Callable[..., WarmWorker]) -> None:
    warm = make_warm()
    pid = warm.call(ECHO, {})[0]["pid"]
    warm.close()
    assert gone(pid)
    with pytest.raises(JobError, match="closed"):
        warm.call(ECHO, {})


PARENT = """
import sys, threading, time
from genomap_core.jobs import WarmWorker
warm = WarmWorker()
threading.Thread(target=lambda: print(warm.call("genomap_core.jobs.selftest:echo", {})[0]["pid"], flush=True)).start()
if sys.argv[1] == "busy":
    time.sleep(3)
    threading.Thread(target=lambda: warm.call("genomap_core.jobs.selftest:echo", {"pause": 600}), daemon=True).start()
time.sleep(600)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_the_child_dies_with_its_parent(state: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, state], env=worker_environment(), stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    if state == "busy":
        time.sleep(3.5)
        assert psutil.pid_exists(pid)
    parent.kill()
    parent.communicate()
    until(lambda: gone(pid), 5)
