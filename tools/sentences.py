"""Every sentence that pages, reports and verdicts can say: ``python -m tools.sentences``.

String literals and templates (``{}`` where a value stands) of the modules that speak to people; docstrings, keys and
icons are left out. For a person to read, and for the test that no term goes unexplained.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPEAKING = (
    "pages/**/*.py",
    "genomap_core/reports/*.py",
    "genomap_core/plotting/*.py",
    "genomap_core/benchmark/bottom_line.py",
    "genomap_core/benchmark/verdict.py",
    "genomap_core/workflows/**/words.py",
    "genomap_core/workflows/tabular/*.py",
    "genomap_core/workflows/growth/view.py",
    "genomap_core/workflows/lessons/*.py",
)
_WORDS = re.compile(r"[A-Za-z]{2,}[^A-Za-z]+[A-Za-z]{2,}")
_NO_SENTENCE = re.compile(r"^(:material/|[\w.:-]+$|<|\[data-|https?:)")


def sentences() -> Iterator[tuple[str, int, str]]:
    """``(file, line, sentence)`` of all modules, in the order of the files."""
    for pattern in SPEAKING:
        for path in sorted(ROOT.glob(pattern)):
            for line, text in _said(ast.parse(path.read_text(encoding="utf-8"))):
                yield path.relative_to(ROOT).as_posix(), line, text


def _said(tree: ast.Module) -> list[tuple[int, str]]:
    quiet = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    found = []
    for node in ast.walk(tree):
        if id(node) in quiet | inside or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        text = " ".join(_template(node).split())
        if _WORDS.search(text) and not _NO_SENTENCE.match(text):
            found.append((node.lineno, text))
    return sorted(found)


def _template(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(_template(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)


if __name__ == "__main__":
    for file, line, text in sentences():
        sys.stdout.write(f"{file}:{line}: {text}\n")
