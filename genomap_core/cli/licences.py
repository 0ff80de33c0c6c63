"""``licences``: of every package that the program uses."""

from __future__ import annotations

from genomap_core.cli.answer import Answer
from genomap_core.cli.options import Licences
from genomap_core.licences import as_table, list_licences
from genomap_core.progress import OnProgress


def run(options: Licences, on_progress: OnProgress) -> Answer:
    """A Markdown table."""
    return Answer(as_table(list_licences()))
