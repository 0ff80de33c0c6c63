"""Six lessons in a path of twenty minutes, each with a question before its answer; and the words of this app."""

from __future__ import annotations

import streamlit as st

from genomap_core.workflows.lessons.course import chapters
from pages._ui import lessons, shell
from pages._ui.session import current

WORDS = "words"

with shell.page("Learn", "Six lessons of a few minutes: predict, then see what the methods do, and where they fail."):
    session = current()
    course = chapters()
    titles = {chapter.key: f"{k}. {chapter.title}" for k, chapter in enumerate(course, 1)} | {WORDS: "Words"}
    lessons.path(course)
    if "lesson" not in st.session_state:  # a link holds the lesson's key, which never changes
        asked = st.query_params.get("lesson", "")
        st.session_state["lesson"] = asked if asked in titles else course[0].key
    chosen = st.segmented_control(
        "Lesson",
        list(titles),
        format_func=titles.__getitem__,
        required=True,
        key="lesson",
        label_visibility="collapsed",
    )
    st.query_params["lesson"] = chosen
    if chosen == WORDS:
        lessons.words(session)
    else:
        at = list(titles).index(chosen)
        lessons.lesson(session, course[at], course[at + 1] if at + 1 < len(course) else None)
