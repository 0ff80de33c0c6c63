"""Choose the cohort: a sample, or a table of one's own with every problem named and every role correctable."""

from __future__ import annotations

import streamlit as st

from pages._ui import data_views as views
from pages._ui import shell
from pages._ui.session import current

with shell.page("Data", "Choose the cohort to explore: one that comes with the app, or a table of your own."):
    session = current()
    views.in_use(session)
    samples, upload, manage = st.tabs(["Sample cohorts", "Your own table", "Stored data"])
    with samples:
        views.samples(session)
    with upload:
        views.upload(session)
    with manage:
        views.manage(session)
