"""Links that open a view again: a sample cohort, a patient by number, the sliders. They hold no identifier."""

from __future__ import annotations

from collections.abc import MutableMapping
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

from genomap_core.data.perturb import Perturbation
from genomap_core.errors import InputError
from pages._ui.session import TOKEN, Session, shared_sample
from pages._ui.shell import errors_shown
from pages._ui.widgets import caption

WORDS = ("cohort", "patient", "noise", "keep")


def follow_link(session: Session) -> None:
    """Show what the address asks for, once; then the address forgets it, so that a refresh keeps later changes."""
    asked = {word: st.query_params[word] for word in WORDS if word in st.query_params}
    for word in asked:
        del st.query_params[word]
    if asked:
        with errors_shown():
            _show(session, asked)


def _show(session: Session, asked: MutableMapping[str, str]) -> None:
    if (sample := asked.pop("cohort", None)) is not None and sample != session.sample:
        session.use(shared_sample(sample), sample)
    try:
        patient, level, keep = int(asked.get("patient", 1)), float(asked.get("noise", 0)), float(asked.get("keep", 1))
    except ValueError as error:
        raise InputError(f"The link can't be followed ({error}): ask for a new one.") from error
    shown = Perturbation(level, keep)
    if not 1 <= patient <= session.dataset.n_samples:
        raise InputError(
            f"The link asks for patient {patient:,}, the cohort has {session.dataset.n_samples:,}: the first is shown."
        )
    session.patient, session.perturbation = patient - 1, shown


def link_card(session: Session, view: str) -> None:
    """The link to what is on the screen."""
    asked = {"view": view, "patient": session.patient + 1}
    asked |= {"noise": f"{session.perturbation.level:g}", "keep": f"{session.perturbation.keep:g}"}
    asked |= {TOKEN: session.token} if session.sample is None else {"cohort": session.sample}
    address = urlsplit(st.context.url or "")
    st.code(urlunsplit(address._replace(query=urlencode(asked))), language=None, wrap_lines=True)
    if session.sample is None:
        caption("The link opens your own table on this machine's server. Whoever has it can see your data.")
    else:
        caption("The link opens this view for anyone who runs the app. It holds no name and no identifier.")
