"""What is said of slices of patients: ``python -m tools.outside_slices COLLECTION [--each 20]``.

COLLECTION: a folder of Testing, a folder of pictures a class (``brain_mri_4class``). The first pictures of each class
go the three ways that the program has: ``genomap growth``, the Growth page's own functions with the models that come
with the program, and the report. Prints how many got a verdict, a class, a contour, a figure.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from pathlib import Path

from genomap_core.cli import growth
from genomap_core.cli.options import Growth
from genomap_core.data.images.hygiene import normalise
from genomap_core.io.images.raster import shown_pixels
from genomap_core.progress import ignore
from genomap_core.reports.document import Picture, render_html
from genomap_core.reports.growth import slice_document
from genomap_core.workflows.growth.real import CLASSES, FOLDERS
from genomap_core.workflows.growth.view import analyse, sample_models


def by_page(path: Path, cache: dict[object, object]) -> tuple[str, bool, bool, bool]:
    """Verdict, and whether the page or its report hold a class, a contour (any array or picture), a figure."""
    pixels, _ = shown_pixels(path.read_bytes(), path.name)
    about, seen = analyse({**sample_models(), "outside": True}, {"image": normalise(pixels, 64)}, cache)
    document = slice_document("slice", about, seen)
    words = re.sub(r"<style>.*?</style>", "", render_html(document), flags=re.S)
    named = "classes" in about or any(name in words for name in CLASSES)
    drawn = bool(seen) or any(isinstance(block, Picture) for block in document.blocks)
    return about["verdict"], named, drawn, "sqrt(D / rho)" in words


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where a slice got more than a verdict."""
    parser = argparse.ArgumentParser(prog="python -m tools.outside_slices", description=__doc__)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--each", type=int, default=20, help="slices of a class")
    args = parser.parse_args(arguments)
    cache: dict[object, object] = {}
    lines = ["| class | slices | command | page | class told | contour | figure |", "|---|---|---|---|---|---|---|"]
    told = 0
    for folder, name in zip(FOLDERS, CLASSES, strict=True):
        paths = sorted((args.collection / "Testing" / folder).glob("*.jpg"))[: args.each]
        facts = growth.run(Growth(images=tuple(paths)), ignore).facts or {}
        said = [(row["verdict"], row["class"] is not None) for row in facts["images"]]
        page = [by_page(path, cache) for path in paths]
        sums = [sum(s[1] for s in said) + sum(p[1] for p in page), sum(p[2] for p in page), sum(p[3] for p in page)]
        told += sum(sums)
        verdicts = [Counter(s[0] for s in said), Counter(p[0] for p in page)]
        words = [", ".join(f"{n} {verdict}" for verdict, n in counted.items()) for counted in verdicts]
        lines.append(f"| {name} | {len(paths)} | {' | '.join(words)} | {' | '.join(map(str, sums))} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(told > 0)


if __name__ == "__main__":
    sys.exit(main())
