"""A comparison's figures as words: cells of tables, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genomap_core.workflows.comparison.runner import Run
from genomap_core.workflows.comparison.scores import TITLES, Score


def score_cells(scores: Mapping[str, Score], columns: Sequence[str]) -> dict[str, str]:
    """Title -> score with its interval."""
    return {TITLES[name]: str(scores[name]) for name in columns}


def failure(run: Run) -> str:
    """Why there is no answer."""
    return f"no answer ({run.status}): {run.message}"


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """Rows as a Markdown table."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([row.get(n, "") for n in names] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
