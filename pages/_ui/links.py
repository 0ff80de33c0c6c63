"""The address of a page holds what is looked at: a patient by number, a feature, the sliders. It holds no identifier.

It is brought up to date at every change, so that a refresh, a bookmark and a link opened elsewhere show the same.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.data.perturb import Perturbation
from genomap_core.errors import InputError
from genomap_core.workflows.tabular.stands_out import COHORT, named_rows
from pages._ui.patient_bar import Patients, row_of
from pages._ui.session import TOKEN, Marks, Session, shared_sample
from pages._ui.shell import errors_shown
from pages._ui.widgets import caption

COHORT_WORD = "cohort"
WORDS = ("patient", "noise", "keep", "feature", "region", "against")
_WRITTEN = "_links"
_MOST_KEPT = 64


def follow_patient(session: Session, patients: Patients, dataset: Dataset) -> None:
    """As :func:`follow_link`, on a page with patients of its own: which of them is looked at, and what is marked."""
    asked = {word: st.query_params[word] for word in WORDS if word in st.query_params}
    if asked and asked not in _written():
        row = asked.get("patient", "")
        if row.isdecimal() and 1 <= int(row) <= len(patients.ids):
            session.look_at(int(row) - 1, patients.digest, patients.ids[int(row) - 1])
        with errors_shown():
            _mark(session.marks(dataset), dataset, asked)
    keep_patient(session, patients, dataset)


def keep_patient(session: Session, patients: Patients, dataset: Dataset) -> None:
    """As :func:`keep_link`, on a page with patients of its own; ``dataset``: they on their map."""
    _write({"patient": str(row_of(session, patients) + 1)} | _marked(session.marks(dataset), dataset))


def follow_link(session: Session) -> None:
    """Show what the address asks for, unless the page itself wrote it: then a refresh keeps later changes."""
    asked = {word: st.query_params[word] for word in (COHORT_WORD, *WORDS) if word in st.query_params}
    if COHORT_WORD in asked:
        del st.query_params[COHORT_WORD]
    if asked and asked not in _written():
        with errors_shown():
            _show(session, asked)
    keep_link(session)


def keep_link(session: Session) -> None:
    """Write into the address what is looked at now."""
    _write(_shown(session))


def _write(shown: dict[str, str]) -> None:
    written = _written()
    if shown not in written:
        written.append(shown)
        del written[:-_MOST_KEPT]
    if {word: st.query_params[word] for word in WORDS if word in st.query_params} == shown:
        return
    for word in WORDS:
        if word in shown:
            st.query_params[word] = shown[word]
        elif word in st.query_params:
            del st.query_params[word]


def _written() -> list[dict[str, str]]:
    """What this page wrote into the address: a run that was asked for before the browser had it brings an older one."""
    found: list[dict[str, str]] = st.session_state.setdefault(_WRITTEN, [])
    return found


def _shown(session: Session) -> dict[str, str]:
    """What differs from the usual, with the patient always."""
    shown, usual = session.perturbation, Perturbation()
    words = {"patient": str(session.patient + 1)}
    if shown.level != usual.level:
        words["noise"] = f"{shown.level:g}"
    if shown.keep != usual.keep:
        words["keep"] = f"{shown.keep:g}"
    return words | _marked(session, session.dataset)


def _marked(marks: Marks, dataset: Dataset) -> dict[str, str]:
    """What is marked on a cohort's map, and whom its patients are held against."""
    words = {}
    if marks.feature is not None:
        words["feature"] = str(marks.feature + 1)
    if marks.region is not None:
        words["region"] = str(marks.region + 1)
    names = list(named_rows(dataset))
    if marks.reference != COHORT and marks.reference in names:
        words["against"] = str(names.index(marks.reference))  # a class by number: its name may be anything
    return words


def _mark(marks: Marks, dataset: Dataset, asked: Mapping[str, str]) -> None:
    try:
        feature, region = (int(asked[word]) if word in asked else None for word in ("feature", "region"))
        against = int(asked.get("against", 0))
    except ValueError as error:
        raise InputError(f"The link can't be followed ({error}): ask for a new one.") from error
    marks.feature = feature - 1 if feature is not None and 1 <= feature <= dataset.n_features else None
    marks.region = region - 1 if region is not None and region >= 1 else None
    names = list(named_rows(dataset))
    marks.reference = names[against] if 0 <= against < len(names) else COHORT


def _show(session: Session, asked: MutableMapping[str, str]) -> None:
    if (sample := asked.get(COHORT_WORD)) is not None and sample != session.sample:
        session.use(shared_sample(sample), sample)
    dataset = session.dataset
    try:
        patient, level, keep = int(asked.get("patient", 1)), float(asked.get("noise", 0)), float(asked.get("keep", 1))
    except ValueError as error:
        raise InputError(f"The link can't be followed ({error}): ask for a new one.") from error
    shown = Perturbation(level, keep)
    if not 1 <= patient <= dataset.n_samples:
        raise InputError(
            f"The link asks for patient {patient:,}, the cohort has {dataset.n_samples:,}: the first is shown."
        )
    session.look_at(patient - 1)
    session.perturbation = shown
    _mark(session, dataset, asked)


def link_card(session: Session, view: str) -> None:
    """The link to what is on the screen, for somebody else."""
    asked = {"view": view} | _shown(session)
    asked |= {TOKEN: session.token} if session.sample is None else {COHORT_WORD: session.sample}
    address = urlsplit(st.context.url or "")
    st.code(urlunsplit(address._replace(query=urlencode(asked))), language=None, wrap_lines=True)
    if session.sample is None:
        caption("The link opens your own table on this machine's server. Whoever has it can see your data.")
    else:
        caption("The link opens this view for anyone who runs the app. It holds no name and no identifier.")
