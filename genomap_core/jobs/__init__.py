"""Long work outside the web server: one process a job, with a ledger that any server can read.

What a page does
----------------
::

    manager = JobManager(home / "jobs", slots=1)               # one per server (st.cache_resource)
    job_id = manager.submit("genomap_core.workflows.tabular.train:train", spec, owner=user, title="Train on ...",
                            files={"dataset.npz": path})       # returns at once
    job = manager.get(job_id, owner=user)                      # Job: status, progress, cause, seconds, hung() ...
    points = curves(manager.events(job_id, owner=user))        # {"training": {"loss": (steps, values)}}
    if job.status == "done":
        result = manager.result(job_id, owner=user)            # the dict that the task returned
        folder = manager.folder(job_id, owner=user)            # the files that it wrote

Every call takes ``owner``; another owner's job looks exactly like one that doesn't exist (:class:`JobError`).
``job.active`` says whether to go on polling; ``job.cause`` says in words for the user why a job ended that is not done.
The job's id is no secret and may stand in a URL. `JobManager.cancel`, `.remove`, `.list`, `.spec`, `.wait` and `.close`
complete it.

What a task is
--------------
A public function of this library, ``task(spec: dict, folder: Path, on_progress) -> dict``, named
``"genomap_core.module:function"``. ``spec`` and what it returns are JSON; arrays and models go through files in
``folder`` (``result.json``, ``error.log``, ``worker.log`` and ``fault.log`` are ours). ``on_progress`` takes a
`genomap_core.progress.Progress` and may be called as often as you like: reports with figures are kept for every step
(of one step the last), others only as the newest of each quarter second. It raises ``Cancelled`` when the user has
asked to stop: let it pass.

What is promised
----------------
* A job has its own fresh interpreter (torch is imported only there) that leads its own session: it survives a refresh,
  a closed tab, and the server's ``kill -9``. The next manager finds it by process id and birth.
* A result that exists is never lost: it is on disk, fsynced, before the ledger says ``done``.
* Cancel: raised from ``on_progress``; after 0.7 s a signal interrupts the task; after ``grace_s`` it is killed.
* A worker that is gone is settled with its cause: see `Status`. One that gives no sign of life is ``job.hung()``.
* Every process that a job started is ended with it. Several servers on one root never run a job twice.
* Errors of this library reach the user as they are, others by type and first line; the traceback is in ``error.log``.

For answers within half a second there is :class:`WarmWorker`: a child process that keeps models between requests.
"""

from genomap_core.errors import JobError
from genomap_core.jobs.entry import current_name
from genomap_core.jobs.manager import JobManager
from genomap_core.jobs.records import ACTIVE, ENDED, Job, JobEvent, JobLimits, Status, curves
from genomap_core.jobs.runner import LocalRunner, Runner
from genomap_core.jobs.warm import WarmWorker

__all__ = [
    "ACTIVE",
    "ENDED",
    "Job",
    "JobError",
    "JobEvent",
    "JobLimits",
    "JobManager",
    "LocalRunner",
    "Runner",
    "Status",
    "WarmWorker",
    "current_name",
    "curves",
]
