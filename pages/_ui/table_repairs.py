"""Questions that a table leaves open and repairs of what was found in it: one click each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from genomap_core.data.message import Message
from genomap_core.data.schema.recipe import FOUND, Recipe
from genomap_core.data.schema.roles import NotNumbers, Orientation, Roles
from genomap_core.data.schema.validate import SchemaReport, validate
from genomap_core.data.table import Table
from pages._ui.shell import plain


@dataclass(frozen=True)
class Answers:
    """What the user said of one file."""

    recipe: Recipe = FOUND
    orientation: Orientation | None = None
    not_numbers: NotNumbers | None = None
    no_group: bool = False
    without_classes: tuple[str, ...] = ()

    def changed(self, roles: Roles) -> Roles:
        """The proposed roles with the answers."""
        return replace(
            roles,
            not_numbers=self.not_numbers or roles.not_numbers,
            group=None if self.no_group else roles.group,
            without_classes=(*roles.without_classes, *self.without_classes),
        )


Repair = tuple[str, Answers]


def repairs(message: Message, given: Answers) -> list[Repair]:
    """Labels of buttons for one finding, and the answers that each gives; empty where nothing can be repaired here."""
    word = message.value or ""
    makers: dict[str, Callable[[], list[Repair]]] = {
        "orientation": lambda: [
            ("A row is a sample", replace(given, orientation="samples_in_rows")),
            ("A row is a gene", replace(given, orientation="genes_in_rows")),
        ],
        "thousands": lambda: _signs(word, given),
        "not_numbers": lambda: [
            *(
                [("Use bounds as their number", replace(given, not_numbers="limit"))]
                if message.code == "bounds"
                else []
            ),
            ("Treat such cells as missing", replace(given, not_numbers="missing")),
        ],
        "without_classes": lambda: [
            (f"Leave class {word} out", replace(given, without_classes=(*given.without_classes, word)))
        ],
        "missing": lambda: [("These words are a class", replace(given, recipe=replace(given.recipe, missing=())))],
        "group": lambda: [("They are different subjects", replace(given, no_group=True))],
    }
    offered = makers[message.option]() if message.option in makers else []
    return [repair for repair in offered if repair[1] != given]


def _signs(word: str, given: Answers) -> list[Repair]:
    sign = "," if "," in word else "."
    grouped, decimal = word.replace(sign, ""), word.replace(sign, ".")
    return [
        (f"{word} is {grouped}", replace(given, recipe=replace(given.recipe, thousands=sign, decimal=None))),
        (f"{word} is {decimal} (decimals)", replace(given, recipe=replace(given.recipe, decimal=sign, thousands=None))),
    ]


def answers(key: str) -> Answers:
    """What was said of the file with this key so far."""
    return st.session_state.get(f"answers-{key}", Answers())


def buttons(messages: tuple[Message, ...], key: str) -> None:
    """A row of buttons for every kind of finding that can be repaired here, and one that takes all answers back."""
    given = answers(key)
    offered: dict[str, tuple[Message, list[Repair]]] = {}
    for message in messages:
        found = repairs(message, given) if message.severity != "ok" else []
        if found:
            offered.setdefault(f"{message.option}-{message.code}", (message, found))
    for name, (message, found) in offered.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(plain(message.text if len(message.text) < 140 else message.text[:137] + "..."))
            for number, (label, then) in enumerate(found):
                st.button(plain(label), key=f"repair-{name}-{number}-{key}", on_click=_answer, args=(key, then))
    if given != Answers():
        st.button(
            "Take my answers back",
            key=f"repair-none-{key}",
            icon=":material/undo:",
            on_click=_answer,
            args=(key, Answers()),
        )


def _answer(key: str, then: Answers) -> None:
    st.session_state[f"answers-{key}"] = then


def report_on(table: Table, given: Answers) -> SchemaReport:
    """The report under the proposed roles and the answers."""
    report = validate(table, orientation=given.orientation)
    roles = given.changed(report.roles)
    return report if roles == report.roles else with_questions(validate(table, roles), report)


def with_questions(report: SchemaReport, proposed: SchemaReport) -> SchemaReport:
    """A report under other roles, with the proposal's question whether rows are samples: only an answer ends it."""
    asked = [m for m in proposed.errors if m.option == "orientation"]
    if proposed.roles.orientation != report.roles.orientation or not asked:
        return report
    return replace(report, messages=(*asked, *(m for m in report.messages if m.option != "orientation")))
