"""See every patient as a map of features: noise, missing genes, neighbours, and how good the layout is."""

from __future__ import annotations

import streamlit as st

from pages._ui import genomap_views as views
from pages._ui import layout as layout_views
from pages._ui import shell
from pages._ui.layout import layout_wishes
from pages._ui.links import follow_link
from pages._ui.session import current
from pages._ui.widgets import layout_form

VIEWS = {
    "Patient": views.patient,
    "Classes": views.classes,
    "Side by side": views.side_by_side,
    "Layout quality": layout_views.evidence_card,
    "Placement": layout_views.placement,
    "Fewer samples": layout_views.other_patients,
}

with shell.page(
    "Genomap", "Every patient as one picture: each feature has a fixed place, related features lie side by side."
):
    session = current()
    follow_link(session)
    views.cohort_line(session)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        choice = st.segmented_control(
            "View",
            list(VIEWS),
            default="Patient",
            required=True,
            key="view",
            bind="query-params",
            label_visibility="collapsed",
        )
        with st.popover("Layout", icon=":material/tune:"):
            chosen = layout_wishes(session, layout_form(session.dataset, session.layout))
    session.choose(chosen)
    result = layout_views.placed(session)
    VIEWS[choice](session, result)
