"""Processes that end with SIGKILL at the k-th time they are about to change a file below a folder.

The first, the second, ... every one in turn: so nothing depends on the moment at which a test happens to strike.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

AT, UNDER = "GENOMAP_DIE_AT", "GENOMAP_DIE_UNDER"


def arm(at: int, under: str) -> None:
    """Kill this process at its ``at``-th change of a file below ``under``: a file opened to write, renamed, removed."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event == "open":
            changes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR) != 0
        else:
            changes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.copyfile")
        path = arguments[0] if changes else None
        if isinstance(path, str | os.PathLike) and os.path.abspath(os.fspath(path)).startswith(under):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def kills(act: Callable[[], object], under: Path, most: int = 60) -> Iterator[int]:
    """Run ``act`` in forked processes, killed at the first, second, ... change, until one of them reaches its end.

    Yields after each death what it died at; the caller looks at what is left.
    """
    for at in range(1, most):
        pid = os.fork()
        if pid == 0:
            status = 3
            try:
                arm(at, str(under))
                act()
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0, "it failed without being killed"
            return
        yield at
    raise AssertionError(f"more than {most} changes")


def armed_environment(folder: Path, at: int, under: Path) -> dict[str, str]:
    """Environment in which every Python process that is started kills itself so."""
    code = f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\nfrom dying import arm, AT, UNDER\nimport os\n"
    (folder / "sitecustomize.py").write_text(f"{code}arm(int(os.environ[AT]), os.environ[UNDER])\n")
    return {AT: str(at), UNDER: str(under), "PYTHONPATH": str(folder)}
