"""What a terminal shows of a study: a bar, durations, tables of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genomap_core.benchmark.estimate import Estimate


def bar(estimate: Estimate, width: int = 30) -> str:
    """``[#####     ]  1,234 of 13,200 runs   3 oom   1 h 02 min left``."""
    share = estimate.done / estimate.total if estimate.total else 1.0
    filled = int(share * width)
    failures = [f"{n} {status}" for status, n in sorted(estimate.statuses.items()) if status != "ok"]
    left = "" if estimate.done == estimate.total else f"{duration(estimate.seconds_left)} left"
    parts = [f"[{'#' * filled}{' ' * (width - filled)}] {estimate.done:,} of {estimate.total:,} runs", *failures, left]
    return "   ".join(p for p in parts if p)


def duration(seconds: float | None) -> str:
    """Seconds in words: ``45 s``, ``3 min``, ``1 h 02 min``, ``2 d 5 h``."""
    if seconds is None:
        return "unknown time"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their titles, numbers to the right."""
    widths = [max(len(r[j]) for r in [header, *rows]) for j in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [c.ljust(w) if j == 0 else c.rjust(w) for j, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return "  ".join(padded).rstrip()

    return "\n".join([line(header), line(["-" * w for w in widths]), *map(line, rows)])


def counts(values: Mapping[str, int]) -> str:
    """``12 ok, 3 oom``."""
    return ", ".join(f"{n:,} {name}" for name, n in values.items()) or "none"
