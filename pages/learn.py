"""Five demonstrations of what the methods do, each with controls of its own."""

from __future__ import annotations

import streamlit as st

from pages._ui import lessons, shell
from pages._ui.session import current

LESSONS = {
    "Unscramble": lessons.unscrambling,
    "Does the map matter?": lessons.map_matters,
    "Optimal transport": lessons.transport,
    "Reading an attribution": lessons.attributions,
    "Physics in a network": lessons.growth,
}

with shell.page("Learn", "What the methods of this app do, and where they fail: five demonstrations of two minutes."):
    chosen = st.segmented_control(
        "Demonstration",
        list(LESSONS),
        default="Unscramble",
        required=True,
        key="lesson",
        bind="query-params",
        label_visibility="collapsed",
    )
    LESSONS[chosen](current())
