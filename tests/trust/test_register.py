"""The register is whole: every promise and threat has proofs, and each proof is a file with tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from register import PROMISES, THREATS, files
from report import line

TESTS = Path(__file__).parents[1]


def test_every_promise_and_threat_has_a_proof() -> None:
    assert list(PROMISES) == [f"P{k}" for k in range(1, 9)]
    assert list(THREATS) == list(range(1, 19))
    assert all(proofs for _, proofs in (*PROMISES.values(), *THREATS.values()))


@pytest.mark.parametrize("name", files())
def test_the_proof_is_there(name: str) -> None:
    assert "\ndef test_" in (TESTS / name).read_text()


def test_a_line_counts_how_its_tests_ended() -> None:
    found = [("a.py", "passed"), ("a.py", "failed"), ("b.py", "passed")]
    assert line("P1", "Title", ["a.py"], found).split("Title")[1].strip() == "1 passed, 1 failed"
    assert line("P1", "Title", ["c.py"], found).endswith("not run")
