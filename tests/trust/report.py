"""``python tests/trust/report.py``: run every test that proves a promise or answers a threat, and print the figures.

Browser tests are part of it where there is a Chromium; ``--quick`` leaves them and the slow ones out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from register import PROMISES, THREATS, files

TESTS = Path(__file__).parents[1]
SUMMED = (
    "bad files through the command line",
    "bad files through the page",
    "damaged files",
    "bombs refused",
    "pickles refused",
    "formulas made harmless",
    "pages without markup from names",
    "faults survived",
    "places searched for identifiers",
    "identifiers leaked",
    "bytes of others seen",
    "bytes left of a deleted session",
    "outbound connections",
)


def run(quick: bool) -> tuple[int, list[tuple[str, str]], Counter[str]]:
    """Exit status, ``(file, outcome)`` of every test, and the figures added up."""
    with tempfile.TemporaryDirectory() as folder:
        place, xml = Path(folder) / "figures", Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={xml}", "-o", "junit_family=xunit1"]
        command += ["--disable-socket", "--allow-unix-socket", "--allow-hosts=127.0.0.1,::1,localhost"]
        command += ["-m", "not browser and not slow"] if quick else []
        chosen = [str(TESTS / name) for name in files() if not (quick and name.startswith("browser"))]
        status = subprocess.run([*command, *chosen], env=os.environ | {"GENOMAP_FIGURES": str(place)}, check=False)
        lines = place.read_text().splitlines() if place.exists() else []
        figures: Counter[str] = Counter()
        for noted in map(json.loads, lines):
            figures[noted["figure"]] += noted["amount"]
        cases = list(ElementTree.parse(xml).iter("testcase"))
    found = [(str(case.get("file") or "").removeprefix("tests/"), _outcome(case)) for case in cases]
    return status.returncode, found, figures


def _outcome(case: ElementTree.Element) -> str:
    names = {child.tag for child in case}
    return "failed" if names & {"failure", "error"} else "skipped" if "skipped" in names else "passed"


def line(name: str, title: str, proofs: Iterable[str], found: list[tuple[str, str]]) -> str:
    """One row of the table: how many tests prove it, and how they ended."""
    counts = Counter(outcome for file, outcome in found if file in set(proofs))
    ended = ", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "failed", "skipped") if counts[kind])
    return f"{name:>4}  {title:62}{ended or 'not run'}"


def main() -> int:
    """Run, print, and fail when a test failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    status, found, figures = run(parser.parse_args().quick)
    print("\nPromises")
    for name, (title, proofs) in PROMISES.items():
        print(line(name, title, proofs, found))
    print("\nThreats")
    for number, (title, proofs) in THREATS.items():
        print(line(str(number), title, proofs, found))
    print("\nFigures")
    for name in SUMMED:
        if name in figures:
            print(f"      {name:62}{figures[name]:,.0f}")
    total = Counter(outcome for _, outcome in found)
    print(f"      {'tests':62}{', '.join(f'{n} {kind}' for kind, n in total.items())}")
    return status


if __name__ == "__main__":
    sys.exit(main())
