"""Progress for people at a terminal, or in the log of a pipeline: one line, on the stream that is given."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from genomap_core.progress import OnProgress, Progress

_EVERY_TTY, _EVERY_LOG = 0.2, 15.0


def teller(stream: TextIO) -> OnProgress:
    """A receiver that draws over its line at a terminal, and elsewhere writes one for each new stage and four a minute.

    What does not fit into the terminal's width is cut: a line that wraps could not be drawn over.
    """
    tty = stream.isatty()
    told_at, stages = -1e9, set[str]()

    def tell(progress: Progress) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at < (_EVERY_TTY if tty else _EVERY_LOG) and (tty or progress.stage in stages):
            return
        told_at = now
        stages.add(progress.stage)
        text = line(progress)
        width = shutil.get_terminal_size().columns - 1
        stream.write(f"\r\x1b[K{text[:width]}" if tty else f"{text}\n")
        stream.flush()

    return tell


def finish(stream: TextIO) -> None:
    """Clear the line that :func:`teller` draws over."""
    if stream.isatty():
        stream.write("\r\x1b[K")
        stream.flush()


def line(progress: Progress) -> str:
    """``training: 3 of 40, loss 0.51``."""
    steps = f": {progress.step} of {progress.total}" if progress.total else ""
    values = "".join(f", {name.replace('_', ' ')} {value:.3g}" for name, value in progress.values.items())
    return f"{progress.stage}{steps}{values}"
