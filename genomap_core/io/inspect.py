"""What is wrong with a file, of any kind that the program takes: one report, as JSON or for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from genomap_core.data.message import Message, Severity, plural, worst
from genomap_core.data.schema import validate
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.limits import DEFAULT, Limits
from genomap_core.io.tables import read_table

_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Inspection:
    """The messages on one file; ``summary`` is what was found in it, empty when it can't be used."""

    file: str
    messages: tuple[Message, ...]
    summary: str = ""

    @property
    def verdict(self) -> Severity:
        """The worst severity among the messages."""
        return worst(self.messages)

    def as_json(self) -> str:
        """One line: ``{"file", "verdict", "messages", "summary"}``."""
        messages = [message.as_dict() for message in self.messages]
        return json.dumps(
            {"file": self.file, "verdict": self.verdict, "summary": self.summary, "messages": messages},
            ensure_ascii=False,
        )

    def as_text(self) -> str:
        """Several lines for people."""
        lines = [f"{self.verdict.upper():7}{self.file}" + (f": {self.summary}" if self.summary else "")]
        for message in sorted(self.messages, key=lambda m: -_ORDER.index(m.severity)):
            lines.append(f"  {message.severity:7}{message.text}")
            if message.remedy:
                lines.append(f"         -> {message.remedy}")
        return "\n".join(lines)


_ORDER = ("ok", "warn", "error", "refuse")


def inspect(path: str | Path, limits: Limits = DEFAULT) -> Inspection:
    """Look at a file as an upload would be looked at. Never raises on what the file holds."""
    path = Path(path)
    try:
        if not path.is_file():
            raise InputError(f"There is no file {path.name!r}: check the path.")
        messages, summary = _look(path, limits)
    except RefusedError as error:
        messages, summary = (Message("refuse", "refused", str(error)),), ""
    except InputError as error:
        messages, summary = (Message("error", "unreadable", str(error)),), ""
    return Inspection(path.name, messages, summary)


Look = Callable[[Path, Limits], tuple[tuple[Message, ...], str]]


def _look(path: Path, limits: Limits) -> tuple[tuple[Message, ...], str]:
    return _look_at_table(path, limits)


def _look_at_table(path: Path, limits: Limits) -> tuple[tuple[Message, ...], str]:
    report = validate(read_table(path, path.name, limits=limits))
    classes = ", ".join(f"{name} {count}" for name, count in report.classes[:8])
    labels = (
        f", {len(report.classes)} class{'es' * (len(report.classes) > 1)} ({classes})"
        if report.classes
        else ", no labels"
    )
    return report.messages, f"{plural(report.n_samples, 'sample')} x {plural(report.n_features, 'feature')}{labels}"
