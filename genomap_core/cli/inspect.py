"""``inspect``: what is in files, and what is wrong with them, one answer a file."""

from __future__ import annotations

from collections.abc import Iterator

from genomap_core.cli.answer import Answer
from genomap_core.cli.options import Inspect
from genomap_core.io.sandbox.startup import without_pandas
from genomap_core.progress import OnProgress


def run(options: Inspect, on_progress: OnProgress) -> Iterator[Answer]:
    """Never raises on what a file holds."""
    without_pandas()
    from genomap_core.io.inspect import inspect

    for path in options.files:
        report = inspect(path)
        text = report.as_json() if options.as_json else report.as_text()
        yield Answer(text, status=int(report.verdict in ("error", "refuse")))
