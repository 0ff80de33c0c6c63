"""The load driver works: sessions open patients and move sliders, and it counts what it saw."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "browser"))

pytest.importorskip("playwright")

from drive import RUNS, TARGETS, measure, serve, table


@pytest.mark.slow
def test_a_few_sessions_are_served_without_an_error(tmp_path: Path) -> None:
    server = serve(tmp_path, None)
    try:
        found = measure(server, sessions=3, think=0.2, seconds=1, least=2)
    finally:
        server.close()
    assert found["errors"] == 0
    assert found["reruns"] >= 3 * 2
    assert 0 < found["p50_ms"] <= found["p95_ms"]
    assert all(math.isfinite(value) for value in found.values())


def test_the_table_says_which_targets_are_missed() -> None:
    one = {"sessions": 80.0, "p95_ms": 999.0, "errors": 0.0, "mb_a_session": 5.1}
    said = table(dict.fromkeys(RUNS, one)).splitlines()
    assert len(said) == 1 + 2 * len(RUNS)
    assert [line.rpartition(" ")[2] for line in said[-4:]] == ["held", "held", "held", "MISSED"]
    assert set(TARGETS) == set(RUNS)
