"""Operating system processes: is it still the same one, how much memory, end it with all it started.

A process id alone is reused by the system. A *handle* adds when the process was born, so it names one process for ever.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from functools import cache
from pathlib import Path

import psutil

TOKEN_VARIABLE = "GENOMAP_JOB_TOKEN"
"""Environment variable that marks a worker and everything it starts."""
GRACE_VARIABLE = "GENOMAP_JOB_GRACE"
"""Environment variable: seconds a worker's task has to answer a cancel."""
SIGNATURE = ".server"
"""File in a job's folder: the handle of the server that made it."""


def handle_of(pid: int) -> str | None:
    """``"pid@birth"`` of a live process; ``None`` when there is none (a zombie is none)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{pid}@{_birth(pid, process)}"
    except (psutil.Error, OSError):
        return None


def _birth(pid: int, process: psutil.Process) -> str:
    # On Linux the raw start tick and the boot's id: unlike a wall-clock time they don't move when the clock is set.
    if sys.platform == "linux":
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return f"{fields[19]}.{_boot_id()}"
    return f"{process.create_time():.0f}"


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]


def is_alive(handle: str) -> bool:
    """Whether the very process of this handle still runs."""
    return handle_of(pid_of(handle)) == handle


def pid_of(handle: str) -> int:
    """The process id inside a handle."""
    return int(handle.partition("@")[0])


def rss_of(pid: int) -> int:
    """Resident bytes of one process; 0 when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def rss_of_descendants(pid: int) -> int:
    """Resident bytes of all that a process started; looks through every process of the machine (some milliseconds)."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return 0
    return sum(rss_of(member.pid) for member in family)


def kill_group(handle: str) -> None:
    """SIGKILL to the process of this handle and to the session that it leads."""
    pid = pid_of(handle)
    with contextlib.suppress(OSError):
        if is_alive(handle):
            (os.killpg if os.getpgid(pid) == pid else os.kill)(pid, signal.SIGKILL)


def kill_marked(token: str) -> list[int]:
    """SIGKILL to every process that carries this token in its environment; their ids. Never this process itself."""
    ended = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(TOKEN_VARIABLE) == token:
                process.kill()
                ended.append(process.pid)
    return ended


def sign(folder: Path) -> None:
    """Note in a job's folder which server made it, before any data are in it."""
    signature = folder / SIGNATURE
    signature.touch(mode=0o600)
    signature.write_text(handle_of(os.getpid()) or "")


def abandoned(root: Path) -> dict[str, Path]:
    """Folders of jobs whose server is gone, by the job's id; those that no ledger knows were never submitted."""
    found = {}
    for signature in root.glob(f"*/{SIGNATURE}"):
        with contextlib.suppress(OSError, ValueError):
            if not is_alive(signature.read_text()):
                found[signature.parent.name] = signature.parent
    return found


def describe_exit(code: int | None) -> str | None:
    """An exit status (negative: a signal) in words; ``None`` for a normal exit."""
    if code is None:
        return "The worker is gone, and left no result and no word why (often: the machine or its container restarted)."
    if code == 0:
        return None
    if code > 0:
        return f"The worker ended with exit status {code}."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = {"SIGKILL": " (often: out of memory)", "SIGSEGV": " (a crash in compiled code)"}.get(name, "")
    return f"The worker was killed: {name}{hint}."
