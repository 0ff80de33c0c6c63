"""One patient under two models, then all models on the same folds; and how to compare again."""

from __future__ import annotations

import streamlit as st

from pages._ui import compare_views as views
from pages._ui import jobs as job_panel
from pages._ui import shell
from pages._ui.links import follow_link
from pages._ui.session import current

with shell.page(
    "Compare", "GenoMap, a tabular model and plain baselines on the same patients, with what each looked at."
):
    session = current()
    follow_link(session)
    views.cohort_line(session)
    if session.dataset.y is None:
        st.info("This cohort has no labels: choose a target column on the Data page.", icon=":material/label:")
        st.stop()
    job_panel.follow(session, views.TASK, changes=views.changes)
    look = views.shown_comparison(session)
    repeat = False
    first = st.container()  # filled last: scores are on the page while one patient's map and attributions are made
    if look is not None:
        repeat = views.settings_line(session, look)
        views.models(session, look)
    views.unfinished(session, look)
    with st.container(border=look is None):
        st.subheader("Compare on this cohort" if look is None else "Compare again, otherwise")
        weights = views.weights_card()
        config = views.compare_form(session, weights)
    if repeat and look is not None:
        config = views.again(session, look.found.config, weights)
    if config is not None:
        views.submit(session, config)
    if look is not None:
        with first:
            views.patient(session, look)
