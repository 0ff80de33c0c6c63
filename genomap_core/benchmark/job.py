"""The study as a job of the app: it runs the driver in its own folder, and what it has done so far can be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genomap_core.benchmark.driver import run_study
from genomap_core.benchmark.estimate import Estimate
from genomap_core.benchmark.reading import StudyRecords
from genomap_core.benchmark.records import to_table
from genomap_core.benchmark.store import Store, open_store
from genomap_core.benchmark.study_spec import Choice
from genomap_core.errors import JobError
from genomap_core.progress import OnProgress, Progress

TASK = "genomap_core.benchmark.job:study_task"
STORE = "study"


def study_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: do every run of ``spec`` (:meth:`Choice.to_spec`) that has no record in ``folder`` yet.

    Raises
    ------
    JobError
        Some runs could not even be tried; those that were are kept.
    """

    def listen(estimate: Estimate) -> None:
        failed = sum(n for status, n in estimate.statuses.items() if status != "ok")
        left = {} if estimate.seconds_left is None else {"seconds_left": estimate.seconds_left}
        on_progress(Progress("runs done", estimate.done, estimate.total, {"failed": failed, **left}))

    outcome = run_study(Choice.from_spec(spec).study(folder, folder / STORE), listen)
    if outcome.done < outcome.total:
        why = " ".join(outcome.problems[:3])
        raise JobError(f"{outcome.total - outcome.done:,} of {outcome.total:,} runs could not be done. {why}".strip())
    return {"runs": outcome.total}


@dataclass(frozen=True, eq=False)
class RunSoFar:
    """A study in a job's folder, finished or not."""

    study: StudyRecords
    damaged: int
    """Records that can't be read and are left out."""


def n_records(folder: Path) -> int:
    """How many records a job's folder holds; opens none of them."""
    return len(Store(folder / STORE, {}).done())


def read_run(folder: Path) -> RunSoFar:
    """What a job has done so far."""
    store = open_store(folder / STORE)
    records, damaged = store.read()
    return RunSoFar(StudyRecords(to_table(records), dict(store.header), Path("own study")), len(damaged))
