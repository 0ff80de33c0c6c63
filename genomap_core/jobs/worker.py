"""One job in one fresh process: ``python -m genomap_core.jobs.worker ROOT JOB_ID`` (started by a runner, not by hand).

The worker leads a session of its own and outlives the server that started it. It writes the result to disk first and
to the ledger second, so that a result which exists is never lost.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genomap_core.errors import Cancelled, GenomapError, JobError
from genomap_core.jobs.entry import resolve
from genomap_core.jobs.files import ERROR_LOG, FAULT_LOG, LEDGER, write_result
from genomap_core.jobs.ledger import Ledger
from genomap_core.jobs.records import Status
from genomap_core.jobs.watch import Watch
from genomap_core.process import GRACE_VARIABLE, TOKEN_VARIABLE, handle_of


def main(root: Path, job_id: str) -> int:
    """Run the job to its ending; the process's exit status (0 when the ending is in the ledger)."""
    os.umask(0o077)
    ledger = Ledger(root / LEDGER)
    entry = ledger.begin(job_id, os.environ[TOKEN_VARIABLE], os.getpid(), handle_of(os.getpid()))
    if entry is None:
        return 0  # cancelled meanwhile, or another server gave the job to another worker
    folder = root / job_id
    with open(folder / FAULT_LOG, "w") as fault_log:
        faulthandler.enable(fault_log)
        watch = Watch(ledger, entry, float(os.environ.get(GRACE_VARIABLE, "5")))
        watch.start()
        status, cause = _carry_out(
            lambda: resolve(entry.job.task)(entry.spec, folder, watch.on_progress), folder, watch
        )
        watch.stop()
        ledger.finish(job_id, status, cause)
        faulthandler.disable()
    ledger.close()
    return 0


def _carry_out(work: Callable[[], Any], folder: Path, watch: Watch) -> tuple[Status, str | None]:
    """Do the work and store its result or its error; how it ended, in words."""
    try:
        result = work()
        watch.calm()
        write_result(folder, folder.name, result)
    except BaseException as error:  # noqa: BLE001 - the outermost door: whatever comes out is told in words
        watch.calm()
        if isinstance(error, Cancelled):
            return "cancelled", "Stopped by the user."
        _write_log(folder, error)
        return ending_of(error)
    return "done", None


def ending_of(error: BaseException) -> tuple[Status, str]:
    """Status and words for the user. Our own messages as they are, others by type and first line."""
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    status: Status = "oom" if out_of_memory else "failed"
    if isinstance(error, GenomapError):
        return status, str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "failed", "The disk is full. Remove old jobs or other files, then start the work again."
    line = (str(error).strip().splitlines() or [""])[0][:300]
    words = f"{type(error).__name__}: {line}" if line else type(error).__name__
    if out_of_memory:
        return status, f"Out of memory ({words}). Choose fewer samples or features, or a smaller batch."
    return status, words


def _write_log(folder: Path, error: BaseException) -> None:
    try:
        (folder / ERROR_LOG).write_text("".join(traceback.format_exception(error)))
    except OSError as problem:  # a full disk must not hide the error itself
        sys.stderr.write(f"{ERROR_LOG}: {problem}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3 or TOKEN_VARIABLE not in os.environ:
        raise JobError("Workers are started by genomap_core.jobs.JobManager, not by hand.")
    _status = main(Path(sys.argv[1]), sys.argv[2])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)  # libraries' threads and exit handlers must not keep a finished worker alive
