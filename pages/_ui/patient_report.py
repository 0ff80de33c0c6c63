"""The report of the patient on the screen: gathered from what the Compare page shows, for download."""

from __future__ import annotations

import streamlit as st

from genomap_core.reports.patient import patient_document
from genomap_core.reports.patient_case import PatientCase, patient_likeness, patient_report, warnings_of
from pages._ui.gene_map import MapData
from pages._ui.session import Session
from pages._ui.shell import plain
from pages._ui.widgets import caption, report_downloads


def report_card(session: Session, case: PatientCase, maps: MapData) -> None:
    """Warnings about this patient, and the report as HTML and PDF once both explanations are there."""
    row = case.row
    like = session.remember(
        ("likeness", session.dataset.digest, session.layout, row),
        lambda: patient_likeness(case.genomap, case.found, row),
    )
    warnings = warnings_of(session.dataset, row, like, case.answers)
    for words in warnings:
        st.warning(plain(words), icon=":material/warning:")
    with st.container(border=True):
        st.markdown("**Report of this patient**")
        name = st.text_input(
            "Name on the report",
            f"Patient {row + 1}",
            max_chars=60,
            help="The report holds no identifier but the one you write here.",
        )
        if not all("values" in a for a in case.answers):
            caption("The report can be downloaded once both explanations are done.")
            return
        picture = maps.static(case.shown, overlay=0)
        report = patient_report(case, name.strip() or f"Patient {row + 1}", picture, warnings)
        report_downloads(lambda: patient_document(report), f"genomap-report-{row + 1}")
