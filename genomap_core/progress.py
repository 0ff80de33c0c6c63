"""How long work reports on itself: small plain values, passed to a function the caller gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """One report: ``step`` of ``total`` in ``stage``, with figures such as the loss."""

    stage: str
    step: int
    total: int
    values: Mapping[str, float] = field(default_factory=dict)


OnProgress = Callable[[Progress], None]
"""May raise :class:`genomap_core.errors.Cancelled`; the work lets it pass."""


def ignore(progress: Progress) -> None:
    """The default receiver: nobody listens."""
