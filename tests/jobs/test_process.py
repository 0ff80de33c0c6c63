from __future__ import annotations

import os
import subprocess
import sys
import time

from job_helpers import until

from genomap_core.process import TOKEN_VARIABLE, describe_exit, handle_of, is_alive, kill_group, kill_marked

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_a_handle_names_one_process_for_ever() -> None:
    child = subprocess.Popen(SLEEP)
    handle = handle_of(child.pid)
    assert handle is not None
    assert is_alive(handle)
    assert not is_alive(f"{child.pid}@1.another-birth"), "the same id of an earlier process is another process"
    child.kill()
    until(lambda: not is_alive(handle))  # a zombie is dead, reaped or not
    child.wait()
    assert handle_of(child.pid) is None


def test_a_handle_does_not_change_with_time() -> None:
    assert handle_of(os.getpid()) == handle_of(os.getpid()) is not None


def test_a_wrong_birth_is_never_killed() -> None:
    child = subprocess.Popen(SLEEP, start_new_session=True)
    kill_group(f"{child.pid}@1.another-birth")
    assert child.poll() is None
    kill_group(handle_of(child.pid) or "")
    assert child.wait(10) == -9


def test_killing_by_mark_takes_whole_families_and_nobody_else() -> None:
    bystander = subprocess.Popen(SLEEP)
    spawning = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], start_new_session=True); time.sleep(600)"
    parent = subprocess.Popen(
        [sys.executable, "-c", spawning, *SLEEP], env=os.environ | {TOKEN_VARIABLE: "family"}, start_new_session=True
    )
    time.sleep(1)  # the parent starts its child
    ended = kill_marked("family")
    assert len(ended) == 2
    assert parent.pid in ended
    assert parent.wait(10) == -9
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_exits_are_told_in_words() -> None:
    assert describe_exit(0) is None
    assert describe_exit(-9) == "The worker was killed: SIGKILL (often: out of memory)."
    assert describe_exit(-11) == "The worker was killed: SIGSEGV (a crash in compiled code)."
    assert "exit status 3" in (describe_exit(3) or "")
    assert "signal 77" in (describe_exit(-77) or "")
    assert "left no result" in (describe_exit(None) or "")
