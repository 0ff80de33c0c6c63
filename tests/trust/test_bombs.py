"""Threats 1 and 7: what claims or unpacks to far more than it is costs neither memory nor time, and says why."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import COLLECTION, bombs

MADE = bombs()
COLLECTED = (
    "t74",
    "x10",
    "x11",
    "x13",
    "h11",
    "i02",
    "i04",
    "d06",
    "n02",
    "n11",
    "a03",
    "a05",
    "m07",
    "m11",
    "m13",
    "m18",
)
MEASURE = """
import json, resource, sys, time
from genomap_core.io.inspect import inspect
from genomap_core.io.sandbox.startup import without_pandas
without_pandas()
def peak(): return sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
inspect(sys.argv[1])
before, cpu = peak(), time.process_time()
report = inspect(sys.argv[2])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"verdict": report.verdict, "said": str([str(m) for m in report.messages]), "kb": peak() - before,
                  "cpu": time.process_time() - cpu + used.ru_utime + used.ru_stime}))
"""


def measured(path: Path, good: Path) -> dict[str, object]:
    """Verdict, words, kB above what a small good file of the same kind needs, and processor seconds."""
    done = subprocess.run([sys.executable, "-c", MEASURE, good, path], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def check(path: Path, good: Path) -> None:
    found = measured(path, good)
    assert found["verdict"] in ("refuse", "error"), found
    assert found["kb"] < 300_000, found
    assert found["cpu"] < 5, found  # seconds of two processes and all their imports, on any machine


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text("sample_id,a,b,label\n" + "".join(f"s{i},{i * 1.5},{i % 7},{'xy'[i % 2]}\n" for i in range(20)))
    return path


@pytest.mark.parametrize("name", MADE)
def test_a_bomb_is_refused_within_its_means(name: str, tmp_path: Path, good: Path, figure) -> None:
    path = tmp_path / name
    path.write_bytes(MADE[name])
    check(path, good)
    figure("bombs refused", 1)


def collected() -> list[object]:
    table = COLLECTION / "EXPECTED.csv"
    if not table.exists():
        return [pytest.param("", marks=pytest.mark.skip(reason=f"no bad inputs at {COLLECTION}"))]
    with table.open(encoding="utf-8", newline="") as file:
        return [row["file"] for row in csv.DictReader(file) if row["file"].startswith(COLLECTED)]


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("name", collected())
def test_a_bomb_of_the_collection_is_refused_within_its_means(name: str, good: Path, figure) -> None:
    check(COLLECTION / "files" / name, good)
    figure("bombs refused", 1)
