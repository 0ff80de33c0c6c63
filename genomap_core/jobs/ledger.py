"""The ledger: one SQLite file (write-ahead log) that every server and worker on this machine reads and writes.

Each method is one transaction. Who may end a job: the first that says so; only a finished result overrules `lost`.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from genomap_core.errors import JobError
from genomap_core.jobs.records import Job, JobEvent, JobLimits, Status
from genomap_core.progress import Progress

VERSION = 1
_ENDED = "status NOT IN ('queued', 'starting', 'running')"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS job(
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, owner TEXT NOT NULL, title TEXT NOT NULL,
  task TEXT NOT NULL, spec TEXT NOT NULL, limits TEXT NOT NULL, status TEXT NOT NULL, cause TEXT,
  created REAL NOT NULL, started REAL, ended REAL, heartbeat REAL, cancel REAL,
  token TEXT, claimer TEXT, claimed REAL, attempts INTEGER NOT NULL DEFAULT 0, handle TEXT, pid INTEGER,
  rss INTEGER NOT NULL DEFAULT 0, peak_rss INTEGER NOT NULL DEFAULT 0, progress TEXT, swept INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS event(
  job TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, progress TEXT NOT NULL,
  PRIMARY KEY(job, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS job_by_owner ON job(owner, n);
CREATE INDEX IF NOT EXISTS job_by_status ON job(status);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as managers need it: the job, and how to reach its worker."""

    job: Job
    spec: dict[str, Any]
    limits: JobLimits
    token: str | None
    claimer: str | None
    claimed: float | None
    attempts: int
    handle: str | None
    cancel_at: float | None


