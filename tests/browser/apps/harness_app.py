"""A tiny app for the harness's own tests: a slider, a button that starts a job and, if asked, an image from the web."""

import os
from pathlib import Path

import streamlit as st

from genomap_core.jobs import JobManager


@st.cache_resource
def jobs() -> JobManager:
    return JobManager(Path(os.environ["GENOMAP_HOME"]) / "jobs", min_free_bytes=0)


st.title("Harness")
level = st.slider("Level", 0, 100, 20)
st.text(f"level is {level}")
if st.query_params.get("leak"):
    st.html('<img src="http://example.invalid/pixel.png" alt="">')
if st.button("Start", type="primary"):
    jobs().submit("genomap_core.jobs.selftest:count", {"steps": 6000, "pause": 0.1}, "ann", "Count")
if st.button("Stop"):
    for job in jobs().list("ann"):
        jobs().cancel(job.id, "ann")


@st.fragment(run_every=0.3)
def panel() -> None:
    for job in jobs().list("ann"):
        step = job.progress.step if job.progress else 0
        st.text(f"{job.title} {job.status} at {step}")


panel()
st.download_button("Primary download", "x", type="primary")
st.tabs(["One tab", "Another tab"])
