"""Seconds and peak memory of a piece of work, measured from inside the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil


@dataclass(slots=True)
class Measured:
    """Filled when the block ends."""

    seconds: float = 0.0
    peak_mb: float = 0.0
    """Growth of the resident memory above the start of the block, in MB; sampled every 20 ms."""


@contextmanager
def measure() -> Iterator[Measured]:
    """``with measure() as m: ...`` then read ``m.seconds`` and ``m.peak_mb``."""
    process, done, measured = psutil.Process(), threading.Event(), Measured()
    base = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    try:
        yield measured
    finally:
        measured.seconds = time.perf_counter() - start
        done.set()
        watcher.join()
        measured.peak_mb = max(peak, process.memory_info().rss) / 1e6 - base / 1e6
