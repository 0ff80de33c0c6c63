from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genomap_core.jobs.ledger import Ledger
from genomap_core.jobs.records import ENDED, Job, JobLimits
from genomap_core.progress import Progress


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    book = Ledger(tmp_path / "ledger.sqlite")
    yield book
    book.close()


def put(ledger: Ledger, job_id: str, owner: str = "ann") -> None:
    ledger.add(Job(job_id, owner, "t", "genomap_core.x:y", "queued", time.time()), "{}", JobLimits(), 1000)


def start(ledger: Ledger, job_id: str = "j") -> None:
    put(ledger, job_id)
    assert ledger.claim_next(99, 99, "token", "me@1") is not None
    assert ledger.begin(job_id, "token", 1, "1@1") is not None


@pytest.mark.parametrize("first", sorted(ENDED))
@pytest.mark.parametrize("second", sorted(ENDED))
def test_the_first_ending_stands_except_that_a_result_overrules_lost(ledger: Ledger, first: str, second: str) -> None:
    start(ledger)
    assert ledger.finish("j", first, "first")  # type: ignore[arg-type]
    overruled = ledger.finish("j", second, "second")  # type: ignore[arg-type]
    assert overruled == (first == "lost" and second == "done")
    entry = ledger.find("j")
    assert entry is not None
    assert entry.job.status == (second if overruled else first)


def test_many_servers_claim_every_job_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    book = Ledger(path)
    for k in range(40):
        put(book, f"j{k}", f"owner{k % 3}")
    taken: list[str] = []

    def serve(name: str) -> None:
        own = Ledger(path)
        while (entry := own.claim_next(1000, 1000, f"{name}{len(taken)}", name)) is not None:
            taken.append(entry.job.id)
        own.close()

    threads = [threading.Thread(target=serve, args=(f"s{k}",)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book.close()
    assert sorted(taken) == sorted(f"j{k}" for k in range(40))


def test_only_the_holder_of_the_token_may_begin_and_only_once(ledger: Ledger) -> None:
    put(ledger, "j")
    ledger.claim_next(1, 1, "right", "me@1")
    assert ledger.begin("j", "wrong", 1, "1@1") is None
    assert ledger.begin("j", "right", 2, "2@1") is not None
    assert ledger.begin("j", "right", 3, "3@1") is None
    entry = ledger.find("j")
    assert entry is not None
    assert entry.job.pid == 2


def test_a_cancelled_claim_can_still_be_told_to_its_worker(ledger: Ledger) -> None:
    start(ledger)
    assert ledger.report("j", 1, [], 10) is False
    ledger.request_cancel("j")
    assert ledger.report("j", 1, [(1.0, Progress("s", 1, 2, {"loss": float("nan")}))], 5) is True
    entry = ledger.find("j")
    assert entry is not None
    assert (entry.job.rss_bytes, entry.job.peak_rss_bytes, entry.job.cancel_requested) == (5, 10, True)
    assert ledger.events("j", 0)[0].progress.values["loss"] != ledger.events("j", 0)[0].progress.values["loss"]


def test_the_owner_served_longest_ago_goes_first(ledger: Ledger) -> None:
    for job_id, owner in [("a1", "ann"), ("a2", "ann"), ("b1", "bob"), ("c1", "cyd"), ("a3", "ann"), ("b2", "bob")]:
        put(ledger, job_id, owner)
    order = []
    while (entry := ledger.claim_next(1, 1, "t", "me@1")) is not None:
        order.append(entry.job.id)
        ledger.finish(entry.job.id, "done")
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]
