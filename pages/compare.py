"""GenoMap and other models on the same folds, then on one patient: predictions, noise and attributions together."""

from __future__ import annotations

import streamlit as st

from pages._ui import compare_views as views
from pages._ui import jobs as job_panel
from pages._ui import shell
from pages._ui.session import current

with shell.page(
    "Compare", "GenoMap, a tabular model and plain baselines on the same patients, with what each looked at."
):
    session = current()
    views.cohort_line(session)
    if session.dataset.y is None:
        st.info("This cohort has no labels: choose a target column on the Data page.", icon=":material/label:")
        st.stop()
    weights = views.weights_card()
    config = views.compare_form(session, weights)
    if config is not None:
        views.submit(session, config)
    job_panel.history(session, views.TASK, lambda job: views.result(session, job))
