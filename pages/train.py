"""Train a network on the maps, watch it learn, keep it; or load one that was kept."""

from __future__ import annotations

import streamlit as st

from pages._ui import jobs as job_panel
from pages._ui import shell
from pages._ui import train_views as views
from pages._ui.links import follow_link
from pages._ui.session import current
from pages._ui.widgets import training_form

TRAIN, LOAD = "Train", "Load a saved model"

with shell.page("Train", "Train a network on the maps of this cohort, test it on patients it never saw, and keep it."):
    session = current()
    follow_link(session)
    views.cohort_line(session)
    what = st.segmented_control(
        "What",
        [TRAIN, LOAD],
        default=TRAIN,
        required=True,
        key="what",
        bind="query-params",
        label_visibility="collapsed",
    )
    if what == LOAD:
        views.load(session)
    elif session.dataset.y is None:
        st.info("This cohort has no labels: choose a target column on the Data page.", icon=":material/label:")
    else:
        views.hold_out_line(session)
        config = training_form(session.dataset)
        if config is not None:
            views.submit(session, config)
        job_panel.history(session, views.TASK, lambda job: views.result(session, job), stage="training")