class Ledger:
    """Open (and create) the ledger at ``path``. Safe among threads and among processes of one machine."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        # A power cut may take the last transactions, never the file's consistency; results are fsynced files beside it.
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA secure_delete=ON")  # what a user deletes is overwritten, not only unlinked
        with self._transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise JobError(f"The job ledger {path} has version {version}; this program reads {VERSION}.")
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={VERSION}")
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file; the ledger can't be used afterwards."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _write(self, sql: str, values: Sequence[Any] = ()) -> bool:
        with self._transaction() as db:
            return db.execute(sql, values).rowcount == 1

    # -- the manager's side ------------------------------------------------------------------------------------------

    def add(self, job: Job, spec: str, limits: JobLimits, max_waiting: int) -> None:
        """Put a job at the end of the queue; refused when its owner has ``max_waiting`` queued ones."""
        with self._transaction() as db:
            query = "SELECT COUNT(*) FROM job WHERE owner=? AND status='queued'"
            if db.execute(query, (job.owner,)).fetchone()[0] >= max_waiting:
                raise JobError(
                    f"{max_waiting} of your jobs are waiting already: cancel one, or wait until one has ended."
                )
            db.execute(
                "INSERT INTO job(id, owner, title, task, spec, limits, status, created) "
                "VALUES (?,?,?,?,?,?,'queued',?)",
                (job.id, job.owner, job.title, job.task, spec, json.dumps(asdict(limits)), job.created),
            )

    def find(self, job_id: str) -> Entry | None:
        """The row of this id, or ``None``."""
        rows = self._read(f"SELECT {_COLUMNS} FROM job WHERE id=?", (job_id,))
        return _entry(rows[0]) if rows else None

    def of_owner(self, owner: str, limit: int) -> list[Job]:
        """The newest ``limit`` jobs of an owner, newest first."""
        rows = self._read(f"SELECT {_COLUMNS} FROM job WHERE owner=? ORDER BY n DESC LIMIT ?", (owner, limit))
        return [_entry(row).job for row in rows]

    def with_process(self) -> list[Entry]:
        """Rows that are starting or running."""
        return [_entry(row) for row in self._read(f"SELECT {_COLUMNS} FROM job WHERE status IN ('starting','running')")]

    def unswept(self) -> list[Entry]:
        """Ended rows whose processes have not been checked to be gone."""
        sql = f"SELECT {_COLUMNS} FROM job WHERE {_ENDED} AND token IS NOT NULL AND swept=0"
        return [_entry(row) for row in self._read(sql)]

    def ids(self) -> set[str]:
        """Every job there is."""
        return {row["id"] for row in self._read("SELECT id FROM job")}

    def ended_before(self, moment: float) -> list[str]:
        """Ids of jobs that ended before ``moment`` (seconds since the epoch) and have no process left."""
        sql = f"SELECT id FROM job WHERE {_ENDED} AND ended < ? AND (token IS NULL OR swept=1)"
        return [row["id"] for row in self._read(sql, (moment,))]

    def mark_swept(self, job_id: str) -> None:
        """No process of this job is left."""
        self._write("UPDATE job SET swept=1 WHERE id=?", (job_id,))

    def events(self, job_id: str, after: int) -> list[JobEvent]:
        """Reports with ``seq > after``, in order."""
        rows = self._read("SELECT seq, at, progress FROM event WHERE job=? AND seq>? ORDER BY seq", (job_id, after))
        return [JobEvent(row["seq"], row["at"], _progress(row["progress"])) for row in rows]

    def last_seq(self, job_id: str) -> int:
        """Number of the newest report, 0 when there is none."""
        return int(self._read("SELECT COALESCE(MAX(seq), 0) AS seq FROM event WHERE job=?", (job_id,))[0]["seq"])

    def claim_next(self, slots: int, per_owner: int, token: str, claimer: str) -> Entry | None:
        """Take the next job off the queue if a slot is free: ``queued`` -> ``starting``, atomically among servers.

        Fair by owner: who has fewest jobs running goes first, then who was served longest ago, then who came first.
        """
        with self._transaction() as db:
            busy = "SELECT owner FROM job WHERE status IN ('starting','running')"
            if db.execute(f"SELECT COUNT(*) FROM ({busy})").fetchone()[0] >= slots:
                return None
            row = db.execute(
                f"""SELECT id, (SELECT COUNT(*) FROM ({busy}) AS b WHERE b.owner=job.owner) AS running,
                           (SELECT MAX(claimed) FROM job AS o WHERE o.owner=job.owner) AS served
                    FROM job WHERE status='queued' AND running < ? ORDER BY running, served, n LIMIT 1""",
                (per_owner,),
            ).fetchone()
            if row is None:
                return None
            db.execute(
                "UPDATE job SET status='starting', token=?, claimer=?, claimed=?, attempts=attempts+1, handle=NULL "
                "WHERE id=?",
                (token, claimer, time.time(), row["id"]),
            )
        return self.find(row["id"])

    def set_handle(self, job_id: str, token: str, handle: str) -> None:
        """Note which process was started for this claim."""
        self._write("UPDATE job SET handle=? WHERE id=? AND token=?", (handle, job_id, token))

    def requeue(self, job_id: str, token: str) -> bool:
        """Back to the queue: the claim came to nothing. A late worker with the old token will find itself dismissed."""
        return self._write(
            "UPDATE job SET status='queued', token=NULL, handle=NULL WHERE id=? AND token=? AND status='starting'",
            (job_id, token),
        )

    def request_cancel(self, job_id: str) -> None:
        """A queued job ends at once; a running one is asked to."""
        now = time.time()
        with self._transaction() as db:
            db.execute(
                "UPDATE job SET status='cancelled', cause='Cancelled before it started.', ended=?, cancel=? "
                "WHERE id=? AND status='queued'",
                (now, now, job_id),
            )
            db.execute(f"UPDATE job SET cancel=COALESCE(cancel, ?) WHERE id=? AND NOT ({_ENDED})", (now, job_id))

    def resume(self, job_id: str) -> bool:
        """Back to the queue, in its old place: an ended job without a result, none of whose processes is left."""
        return self._write(
            "UPDATE job SET status='queued', cause=NULL, started=NULL, ended=NULL, heartbeat=NULL, cancel=NULL, "
            "token=NULL, claimer=NULL, claimed=NULL, attempts=0, handle=NULL, pid=NULL, swept=0 "
            "WHERE id=? AND status IN ('failed','cancelled','lost','oom') AND (token IS NULL OR swept=1)",
            (job_id,),
        )

    def remove(self, job_id: str) -> bool:
        """Forget an ended job and its events; ``False`` while it is active."""
        with self._transaction() as db:
            gone = db.execute(f"DELETE FROM job WHERE id=? AND {_ENDED}", (job_id,)).rowcount == 1
            if gone:
                db.execute("DELETE FROM event WHERE job=?", (job_id,))
        return gone

    # -- the worker's side -------------------------------------------------------------------------------------------

    def begin(self, job_id: str, token: str, pid: int, handle: str | None) -> Entry | None:
        """``starting`` -> ``running``. ``None``: this worker's claim is void (cancelled, or given to another)."""
        now = time.time()
        taken = self._write(
            "UPDATE job SET status='running', pid=?, handle=COALESCE(?, handle), started=?, heartbeat=? "
            "WHERE id=? AND token=? AND status='starting'",
            (pid, handle, now, now, job_id, token),
        )
        return self.find(job_id) if taken else None

    def report(self, job_id: str, first_seq: int, reports: Iterable[tuple[float, Progress]], rss: int) -> bool:
        """Sign of life, with the reports since the last one. Whether the user asked to stop."""
        rows = [(job_id, first_seq + k, at, json.dumps(asdict(p))) for k, (at, p) in enumerate(reports)]
        with self._transaction() as db:
            db.executemany("INSERT INTO event VALUES (?,?,?,?)", rows)
            db.execute(
                "UPDATE job SET heartbeat=?, rss=?, peak_rss=MAX(peak_rss, ?), progress=COALESCE(?, progress) "
                "WHERE id=?",
                (time.time(), rss, rss, rows[-1][3] if rows else None, job_id),
            )
            row = db.execute("SELECT cancel FROM job WHERE id=?", (job_id,)).fetchone()
        return row is None or row["cancel"] is not None

    def finish(self, job_id: str, status: Status, cause: str | None = None) -> bool:
        """End a job. The first ending stands, except that a finished result overrules `lost`."""
        unless = f"(NOT ({_ENDED}) OR status='lost')" if status == "done" else f"NOT ({_ENDED})"
        return self._write(
            f"UPDATE job SET status=?, cause=?, ended=? WHERE id=? AND {unless}", (status, cause, time.time(), job_id)
        )


