"""What the program tells about a file: one value per problem, with the place and the remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["ok", "warn", "error", "refuse"]

SEVERITIES: tuple[Severity, ...] = ("ok", "warn", "error", "refuse")
"""From harmless to worst: "ok" informs, "warn" can be worked with, "error" must be mended, "refuse" is not tried."""


@dataclass(frozen=True, slots=True)
class Message:
    """One finding.

    Parameters
    ----------
    severity
        One of :data:`SEVERITIES`.
    code
        Stable short name of the kind of finding, such as ``"duplicate-column"``.
    text
        What was found, and where; one sentence.
    column, row, value
        The place as the file's own program shows it: the column's name, the row counted from 1 with the header, the
        text of the cell. ``value`` is never set for a column that may hold identifiers of persons.
    remedy
        How to mend it, as an instruction.
    option
        The option that decides, where there is one: a field of :class:`Roles` or of :class:`Recipe`.
    """

    severity: Severity
    code: str
    text: str
    column: str | None = None
    row: int | None = None
    value: str | None = None
    remedy: str = ""
    option: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.remedy}".strip()

    def as_dict(self) -> dict[str, str | int]:
        """The fields that are set: what ``--json`` prints."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


def decimals(low: float, high: float) -> int:
    """As many as an interval carries: a third one means nothing where it is .02 wide or wider."""
    return 2 if high - low >= 0.02 else 3


def with_interval(value: float, low: float, high: float, sign: str = "") -> str:
    """``0.87 (0.84 to 0.90)``, to :func:`decimals`; ``sign`` "+" writes the signs of differences; NaN: no interval."""
    places = decimals(low, high)
    said, least, most = (f"{round(x, places) + 0.0:{sign}.{places}f}" for x in (value, low, high))  # no "-0.00"
    return said if low != low else f"{said} ({least} to {most})"


def worst(messages: Iterable[Message]) -> Severity:
    """The verdict on a file: its worst severity, "ok" when there is nothing to say."""
    return max((m.severity for m in messages), key=SEVERITIES.index, default="ok")


def some(items: Iterable[object], limit: int = 5) -> str:
    """The first ``limit`` items as text, and how many more there are."""
    listed = [str(item) for item in items]
    more = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {more} more" if more > 0 else "")


def shown(text: str, limit: int = 40) -> str:
    """A user's string, fit for one line: cut to ``limit`` characters, with invisible ones written as code points."""
    visible = "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text[: limit + 1])
    return visible if len(text) <= limit else visible[:limit] + "..."


def plural(count: int, noun: str) -> str:
    """``3 rows``, ``1 row``: a count with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def spreadsheet_column(position: int) -> str:
    """``0 -> "A"``, ``26 -> "AA"``: how a spreadsheet calls a column."""
    letters = ""
    position += 1
    while position:
        position, digit = divmod(position - 1, 26)
        letters = chr(65 + digit) + letters
    return letters


def capital(text: str) -> str:
    """With a capital at the beginning; the rest as it is."""
    return text[:1].upper() + text[1:]


def limited(said: list[Message], limit: int) -> list[Message]:
    """At most ``limit`` messages of each kind, the last of them telling how many there were."""
    counts = Counter(m.code for m in said)
    seen: Counter[str] = Counter()
    kept: list[Message] = []
    for message in said:
        seen[message.code] += 1
        if seen[message.code] <= limit:
            kept.append(message)
        elif seen[message.code] == limit + 1:
            text = f"... and {counts[message.code] - limit:,} more like the one before."
            kept.append(Message(message.severity, message.code, text))
    return kept
