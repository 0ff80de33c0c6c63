"""What a command says in the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """To people, as JSON, and what to look at; a command may give several, one after the other.

    Parameters
    ----------
    facts
        The text's figures; None: the text is said in any case.
    notes
        What to look at in the table.
    problems
        What went wrong though the command went on.
    status
        Of the process, when it ends.
    """

    text: str
    facts: dict[str, object] | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    status: int = 0
