"""What the Data page shows: the cohort in use, samples, an upload with its report, and what is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import streamlit as st

from genomap_core.data.message import Message, Severity, worst
from genomap_core.data.personal import public_name
from genomap_core.data.schema.preview import first_values, understood
from genomap_core.data.schema.recipe import FOUND, Recipe
from genomap_core.data.schema.roles import ID_STEM, NotNumbers, Orientation, Roles
from genomap_core.data.schema.validate import SchemaReport, to_dataset, validate
from genomap_core.data.table import Table
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.inspect import inspect, kind_of_upload
from genomap_core.io.tables.read import read_table
from genomap_core.workflows.cohorts.samples import SAMPLES
from genomap_core.workflows.tabular.genomap import unit_words
from pages._ui.session import Session, shared_sample, storage
from pages._ui.shell import page_link, plain


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


BADGES = {
    "error": (":material/error:", "Must be mended"),
    "refuse": (":material/block:", "Refused"),
    "warn": (":material/info:", "Please look at this"),
    "ok": (":material/check:", "For your information"),
}
NONE = "(none)"
ORIENTATIONS = {"samples_in_rows": "a sample", "genes_in_rows": "a gene (or feature)"}
SCALES = {"as is": "as is", "log2(1+x)": "log2(1 + x)", "log2(1+x) per total": "log2(1 + x), one total a sample"}
DUPLICATES = {"error": "are an error", "first": "take the first", "mean": "take the mean", "keep": "number them"}
NOT_NUMBERS = {"error": "are an error", "missing": "count as missing", "limit": "missing; <5 counts as 5"}


def in_use(session: Session) -> None:
    """The cohort in use, in figures."""
    d = session.dataset
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**In use: {plain(d.name)}**")
            if session.previous is not None:
                st.button("Back to the cohort before", icon=":material/undo:", on_click=session.undo)
            page_link("genomap", "See the maps", ":material/grid_on:")
        a, b, c, e = st.columns(4)
        a.metric("Samples", f"{d.n_samples:,}")
        b.metric("Features", f"{d.n_features:,}")
        c.metric("Classes", len(d.classes) if d.y is not None else "no labels")
        e.metric("Missing cells", f"{_missing_share(d.X):.2%}")
        if d.y is not None:
            counts = np.bincount(d.y, minlength=len(d.classes))
            words = ", ".join(f"{name} {count}" for name, count in list(zip(d.classes, counts, strict=True))[:12])
            more = "" if len(d.classes) <= 12 else f" and {len(d.classes) - 12} more"
            st.markdown(f"{plain(words)}{more} · unit: {plain(unit_words(d.unit))}")
        for note in d.notes:
            st.markdown(plain(note))


def _missing_share(X: np.ndarray | sp.spmatrix) -> float:
    return 0.0 if sp.issparse(X) or X.size == 0 else float(np.isnan(X).mean())


def samples(session: Session) -> None:
    """The cohorts that come with the app."""
    for start in range(0, len(SAMPLES), 3):
        for column, sample in zip(st.columns(3), SAMPLES[start : start + 3], strict=False):
            with column.container(border=True, height="stretch"):
                st.markdown(f"**{sample.title}**")
                st.markdown(sample.about)
                chosen = session.sample == sample.key
                st.button(
                    "In use" if chosen else "Use this",
                    key=f"sample-{sample.key}",
                    disabled=chosen,
                    width="stretch",
                    on_click=lambda sample=sample: session.use(shared_sample(sample.key), sample.key),
                )


def upload(session: Session) -> None:
    """A table: read, report, roles, then the cohort. Nothing in use is touched before the last step."""
    st.markdown(
        "CSV or TSV (any delimiter, encoding and decimal sign; gzip), Excel, OpenDocument, Parquet, h5ad, loom, h5mu, "
        "10x; a ZIP of outputs of STAR, Salmon or the like; up to 200 MB. One row a "
        "patient, one column a feature, and a column with the class. The file stays on this machine."
    )
    file = st.file_uploader(
        "Table",
        type=None,  # whatever people drop here is told by its content
        max_upload_size=200,
        label_visibility="collapsed",
        key=f"table-{session.uploads}",
    )
    if file is None:
        return
    content = file.getvalue()
    key = hashlib.sha256(content).hexdigest()
    try:
        if kind_of_upload(content, file.name) != "table":
            _other_file(session, key, content, file.name)
            return
        given = answers(key)
        with st.spinner(f"Reading {plain(file.name)} ..."):
            table = session.remember(
                ("table", key, file.name, given.recipe),
                lambda: _read(session, key, content, file.name, recipe=given.recipe),
            )
    except InputError as error:
        severity: Severity = "refuse" if isinstance(error, RefusedError) else "error"
        report_messages((Message(severity, "unreadable", str(error)),))
        return
    table = _choose_part(session, key, content, file.name, table)
    if worst(table.messages) in ("error", "refuse"):
        report_messages(table.messages)
        buttons(table.messages, key)
        return
    proposed = session.remember(("report", key, table.recipe, given), lambda: report_on(table, given))
    report = proposed
    roles = roles_form(table, report.roles, f"{key}-{given}")
    if roles != report.roles:
        report = session.remember(
            ("report", key, table.recipe, given, roles), lambda: with_questions(validate(table, roles), proposed)
        )
    report_messages(report.messages)
    buttons(report.messages, key)
    if report.n_samples and report.n_features:
        with st.container(border=True):
            st.markdown(f"**{plain(understood(report))}.** First values:")
            st.dataframe(first_values(table, report))
    with st.expander("First rows", icon=":material/table_rows:"):
        st.dataframe(table.preview(hidden=report.roles.set_aside), hide_index=True)
    ready = worst(report.messages) not in ("error", "refuse")
    st.button(
        "Use this cohort",
        type="primary",
        disabled=not ready,
        icon=":material/check:",
        on_click=lambda: session.attempt(lambda: session.use(to_dataset(table, report, public_name(file.name)), None)),
    )
    if not ready:
        st.markdown("The cohort in use stays as it is until the points marked *Must be mended* are solved.")


def _other_file(session: Session, key: str, content: bytes, name: str) -> None:
    """An image, an archive, a model: checked as it would be where it belongs, and what it is said."""
    with st.spinner(f"Checking {plain(name)} ..."):
        found = session.remember(("other", key, name), lambda: inspect(content, name))
    report_messages(found.messages)
    if found.summary:
        st.info(
            plain(f"{name}: {found.summary}") + " It is no table: a cohort starts from a table; a saved model is "
            "loaded on the Train page.",
            icon=":material/description:",
        )


def _read(session: Session, key: str, content: bytes, name: str, **part: Any) -> Table:
    for old in [k for k in session.cache if k[0] in ("table", "report", "other") and k[1] != key]:
        del session.cache[old]
    return read_table(content, name, **part)


def _has_X(table: Table) -> bool:
    return bool(table.source.layers) and table.source.kind in ("h5ad", "loom")


def _choose_part(session: Session, key: str, content: bytes, name: str, table: Table) -> Table:
    """Another sheet of a workbook or another matrix of an h5ad file, where there are several."""
    for kind, options, used in (
        ("sheet", table.source.sheets, table.source.sheet),
        ("layer", ("X", *table.source.layers) if _has_X(table) else table.source.layers, table.source.layer),
    ):
        if len(options) > 1:
            chosen = st.selectbox(
                kind.capitalize(), options, index=options.index(used) if used in options else 0, key=f"{kind}-{key}"
            )
            if chosen != used:
                part = {kind: chosen}
                table = session.remember(
                    ("table", key, name, kind, chosen), lambda part=part: _read(session, key, content, name, **part)
                )
    return table


def report_messages(messages: tuple[Message, ...]) -> None:
    """Every finding at once, worst first: what, where, how to mend."""
    for severity in ("refuse", "error", "warn", "ok"):
        found = [m for m in messages if m.severity == severity]
        if not found:
            continue
        icon, title = BADGES[severity]
        box = st.error if severity in ("refuse", "error") else st.warning if severity == "warn" else st.info
        shown = [f"- {plain(m.text)} {plain(m.remedy)}" for m in found[:20]]
        if len(found) > 20:
            shown.append(f"- and {len(found) - 20} more (see the table)")
        box(f"**{title}**\n\n" + "\n".join(shown), icon=icon)
    if len(messages) > 3:
        with st.expander(f"All {len(messages)} findings as a table"):
            st.dataframe(pd.DataFrame([m.as_dict() for m in messages]), hide_index=True)


def roles_form(table: Table, roles: Roles, key: str) -> Roles:
    """What the program took each column for; every choice can be corrected."""
    small = [table.title(j) for j in range(table.n_columns) if j in table.texts or table.n_columns <= 500][:2000]
    names = list(dict.fromkeys(n for n in (*small, roles.id, roles.target, roles.group, *roles.set_aside) if n))
    with st.container(border=True):
        st.markdown("**What each column is**")
        a, b, c = st.columns(3)
        ident = a.selectbox("Patient or sample id", *_choice(names, roles.id), key=f"id-{key}")
        target = b.selectbox("Class to predict", *_choice(names, roles.target), key=f"target-{key}")
        group = c.selectbox(
            "Rows that belong together",
            *_choice([ID_STEM, *names], roles.group),
            key=f"group-{key}",
            help="Samples of one patient must not be split between training and test.",
        )
        d, e, f = st.columns(3)
        orientation = d.selectbox("One row is", *_named(ORIENTATIONS, roles.orientation), key=f"orientation-{key}")
        log = e.selectbox("Scale", *_named(SCALES, roles.log), key=f"log-{key}")
        duplicates = f.selectbox("Features of the same name", *_named(DUPLICATES, roles.duplicates), key=f"twin-{key}")
        g, h, i = st.columns(3)
        not_numbers = g.selectbox(
            "Text or infinite values among numbers", *_named(NOT_NUMBERS, roles.not_numbers), key=f"odd-{key}"
        )
        missing = h.text_input(
            "Numbers that mean missing",
            ", ".join(f"{v:g}" for v in roles.missing_values),
            placeholder="-999, 9999",
            key=f"missing-{key}",
        )
        aside = i.multiselect("Set aside", names, default=list(roles.set_aside), key=f"aside-{key}")
    return replace(
        roles,
        id=None if ident == NONE else ident,
        target=None if target == NONE else target,
        group=None if group == NONE else group,
        orientation=orientation,
        log=log,
        duplicates=duplicates,
        not_numbers=not_numbers,
        missing_values=_numbers(missing, roles.missing_values),
        set_aside=tuple(aside),
    )


def _named(titles: dict[str, str], chosen: str) -> tuple[list[str], int, Callable[[str], str]]:
    """Options, index of the chosen one, and how each is shown: the positional arguments of a selectbox."""
    return list(titles), list(titles).index(chosen), titles.__getitem__


def _choice(names: list[str], chosen: str | None) -> tuple[list[str], int]:
    options = [NONE, *names]
    return options, options.index(chosen) if chosen in options else 0


def _numbers(text: str, before: tuple[float, ...]) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        st.warning(f"Not a list of numbers: {plain(text)}. Write for example: -999, 9999", icon=":material/info:")
        return before


def manage(session: Session) -> None:
    """Where data lie, and how to remove them."""
    st.markdown(
        "Your table, your jobs and their models lie in a private folder of this machine's user until you delete them. "
        "The link of this tab opens them again; keep it to yourself."
    )
    if told := st.session_state.pop("removed", None):
        st.success(f"{told} The sample cohort is in use again.", icon=":material/delete:")
    st.markdown(f"Stored for this tab now: **{storage().used(session.owner) / 1e6:,.1f} MB**.")
    if not st.session_state.get("confirm_delete"):
        st.button("Delete my data", icon=":material/delete:", on_click=_ask_to_delete, args=(True,))
        return
    st.warning("This removes your table, all jobs of this tab and their models. It can't be undone.")
    with st.container(horizontal=True):
        st.button("Delete now", type="primary", on_click=_delete, args=(session,))
        st.button("Keep everything", on_click=_ask_to_delete, args=(False,))


def _ask_to_delete(ask: bool) -> None:
    st.session_state["confirm_delete"] = ask


def _delete(session: Session) -> None:
    _ask_to_delete(False)

    def delete() -> None:
        removed = session.delete_data()
        st.session_state["removed"] = f"Removed: {removed}. Nothing of yours is stored here any more."

    session.attempt(delete)
