"""Child processes: start and measure them, bind them to their parent, end them with all they started, tell their ends.

What jobs, readers of risky files and the study share. A process id alone is reused by the system. A *handle* adds when
the process was born, so it names one process for ever.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from functools import cache
from importlib.abc import MetaPathFinder
from pathlib import Path

import psutil

from genomap_core.files import PACKAGE_ROOT

_QUIET = {
    "TABPFN_NO_BROWSER": "1",
    "TABPFN_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
}
TOKEN_VARIABLE = "GENOMAP_JOB_TOKEN"
"""Environment variable that marks a worker and everything it starts."""
GRACE_VARIABLE = "GENOMAP_JOB_GRACE"
"""Environment variable: seconds a worker's task has to answer a cancel."""


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
    """Resident bytes of all that a process started."""
    return sum(rss_of(member.pid) for member in descendants(pid))


def descendants(pid: int) -> list[psutil.Process]:
    """All that a process started, and they in turn; on most Linux systems without looking at every process there is."""
    if not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists():
        with contextlib.suppress(psutil.Error):
            return psutil.Process(pid).children(recursive=True)
        return []
    found, waiting = [], [pid]
    while waiting:
        with contextlib.suppress(OSError, psutil.Error):
            for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
                for child in (task / "children").read_text().split():
                    found.append(psutil.Process(int(child)))
                    waiting.append(int(child))
    return found


def kill_tree(child: subprocess.Popen[bytes]) -> None:
    """End a child with everything it started, close its pipes, and wait for its end."""
    for member in descendants(child.pid) if child.poll() is None else []:
        with contextlib.suppress(psutil.Error):
            member.kill()
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what could not be written is lost with its reader
                pipe.close()
    child.wait()


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


def worker_environment() -> dict[str, str]:
    """This process's environment, with our package importable and libraries kept from calling home.

    ``-P`` goes with it: a worker's folder holds uploaded files, and none of them may be imported by its name.
    """
    path = os.pathsep.join([str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | _QUIET | {"PYTHONPATH": path}


def die_with_parent(parent: int) -> None:
    """For children: on Linux the kernel ends this process with the parent's thread that started it.

    So no orphan keeps a core or a GPU. ``parent``: its process id, as it was when this process began.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os.kill(os.getpid(), signal.SIGKILL)


def private_streams() -> tuple[int, int]:
    """For children that talk with their parent: standard input and output under new descriptors, for us alone.

    What libraries print goes to standard error, what they ask gets no answer.
    """
    own = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return own


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is kept out of this process", name="pandas")


def without_pandas() -> None:
    """Keep pandas out of this process: pyarrow imports it (half a second) for its first array, where it can."""
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NoPandas())
