"""The robustness study: every model on many data sets, undisturbed, with fewer rows and under noise."""

from __future__ import annotations

import streamlit as st

from pages._ui import benchmark as views
from pages._ui import shell
from pages._ui.session import current

with shell.page(
    "Benchmark", "Every model on many data sets, disturbed and undisturbed: who is best, and does the layout matter?"
):
    session = current()
    views.follow(session)
    chosen = views.chosen(session)
    if chosen is None:
        st.info(
            "No stored study yet: start one below, or open records that were downloaded before.",
            icon=":material/leaderboard:",
        )
        views.panel(session)
    else:
        look = views.looked_at(session, chosen)
        names = [*views.VIEWS, "Run a study"]
        *tabs, run = st.tabs(names, on_change="rerun", key="benchmark_view")
        for tab, draw in zip(tabs, views.VIEWS.values(), strict=True):
            if tab.open:
                with tab, shell.errors_shown():
                    draw(look)
        if run.open:
            with run, shell.errors_shown():
                views.panel(session)
