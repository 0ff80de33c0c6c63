"""Processes that end with SIGKILL at the k-th time they are about to change a file below a folder.

The first, the second, ... every one in turn: so nothing depends on the moment at which a test happens to strike.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
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


def kills(act: Callable[[Callable[[], None]], object], under: Path, most: int = 60) -> Iterator[int]:
    """Run ``act`` in processes, killed at the first, second, ... change, until one of them reaches its end.

    ``act``, which must pickle, calls its argument when what it needs is set up: changes count from there. Processes
    fork from a server without threads: forked from the tests' own, locks of other tests' threads might never open.
    Yields after each death what it died at; the caller looks at what is left.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["streamlit.testing.v1", "pages._ui.session"])
    for at in range(1, most):
        process = context.Process(target=act, args=(partial(arm, at, str(under)),))
        process.start()
        process.join(120)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"it hangs before change {at}")
        if process.exitcode != -signal.SIGKILL:
            assert process.exitcode == 0, "it failed without being killed"
            return
        yield at
    raise AssertionError(f"more than {most} changes")


def armed_environment(folder: Path, at: int, under: Path) -> dict[str, str]:
    """Environment in which every Python process that is started kills itself so."""
    code = f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\nfrom dying import arm, AT, UNDER\nimport os\n"
    (folder / "sitecustomize.py").write_text(f"{code}arm(int(os.environ[AT]), os.environ[UNDER])\n")
    return {AT: str(at), UNDER: str(under), "PYTHONPATH": str(folder)}
