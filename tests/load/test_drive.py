"""The load driver works: sessions open patients and move sliders, and it counts what it saw."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "browser"))

pytest.importorskip("playwright")

from drive import measure, serve


@pytest.mark.slow
def test_a_few_sessions_are_served_without_an_error(tmp_path: Path) -> None:
    server = serve(tmp_path, None)
    try:
        found = measure(server, sessions=3, think=0.2, seconds=8)
    finally:
        server.close()
    assert found["errors"] == 0
    assert found["reruns"] > 3
    assert 0 < found["p50_ms"] <= found["p95_ms"]
    assert all(math.isfinite(value) for value in found.values())
