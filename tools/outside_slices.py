"""What is said of slices of patients: ``python -m tools.outside_slices COLLECTION [--each 20]``.

The first Testing slices of each class of the collection, by the command line and by what the page and its report hold.
Ends with 1 where both differ, or where a slice without an answer got a class, a contour or a figure.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genomap_core.cli import growth
from genomap_core.cli.options import Growth
from genomap_core.data.images.hygiene import normalise
from genomap_core.io.images.raster import shown_pixels
from genomap_core.progress import ignore
from genomap_core.reports.document import Picture, render_html
from genomap_core.reports.growth import slice_document
from genomap_core.workflows.growth.gate import refuse_content
from genomap_core.workflows.growth.real import CLASSES, FOLDERS, SIZE
from genomap_core.workflows.growth.view import analyse, real_model

SURE = 0.9


@dataclass(frozen=True, slots=True)
class OnPage:
    """What the page and its report hold of a slice."""

    verdict: str
    named: bool
    """A class"""
    drawn: bool
    """A contour: any array or picture"""
    figure: bool


def on_page(path: Path, model: dict[str, str], cache: dict[object, object]) -> OnPage:
    """What the page would show of a picture."""
    pixels, _ = shown_pixels(path.read_bytes(), path.name)
    refusal = refuse_content(pixels, path.name)
    if refusal is not None:
        return OnPage(refusal.verdict, named=False, drawn=False, figure=False)
    about, seen = analyse({**model, "outside": True}, {"image": normalise(pixels, SIZE)}, cache)
    document = slice_document("slice", about, seen)
    words = re.sub(r"<style>.*?</style>", "", render_html(document), flags=re.S)
    return OnPage(
        about["verdict"],
        "classes" in about or any(name in words for name in CLASSES if about["verdict"] != "unlike"),
        bool(seen) or any(isinstance(block, Picture) for block in document.blocks),
        "sqrt(D / rho)" in words,
    )


def faults(rows: list[dict[str, Any]], pages: list[OnPage]) -> int:
    """Slices on which command and page differ, or that got more than their verdict allows."""
    return sum(
        row["verdict"] != page.verdict
        or page.figure
        or (page.verdict != "answer" and (page.named or page.drawn or row["class"] is not None))
        for row, page in zip(rows, pages, strict=True)
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.outside_slices", description=__doc__)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--each", type=int, default=20, help="slices of a class")
    args = parser.parse_args(arguments)
    cache: dict[object, object] = {}
    lines = [
        f"| class | slices | answered | right | wrong | wrong, more than {SURE:.0%} sure | faults |",
        "|---|---|---|---|---|---|---|",
    ]
    wrong_ones = 0
    for folder, name in zip(FOLDERS, CLASSES, strict=True):
        paths = sorted((args.collection / "Testing" / folder).glob("*.jpg"))[: args.each]
        facts = growth.run(Growth(images=tuple(paths)), ignore).facts or {}
        rows = facts["images"]
        answered = [row for row in rows if row["class"] is not None]
        wrong = [row for row in answered if row["class"] != name]
        sure = sum(max(row["probabilities"].values()) > SURE for row in wrong)
        found = faults(rows, [on_page(path, real_model(), cache) for path in paths])
        wrong_ones += found
        counts = (len(paths), len(answered), len(answered) - len(wrong), len(wrong), sure, found)
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(wrong_ones > 0)


if __name__ == "__main__":
    sys.exit(main())