_COLUMNS = (
    "*, CASE status WHEN 'queued' THEN (SELECT COUNT(*) FROM job AS o WHERE o.status IN ('starting','running') "
    "OR (o.status='queued' AND o.n < job.n)) ELSE 0 END AS ahead"
)


def _progress(text: str) -> Progress:
    return Progress(**json.loads(text))


def _entry(row: sqlite3.Row) -> Entry:
    job = Job(
        id=row["id"],
        owner=row["owner"],
        title=row["title"],
        task=row["task"],
        status=row["status"],
        created=row["created"],
        cause=row["cause"],
        started=row["started"],
        ended=row["ended"],
        heartbeat=row["heartbeat"],
        cancel_requested=row["cancel"] is not None,
        pid=row["pid"],
        rss_bytes=row["rss"],
        peak_rss_bytes=row["peak_rss"],
        progress=_progress(row["progress"]) if row["progress"] else None,
        ahead=row["ahead"],
    )
    return Entry(
        job=job,
        spec=json.loads(row["spec"]),
        limits=JobLimits(**json.loads(row["limits"])),
        token=row["token"],
        claimer=row["claimer"],
        claimed=row["claimed"],
        attempts=row["attempts"],
        handle=row["handle"],
        cancel_at=row["cancel"],
    )
